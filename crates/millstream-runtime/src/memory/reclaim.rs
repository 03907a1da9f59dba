//! Reclaimers: what a user can do for an allocation that would be refused, such as emptying a cache of tensors.
//!
//! **Life** registered by [`crate::Device::register_reclaimer`], forgotten when the guard drops.
//!
//! **Invariants**
//! * `reclaimer-alone`: a reclaimer is called with no lock and no token held, by one thread at a time, and never from inside a reclaimer.
//!
//! **Locks** `DeviceState` guards the list, taken alone.

use std::thread::ThreadId;
use std::time::{Duration, Instant};

use millstream_sync::lock::{Lock, levels, try_enter};
use millstream_sync::schedule::{self, Point};
use millstream_sync::{Arc, Weak, thread};

use super::ladder::{Ladder, Rung};
use crate::device::Shared;
use crate::error::{Error, Result};
use crate::evidence::Step;

/// Longest wait for another thread's reclaimer to end.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Told how many bytes are wanted, returns how many it freed.
type Call = dyn Fn(usize) -> usize + Send + Sync;

/// Keeps a reclaimer registered. After it has dropped no call begins; one that is running on another thread ends.
#[must_use = "a reclaimer is forgotten when its guard drops"]
pub struct Reclaimer {
    _call: Arc<Call>,
}

impl std::fmt::Debug for Reclaimer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reclaimer")
    }
}

#[derive(Debug, Default)]
struct List {
    calls: Vec<Weak<Call>>,
    running: Option<ThreadId>,
}

/// The reclaimers of a device.
#[derive(Debug)]
pub(super) struct Reclaimers {
    list: Lock<levels::DeviceState, List>,
}

impl Reclaimers {
    pub(super) fn new() -> Self {
        Self { list: Lock::new(List::default()) }
    }
}

/// Ends this thread's turn, on unwind too.
struct Turn<'a>(&'a Reclaimers);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Nothing is held where a turn ends; if the token were taken all the same, the next turn would wait out its time.
        let _ = try_enter(|held| held.lock(&self.0.list).running = None);
    }
}

enum Claim {
    Mine,
    Nested,
    Others,
}

impl Shared {
    pub(crate) fn register_reclaimer(&self, call: Arc<Call>) -> Result<Reclaimer> {
        self.check()?;
        try_enter(|held| {
            let mut list = held.lock(&self.memory.reclaimers.list);
            list.calls.retain(|known| known.strong_count() > 0);
            list.calls.push(Arc::downgrade(&call));
        })
        .ok_or(Error::Reentered)?;
        Ok(Reclaimer { _call: call })
    }

    /// Calls the next reclaimer that frees anything, each once for an allocation; `left` are those to come. `false`: none is left, or this thread is inside one. Nothing is held.
    pub(super) fn reclaim(&self, wanted: usize, left: &mut Option<Vec<Weak<Call>>>, ladder: &mut Ladder) -> bool {
        let reclaimers = &self.memory.reclaimers;
        ladder.note(Rung::Reclaim, 0);
        let left = left.get_or_insert_with(|| {
            let listed = try_enter(|held| held.lock(&reclaimers.list).calls.clone());
            listed.unwrap_or_default().into_iter().rev().collect()
        });
        if left.is_empty() {
            return false;
        }
        let begun = Instant::now();
        let mut waited = false;
        let _turn = loop {
            match self.claim_turn() {
                Claim::Mine => break Turn(reclaimers),
                Claim::Nested => return false,
                Claim::Others if begun.elapsed() > WAIT_MAX => return false,
                Claim::Others => waited = true,
            }
            if !schedule::blocked(Point::Wait) {
                thread::sleep(Duration::from_micros(50));
            }
        };
        if waited {
            // What another thread's reclaimer freed may be enough: the search comes first.
            return true;
        }
        while let Some(call) = left.pop() {
            let freed = call.upgrade().map_or(0, |call| call(wanted));
            if freed > 0 {
                self.evidence.hit(Step::Reclaimed);
                ladder.note(Rung::Reclaim, freed);
                return true;
            }
        }
        false
    }

    fn claim_turn(&self) -> Claim {
        let me = thread::current().id();
        let claimed = try_enter(|held| {
            let mut list = held.lock(&self.memory.reclaimers.list);
            match list.running {
                None => {
                    list.running = Some(me);
                    Claim::Mine
                }
                Some(running) if running == me => Claim::Nested,
                Some(_) => Claim::Others,
            }
        });
        claimed.unwrap_or(Claim::Nested)
    }
}
