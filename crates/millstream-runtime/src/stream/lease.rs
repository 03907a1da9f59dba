//! The lease: a thread's (or a handle's) claim on a slot of the pool.
//!
//! **Life** claimed by [`Shared::claim`] (state, claim, state again), given back by [`Shared::give_back`] with no host wait: the next holder's work simply comes after
//! in stream order. The lease of an idle thread may be taken away: see `revoke`.
//!
//! **Invariants**
//! * `no-claim-after-close`: a claim that did not see the close is seen by it, or is undone.
//! * `bit-while-held`: the slot's bit is set exactly while its count of holders is not zero.
//!
//! **Locks** `StreamSlots`, inside the permits.
//!
//! **Checked by** loom `permits`, specs/lease_and_permits, the probe `claim held between its two looks while the device closes`.

use std::time::{Duration, Instant};

use millstream_sync::Arc;
use millstream_sync::atomic::{Ordering, fence};
use millstream_sync::lock::levels::Nothing;
use millstream_sync::lock::{Held, enter, try_enter};
use millstream_sync::permits::Denied;
use millstream_sync::schedule;
use millstream_sync::seeded::{self, Bug};

use crate::device::Shared;
use crate::error::{Error, Result};
use crate::evidence::{PausePoint, Step};
use crate::fork;
use crate::memory::ThreadCache;
use crate::profile::Why;
use crate::stream::load::score;
use crate::stream::pool::Slot;
use crate::thread_state::Operation;

/// What a thread does when every stream is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamPolicy {
    /// Share the stream with the least load of late. Any number of threads works.
    #[default]
    Share,
    /// Wait for a free stream at most this long, then [`Error::StreamTimeout`].
    Wait(Duration),
    /// [`Error::NoStream`] at once.
    Fail,
}

/// Half of a stream's load is forgotten in this time.
const LOAD_WINDOW: Duration = Duration::from_millis(20);

/// A claim on a slot.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) slot: u16,
    pub(crate) generation: u32,
}

impl Shared {
    /// Claims a slot for this thread by the device's policy. May block the host under [`StreamPolicy::Wait`].
    /// Errors: `Closed`, `NoStream`, `StreamTimeout`, `Fault`.
    pub(crate) fn claim(&self) -> Result<Lease> {
        self.claim_by(self.options.policy)
    }

    /// The same by a policy of the caller's.
    fn claim_by(&self, policy: StreamPolicy) -> Result<Lease> {
        // First look, before the claim.
        self.check()?;
        let slot = self.claim_slot(policy)?;
        self.evidence.pause(PausePoint::ClaimBetweenChecks);
        // ORDER: SeqCst fence so that either this look sees the close or the closer sees the claim; pairs with the fence in `Gate::advance`.
        fence(Ordering::SeqCst);
        // Second look: the pool may have closed in between, and must not find a holder that it does not know.
        if !self.gate.is_live() && !seeded::is(Bug::ClaimUnchecked) {
            self.evidence.hit(Step::ClaimUndone);
            self.unhold(slot);
            return Err(self.refusal());
        }
        if let Err(error) = self.streams.slot(slot).raw_or_create(&*self.backend, &self.evidence) {
            self.unhold(slot);
            return Err(error);
        }
        self.evidence.hit(Step::LeaseClaimed);
        Ok(Lease { slot, generation: self.streams.slot(slot).next_generation() })
    }

    fn claim_slot(&self, policy: StreamPolicy) -> Result<u16> {
        let streams = self.streams.len();
        loop {
            // The default stream goes to who opens the device and asks first; workers look from 1 on.
            let first = usize::from(self.streams.slot(0).generation() > 0 && streams > 1);
            if let Some(slot) = self.streams.permits.claim(first) {
                return Ok(self.hold_first(slot));
            }
            // All are taken: perhaps one of them by a thread that does not use it.
            if try_enter(|held| self.revoke_idle(held)) == Some(true) {
                continue;
            }
            match policy {
                StreamPolicy::Fail => return Err(Error::NoStream { streams }),
                StreamPolicy::Share => {
                    if let Some(slot) = self.share() {
                        self.evidence.hit(Step::LeaseShared);
                        return Ok(slot);
                    }
                }
                StreamPolicy::Wait(limit) => {
                    self.evidence.hit(Step::LeaseWait);
                    let deadline = Instant::now().checked_add(limit);
                    let open = || self.gate.is_live();
                    let every = self.look_every();
                    let look = |held: &mut Held<'_, Nothing>| {
                        self.revoke_idle(held);
                    };
                    let claimed =
                        try_enter(|held| self.streams.permits.claim_looking(held, deadline, open, every, look));
                    return match claimed.ok_or(Error::Reentered)? {
                        Ok(slot) => Ok(self.hold_first(slot)),
                        Err(Denied::TimedOut) => Err(Error::StreamTimeout { waited: limit, streams }),
                        Err(Denied::Closed) => Err(self.refusal()),
                    };
                }
            }
        }
    }

    fn hold_first(&self, slot: usize) -> u16 {
        // ORDER: Relaxed: the claim of the bit is the acquire; sharers only count from one up.
        self.streams.slot(slot as u16).holders.store(1, Ordering::Relaxed);
        self.streams.slot(slot as u16).note_used(self.profiler.clock());
        slot as u16
    }

    /// Joins the slot with the least recent load. `None`: that slot was just given back, look again.
    fn share(&self) -> Option<u16> {
        let now = self.load_clock();
        let window = LOAD_WINDOW.as_nanos() as u64;
        let loads: Vec<(&Slot, u64, u32)> = (0..self.streams.len() as u16)
            .map(|index| self.streams.slot(index))
            .map(|s| (s, s.load.recent(s.published(), now, window), s.holders.load(Ordering::Relaxed)))
            .filter(|(_, _, holders)| *holders > 0)
            .collect();
        let (all_recent, all_holders) = loads.iter().fold((0, 0), |(r, h), load| (r + load.1, h + load.2));
        let lightest =
            loads.iter().min_by_key(|(_, recent, holders)| score(*recent, *holders, all_recent, all_holders));
        let slot = lightest?.0;
        let mut holders = slot.holders.load(Ordering::Relaxed);
        while holders > 0 {
            // ORDER: Acquire so that the raw stream made by the first holder is there; pairs with the Release in `unhold`.
            match slot.holders.compare_exchange_weak(holders, holders + 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(slot.index()),
                Err(found) => holders = found,
            }
        }
        None
    }

    /// Nanoseconds since the device was opened; no time passes in a scheduled run, which must not depend on the machine.
    fn load_clock(&self) -> u64 {
        if schedule::scheduled() { 0 } else { self.profiler.since_opened_ns() }
    }

    /// One holder less. Whether it was the last: then the slot is to be freed.
    pub(super) fn count_off(&self, slot: u16) -> bool {
        // ORDER: AcqRel so that the last holder's release of the bit comes after all others' work; pairs with itself and `share`.
        self.streams.slot(slot).holders.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Counts one holder off; the last one frees the slot and grants a permit.
    fn unhold(&self, slot: u16) {
        if !self.count_off(slot) {
            return;
        }
        let released = try_enter(|held| self.streams.permits.release(held, usize::from(slot)));
        let released = released.unwrap_or_else(|| {
            // Inside one of our own calls: no permit can be granted, waiters see the slot at their next look.
            self.evidence.hit(Step::DropDeferred);
            self.streams.permits.slots().release(usize::from(slot))
        });
        if released.is_err() {
            self.evidence.hit(Step::DoubleReturn);
        }
    }

    /// Gives a lease back. Never waits: the stream's tail is where the next holder goes on. Nothing happens in a forked child.
    pub(crate) fn give_back(&self, lease: Lease) {
        if fork::generation() != self.fork_generation {
            return;
        }
        self.evidence.hit(Step::LeaseReturned);
        self.unhold(lease.slot);
        if seeded::is(Bug::DoubleReturn) && self.streams.permits.slots().release(usize::from(lease.slot)).is_err() {
            self.evidence.hit(Step::DoubleReturn);
        }
    }

    /// Blocks the host until stream `slot` has completed everything enqueued so far, or `deadline`. Errors: `Timeout`, `Fault`, `ForkedChild`.
    #[track_caller]
    pub(crate) fn synchronize_stream(&self, slot: u16, deadline: Option<Instant>) -> Result<()> {
        self.check_process()?;
        let tail = self.streams.slot(slot).published();
        self.settled_fault(slot, tail)?;
        let why = Why::here("stream");
        let waited = try_enter(|held| self.await_seq(held, slot, tail, deadline, why));
        self.settle_imports();
        waited.ok_or(Error::Reentered)?
    }

    /// Slots claimed just now.
    pub(crate) fn leases(&self) -> usize {
        self.streams.permits.slots().claimed()
    }
}

/// A stream that a caller holds: a lease of its own, or the current one of a thread. `Clone + Send + Sync`.
#[derive(Clone, Debug)]
pub struct Stream {
    pub(crate) shared: Arc<Shared>,
    pub(crate) slot: u16,
    pub(crate) generation: u32,
    /// Keeps a lease that was taken for this handle.
    _hold: Option<Arc<Hold>>,
    /// Keeps the lease of the thread whose current stream it was.
    _kept: Option<Kept>,
}

/// Keeps the lease of a thread from being revoked. Any thread may drop it.
#[derive(Debug)]
pub(crate) struct Kept {
    cache: Arc<ThreadCache>,
}

impl Kept {
    /// For the thread whose cache it is, inside an operation.
    pub(crate) fn new(cache: &Arc<ThreadCache>) -> Self {
        cache.lease().keep();
        Self { cache: cache.clone() }
    }
}

impl Clone for Kept {
    fn clone(&self) -> Self {
        Self::new(&self.cache)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.cache.lease().let_go();
    }
}

#[derive(Debug)]
struct Hold {
    shared: Arc<Shared>,
    lease: Option<Lease>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.shared.give_back(lease);
        }
    }
}

impl Stream {
    /// The stream that `here` says; its lease stays while the handle lives.
    pub(crate) fn current(shared: &Arc<Shared>, here: &Operation) -> Self {
        let generation = shared.streams.slot(here.slot).generation();
        let kept = Kept::new(&here.cache);
        Self { shared: shared.clone(), slot: here.slot, generation, _hold: None, _kept: Some(kept) }
    }

    pub(crate) fn leased(shared: &Arc<Shared>, policy: Option<StreamPolicy>) -> Result<Self> {
        let lease = shared.claim_by(policy.unwrap_or(shared.options.policy))?;
        let (slot, generation) = (lease.slot, lease.generation);
        let hold = Arc::new(Hold { shared: shared.clone(), lease: Some(lease) });
        Ok(Self { shared: shared.clone(), slot, generation, _hold: Some(hold), _kept: None })
    }

    /// Slot in the pool and how often it had been leased: what a stamp says of it.
    #[must_use]
    pub fn id(&self) -> (u16, u32) {
        (self.slot, self.generation)
    }

    /// Blocks the host until everything enqueued so far has completed. Errors: `Fault`, `Closed`, `ForkedChild`.
    #[track_caller]
    pub fn synchronize(&self) -> Result<()> {
        self.synchronize_until(None)
    }

    /// The same, until `deadline`. Errors: also `Timeout`; the work goes on.
    #[track_caller]
    pub fn synchronize_until(&self, deadline: Option<Instant>) -> Result<()> {
        self.shared.synchronize_stream(self.slot, deadline)
    }

    /// Whether everything enqueued so far has completed. Never waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let slot = self.shared.streams.slot(self.slot);
        slot.completed(&*self.shared.backend) >= slot.published()
            || enter(|held: &mut Held<'_, Nothing>| {
                let tail = slot.published();
                let _ = self.shared.cover(held, self.slot, tail);
                self.shared.poll(held, self.slot) >= tail
            })
    }
}

impl PartialEq for Stream {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared) && self.slot == other.slot && self.generation == other.generation
    }
}
