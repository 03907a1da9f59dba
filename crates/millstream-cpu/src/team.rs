//! Private helpers for one large operation at a time.
//!
//! The caller cuts an operation into chunks and claims them from a counter; helpers that are awake claim too. The caller sleeps only
//! for chunks that a helper has already claimed, and nothing foreign runs inside an operation: that is why this is not a work-stealing
//! pool. A second caller that finds the team taken does its chunks alone, and so does everybody when all processors are busy. The cut is
//! the caller's and depends on the shape, so who does a chunk changes no bit.
//!
//! **Life** helpers are spawned at the first shared operation and leave when the backend is dropped; nobody joins them.
//!
//! **Invariants**
//! * `one-job`: at most one operation is offered at a time, by the owner of `leader`.
//! * `claimed-once`: every chunk is claimed by one thread, and a claim holds its job alive: the caller leaves only after all are done.
//!
//! **Locks** none. **Checked by** the tests below.
#![expect(unsafe_code, reason = "a job lives on its caller's stack")]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use millstream_sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use millstream_sync::{Arc, Doorbell, OnceLock, OwnedCell, OwnerWord, thread};

use crate::statistics::Counters;
use crate::stream::Slots;

type Panic = Box<dyn Any + Send>;

/// One operation, on its caller's stack.
struct Job<'a> {
    work: &'a (dyn Fn(usize) + Sync),
    done: AtomicUsize,
    panic: OwnedCell<Option<Panic>>,
}

impl Job<'_> {
    fn run(&self, chunk: usize) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (self.work)(chunk))) {
            // Two at once: one of them is enough.
            self.panic.try_with(|first| {
                first.get_or_insert(panic);
            });
        }
    }
}

/// Processors that work just now.
struct Busy {
    helpers: AtomicUsize,
    streams: Arc<Slots>,
}

impl Busy {
    /// Counts the calling helper until the guard is dropped.
    fn enter(&self) -> Working<'_> {
        self.helpers.fetch_add(1, Ordering::Relaxed);
        Working(self)
    }

    fn count(&self) -> usize {
        self.helpers.load(Ordering::Relaxed) + self.streams.working()
    }
}

/// One helper at work.
struct Working<'a>(&'a Busy);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.helpers.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Shared {
    /// Epoch of the job in the high half, chunks not yet claimed in the low half.
    claims: AtomicU64,
    job: AtomicPtr<Job<'static>>,
    /// Rung when a helper has done a chunk.
    done: Doorbell,
    bells: Box<[Doorbell]>,
    stop: AtomicBool,
    busy: Busy,
    counters: Arc<Counters>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shared({} helpers)", self.bells.len())
    }
}

impl Shared {
    /// Claims a chunk of the job that is offered, if one is left.
    fn claim(&self) -> Option<(*mut Job<'static>, usize)> {
        // ORDER: Acquire so that the job pointer of this epoch is visible; pairs with the Release in `Team::run`.
        let mut found = self.claims.load(Ordering::Acquire);
        while found as u32 != 0 {
            // ORDER: Relaxed; if a later job's pointer is read here, the exchange below fails, since the epoch has moved.
            let job = self.job.load(Ordering::Relaxed);
            // ORDER: Acquire as above for the next look; success needs no Release, since the claim publishes nothing.
            match self.claims.compare_exchange_weak(found, found - 1, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return Some((job, (found as u32 - 1) as usize)),
                Err(now) => found = now,
            }
        }
        None
    }

    fn help(&self, bell: usize) {
        loop {
            self.bells[bell].wait_until(None, || {
                // ORDER: Relaxed twice: a look that sends us on, where `claim` looks again with Acquire.
                self.claims.load(Ordering::Relaxed) as u32 != 0 || self.stop.load(Ordering::Relaxed)
            });
            // ORDER: Relaxed; nothing is published by the flag.
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let _working = self.busy.enter();
            while let Some((job, chunk)) = self.claim() {
                self.counters.helpers_joined.hit();
                // SAFETY: the job must be alive; its caller leaves only after this claimed chunk is counted below (`claimed-once`).
                let job = unsafe { &*job };
                job.run(chunk);
                // ORDER: Release so that the caller sees the chunk's results; pairs with the Acquire in `Team::run`. The job may be gone after it.
                job.done.fetch_add(1, Ordering::Release);
                self.done.ring();
            }
        }
    }
}

/// The helpers of one device.
#[derive(Debug)]
pub(crate) struct Team {
    shared: Arc<Shared>,
    leader: OwnerWord,
    spawned: OnceLock<()>,
    cores: usize,
}

impl Team {
    /// A team for `cores` processors: the caller and `cores - 1` helpers.
    /// `streams` says which of them are at work.
    pub(crate) fn new(cores: usize, streams: Arc<Slots>, counters: Arc<Counters>) -> Self {
        let shared = Shared {
            claims: AtomicU64::new(0),
            job: AtomicPtr::new(std::ptr::null_mut()),
            done: Doorbell::new(),
            bells: (1..cores).map(|_| Doorbell::new()).collect(),
            stop: AtomicBool::new(false),
            busy: Busy { helpers: AtomicUsize::new(0), streams },
            counters,
        };
        Self { shared: Arc::new(shared), leader: OwnerWord::new(), spawned: OnceLock::new(), cores }
    }

    /// Runs `work` for each of `0..chunks` once, on this thread and on helpers. Returns when all are done. A panic of a chunk is
    /// raised here, after that. Does not block but for chunks that a helper is at.
    pub(crate) fn run(&self, chunks: usize, work: &(dyn Fn(usize) + Sync)) {
        let shared = &*self.shared;
        let idle = self.cores.saturating_sub(shared.busy.count()).min(chunks.saturating_sub(1)).min(shared.bells.len());
        let leader = if idle > 0 && u32::try_from(chunks).is_ok() { self.leader.try_take() } else { None };
        let Some(_leader) = leader else {
            (0..chunks).for_each(work);
            return;
        };
        self.spawned.get_or_init(|| self.spawn());
        shared.counters.operations_shared.hit();
        let job = Job { work, done: AtomicUsize::new(0), panic: OwnedCell::default() };
        let pointer = std::ptr::from_ref(&job).cast::<Job<'static>>().cast_mut();
        // ORDER: Relaxed; published by the Release store of the claims.
        shared.job.swap(pointer, Ordering::Relaxed);
        // Only the leader changes the epoch, and no chunk of the job before is left.
        let epoch = (shared.claims.load(Ordering::Relaxed) >> 32).wrapping_add(1) << 32;
        // ORDER: Release so that a helper that sees the claims sees the job; pairs with `Shared::claim`.
        shared.claims.store(epoch | chunks as u64, Ordering::Release);
        shared.bells[..idle].iter().for_each(Doorbell::ring);
        let mut own = 0;
        while let Some((_, chunk)) = shared.claim() {
            job.run(chunk);
            own += 1;
        }
        // ORDER: Acquire so that the results of the helpers' chunks are visible; pairs with `Shared::help`.
        shared.done.wait_until(None, || job.done.load(Ordering::Acquire) + own == chunks);
        let mut panic = job.panic;
        if let Some(panic) = panic.value_mut().take() {
            resume_unwind(panic);
        }
    }

    /// A helper that cannot be had is done without.
    fn spawn(&self) {
        for bell in 0..self.shared.bells.len() {
            let shared = Arc::clone(&self.shared);
            let builder = thread::Builder::new().name(format!("millstream-help-{bell}"));
            drop(builder.spawn(move || shared.help(bell)));
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        // ORDER: Relaxed; the ring's fence makes a sleeper see it.
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.bells.iter().for_each(Doorbell::ring);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn team(cores: usize) -> (Team, Arc<Counters>) {
        let counters = Arc::new(Counters::default());
        (Team::new(cores, Arc::new(Slots::new()), Arc::clone(&counters)), counters)
    }

    #[test]
    fn every_chunk_is_done_once_by_callers_that_share_a_team() {
        let (team, counters) = team(4);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for round in 0..300 {
                        let chunks = round % 17;
                        let seen: Vec<AtomicUsize> = (0..chunks).map(|_| AtomicUsize::new(0)).collect();
                        team.run(chunks, &|i| {
                            seen[i].fetch_add(1, Ordering::Relaxed);
                        });
                        assert!(seen.iter().all(|s| s.load(Ordering::Relaxed) == 1));
                    }
                });
            }
        });
        assert!(counters.read().operations_shared > 0);
    }

    #[test]
    fn helpers_join_a_long_operation() {
        let (team, counters) = team(2);
        for _ in 0..50 {
            team.run(8, &|_| std::thread::sleep(std::time::Duration::from_millis(2)));
            if counters.read().helpers_joined > 0 {
                return;
            }
        }
        panic!("no helper joined in 50 operations");
    }

    #[test]
    fn no_helper_is_woken_when_all_processors_work() {
        let (streams, counters) = (Arc::new(Slots::new()), Arc::new(Counters::default()));
        let team = Team::new(2, Arc::clone(&streams), Arc::clone(&counters));
        let slots = [streams.slot_or_make(0, 2), streams.slot_or_make(1, 2)];
        slots.iter().for_each(|slot| slot.set_working(true));
        team.run(8, &|_| ());
        assert_eq!(counters.read().operations_shared, 0, "two streams are at work");
        slots[1].set_working(false);
        let helper = team.shared.busy.enter();
        team.run(8, &|_| ());
        assert_eq!(counters.read().operations_shared, 0, "a stream and a helper are at work");
        drop(helper);
        team.run(8, &|_| ());
        assert_eq!(counters.read().operations_shared, 1);
    }

    #[test]
    fn a_panic_of_any_chunk_reaches_the_caller_after_all_chunks() {
        let (team, _) = team(3);
        for bad in [0, 5, 9] {
            let done = AtomicUsize::new(0);
            let work = |i: usize| {
                done.fetch_add(1, Ordering::Relaxed);
                assert!(i != bad, "chunk {i}");
            };
            assert!(catch_unwind(AssertUnwindSafe(|| team.run(10, &work))).is_err());
            assert_eq!(done.load(Ordering::Relaxed), 10);
        }
        team.run(3, &|_| ());
    }
}
