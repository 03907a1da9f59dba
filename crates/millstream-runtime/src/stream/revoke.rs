//! Taking the stream of an idle thread for one that wants it.
//!
//! A thread keeps its lease until it exits or leaves. When all streams are claimed and one is wanted, the lease that was not used for longest is revoked: its thread is outside of every call, its stream
//! has had no submission for [`DeviceOptions::lease_idle_window`](crate::DeviceOptions) and has completed its work, and no guard or handle keeps it. The thread claims a stream again at its next use.
//!
//! **Life** of a revoked lease: its cached blocks go to the stream's pool, its count of holders goes, and a freed slot goes to the oldest waiter or the next claim.
//!
//! **Invariants**
//! * `never-while-busy`, `never-while-kept`: those of the lease word.
//! * `home-before-free`: the slot is freed after the blocks of the cache are in the pool.
//!
//! **Locks** `DeviceState` for the list of caches; then what a flush takes.
//!
//! **Checked by** specs/lease_revocation, the oversubscription attempt.

use std::time::Duration;

use millstream_sync::lock::Held;
use millstream_sync::lock::levels::Nothing;
use millstream_sync::seeded::{self, Bug};
use millstream_sync::{Arc, schedule};

use super::pool::Slot;
use crate::device::Shared;
use crate::evidence::Step;
use crate::memory::ThreadCache;

/// Shortest time between two looks of a waiter.
const LOOK_LEAST: Duration = Duration::from_millis(1);

impl Shared {
    /// How often the oldest waiter looks for an idle lease; `None`: leases are not revoked.
    pub(super) fn look_every(&self) -> Option<Duration> {
        let window = self.options.lease_idle_window;
        (window != Duration::MAX).then(|| window.max(LOOK_LEAST))
    }

    /// Frees the stream of the lease that was not used for longest. `false`: none is idle. Nothing is held.
    pub(super) fn revoke_idle(&self, held: &mut Held<'_, Nothing>) -> bool {
        if self.look_every().is_none() || !(0..self.streams.len() as u16).any(|slot| self.is_unused(slot)) {
            return false;
        }
        let may_go = |cache: &&Arc<ThreadCache>| {
            cache.lease().is_idle() || (seeded::is(Bug::RevokeBusy) && cache.lease().is_busy())
        };
        let mut idle: Vec<Arc<ThreadCache>> = {
            let state = held.lock(&self.state);
            let unused = state.caches.iter().filter(|cache| self.is_unused(cache.slot()));
            unused.filter(may_go).cloned().collect()
        };
        idle.sort_by_key(|cache| self.used_at(self.streams.slot(cache.slot())));
        idle.iter().any(|cache| self.revoke(held, cache))
    }

    /// Whether the slot has one holder, and no use within the window.
    fn is_unused(&self, slot: u16) -> bool {
        let slot = self.streams.slot(slot);
        // A scheduled run does not depend on the machine's clock: there whoever is outside of a call is idle.
        let age = || Duration::from_nanos(self.profiler.nanos(self.used_at(slot), self.profiler.clock()));
        slot.has_one_holder() && (schedule::scheduled() || age() >= self.options.lease_idle_window)
    }

    fn used_at(&self, slot: &Slot) -> u64 {
        if schedule::scheduled() { 0 } else { slot.used_at() }
    }

    /// Whether the stream has completed what was submitted to it; asks the device.
    fn is_at_rest(&self, held: &mut Held<'_, Nothing>, index: u16) -> bool {
        let slot = self.streams.slot(index);
        let tail = slot.published();
        slot.completed(&*self.backend) >= tail
            || (self.cover(held, index, tail).is_ok() && self.poll(held, index) >= tail)
    }

    fn revoke(&self, held: &mut Held<'_, Nothing>, cache: &ThreadCache) -> bool {
        let index = cache.slot();
        if !self.is_at_rest(held, index) && !seeded::is(Bug::RevokeBusy) {
            return false;
        }
        if !self.revoke_cache(held, cache) {
            return false;
        }
        self.evidence.hit(Step::LeaseRevoked);
        if self.count_off(index) && self.streams.permits.release(held, usize::from(index)).is_err() {
            self.evidence.hit(Step::DoubleReturn);
        }
        true
    }
}
