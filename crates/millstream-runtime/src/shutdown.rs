//! The end of a device.
//!
//! Order: refuse new work; wait for submissions (each stream's submission lock is taken once) and flushes (the gate's count); drain the streams; take the
//! caches and inboxes; collect limbo; dissolve the pools; give segments, events and staging back.
//!
//! **Life** Live -> Draining -> Closed.
//!
//! **Invariants**
//! * `no-release-under-work`: a segment is released only when its stream has completed everything.
//! * `bytes-accounted`: reserved = released + held by live buffers + freed too late + stranded, and the report says all four.
//!
//! **Checked by** loom `gate`, specs/shutdown_and_flush and its SPIN twin, the probe `1,000 thread exits against shutdowns`.

use std::time::{Duration, Instant};

use millstream_sync::Arc;
use millstream_sync::gate::State;
use millstream_sync::lock::levels::Nothing;
use millstream_sync::lock::{Held, try_enter};
use millstream_sync::schedule::{self, Point};

use crate::device::Shared;
use crate::evidence::DropErrors;
use crate::memory::ThreadCache;
use crate::profile::Why;

/// Looks at the figures before bytes are called stranded.
const LOOKS_MAX: u32 = 64;

/// What a shutdown did and what it left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// How long it took.
    pub waited: Duration,
    /// Everything was done before the deadline.
    pub complete: bool,
    /// Flushes still in progress at the deadline.
    pub flushes_in_progress: u32,
    /// Streams drained.
    pub streams_drained: usize,
    /// Streams still working at the deadline, or failed; their memory stays.
    pub streams_left: usize,
    /// Streams still claimed: their threads have not come by yet.
    pub leases_left: usize,
    /// Blocks that were still in limbo.
    pub limbo_blocks_left: usize,
    /// Bytes given back to the device.
    pub released_bytes: usize,
    /// Bytes of buffers that are still alive; their segments stay until they drop.
    pub live_bytes: usize,
    /// Bytes freed by threads that were still at work, after the shutdown had taken what was free; they go when the record ends.
    pub late_bytes: usize,
    /// Bytes taken from the device and not given back.
    pub reserved_bytes_left: usize,
    /// Bytes that nobody can reach any more until the record ends: neither free nor live. Zero unless something went wrong.
    pub stranded_bytes: usize,
    /// Errors of drops and give-backs so far, those of the shutdown itself among them: what nobody was there to receive.
    pub drop_errors: DropErrors,
}

impl Shared {
    pub(crate) fn shutdown(self: &Arc<Self>, deadline: Instant) -> ShutdownReport {
        if self.check_process().is_err() {
            return ShutdownReport::default();
        }
        let start = Instant::now();
        self.gate.advance(State::Draining);
        loop {
            let known = try_enter(|held| held.lock(&self.state).shutdown.clone());
            match known {
                Some(Some(report)) => return report,
                None => return ShutdownReport { waited: start.elapsed(), ..ShutdownReport::default() },
                Some(None) => {}
            }
            if let Some(_closing) = self.closing.try_take() {
                // Who closed may have ended since the look above: one report for all callers.
                let known = try_enter(|held| held.lock(&self.state).shutdown.clone());
                if let Some(Some(report)) = known {
                    return report;
                }
                // This thread's own caches come home first.
                crate::thread_state::leave_device(self);
                let mut report = try_enter(|held| self.close(held, Some(deadline))).unwrap_or_default();
                self.settle_imports();
                report.waited = start.elapsed();
                let _ = try_enter(|held| held.lock(&self.state).shutdown = Some(report.clone()));
                return report;
            }
            if Instant::now() >= deadline {
                return ShutdownReport { waited: start.elapsed(), ..ShutdownReport::default() };
            }
            if !schedule::blocked(Point::Wait) {
                millstream_sync::thread::yield_now();
            }
        }
    }

    /// Closes a draining device that nobody holds a stream of. Never waits: what is not done is left to the record's end. For drops.
    pub(crate) fn finish_if_last(&self) {
        if self.gate.state() != State::Draining || self.leases() > 0 {
            return;
        }
        let Some(_closing) = self.closing.try_take() else { return };
        let _ = try_enter(|held| {
            if held.lock(&self.state).shutdown.is_none() {
                let report = self.close(held, None);
                held.lock(&self.state).shutdown = Some(report);
            }
        });
    }

    /// The work of a shutdown; with a deadline it may wait, without one it never does.
    fn close(&self, held: &mut Held<'_, Nothing>, deadline: Option<Instant>) -> ShutdownReport {
        let mut report = ShutdownReport::default();
        // A waiter that slept through the change of state wakes here: a pool lock inside the device's.
        {
            let mut state = held.lock(&self.state);
            let (_, held) = state.split();
            self.streams.permits().wake_all(held);
        }
        // Submissions: who holds a submission lock saw the device live; after this nobody does.
        for slot in self.streams.created() {
            drop(held.lock(&self.streams.slot(slot).submit));
        }
        let mut drained = Vec::new();
        for slot in self.streams.created() {
            let stream = self.streams.slot(slot);
            if deadline.is_some() {
                // A timeout or a fault leaves the stream out of `drained`, which the report says.
                let _ = self.await_seq(held, slot, stream.published(), deadline, Why::here("shutdown").of_many());
            }
            if self.poll(held, slot) >= stream.published() {
                drained.push(slot);
            } else {
                report.streams_left += 1;
            }
        }
        report.streams_drained = drained.len();
        report.flushes_in_progress = match deadline {
            Some(_) => self.gate.close(deadline),
            None => self.gate.close(Some(Instant::now())),
        };
        self.take_caches(held);
        self.gather(held, &drained);
        for &slot in &drained {
            report.limbo_blocks_left += held.lock(&self.streams.slot(slot).limbo).len();
        }
        if report.flushes_in_progress == 0 {
            for &slot in &drained {
                self.dissolve(held, slot);
            }
        }
        self.events.release(held, &*self.backend, &self.evidence);
        // Under work that the deadline did not wait for, a device whose give-backs wait keeps its memory until the record's end.
        if report.streams_left == 0 || !self.backend.info().release_waits {
            report.released_bytes = self.release_empty(held);
            self.release_staging(usize::MAX);
        }
        report.leases_left = self.leases();
        // A thread that was refused may have a block in its hands just now, between two places: a block that is stranded is so at every look.
        for _ in 0..LOOKS_MAX {
            self.account(held, &mut report);
            if report.stranded_bytes == 0 {
                break;
            }
            if !schedule::blocked(Point::Wait) {
                millstream_sync::thread::yield_now();
            }
        }
        report.drop_errors = self.evidence.drop_errors();
        report.complete = report.streams_left == 0 && report.flushes_in_progress == 0;
        report
    }

    /// Where the bytes are that were taken from the device and not given back.
    fn account(&self, held: &mut Held<'_, Nothing>, report: &mut ShutdownReport) {
        let stats = self.memory_stats(held);
        report.live_bytes = stats.live_bytes;
        report.late_bytes = stats.inbox_bytes;
        report.reserved_bytes_left = stats.reserved_bytes;
        let found = stats.pooled_bytes + stats.cached_bytes + stats.empty_segment_bytes;
        let reachable = stats.live_bytes + stats.inbox_bytes + found;
        let slots: Vec<u16> = self.streams.created().collect();
        let limbo: usize = slots.into_iter().map(|slot| self.limbo_bytes(held, slot)).sum();
        report.stranded_bytes = stats.reserved_bytes.saturating_sub(reachable + limbo);
    }

    /// Takes the caches of all threads; those in use come by themselves, and find the gate closed.
    fn take_caches(&self, held: &mut Held<'_, Nothing>) {
        let caches: Vec<Arc<ThreadCache>> = held.lock(&self.state).caches.clone();
        for cache in caches {
            let slab = &self.memory.slab;
            let mut numbers = Vec::new();
            while let Some(number) = cache.take_any(|number| slab.block(number).bytes()) {
                numbers.push(number);
            }
            self.settle(held, &numbers);
        }
    }

    /// The record's end: nobody can reach the device any more. Gives back what the shutdown left, if the device has completed its work; memory under
    /// running work is left to the backend's own end.
    pub(crate) fn release_rest(&mut self) {
        let busy = self.streams.created().any(|slot| {
            let stream = self.streams.slot(slot);
            stream.completed(&*self.backend) < stream.published()
        });
        if busy {
            return;
        }
        let _ = try_enter(|held| {
            let slots: Vec<u16> = self.streams.created().collect();
            for &slot in &slots {
                held.lock(&self.streams.slot(slot).pool).reopen();
            }
            self.take_caches(held);
            self.gather(held, &slots);
            for &slot in &slots {
                self.dissolve(held, slot);
            }
            self.release_empty(held);
            self.events.release(held, &*self.backend, &self.evidence);
            self.release_staging(usize::MAX);
            for &slot in &slots {
                if let Some(raw) = self.streams.slot(slot).raw() {
                    self.evidence.keep("ending a stream", self.backend.destroy_stream(raw));
                }
            }
        });
    }
}
