//! Giving memory back: a thread's cache to its stream's pool, idle owners' caches, empty segments to the device.
//!
//! **Locks** `BlockPool > SegmentHeap`; the device gets segments back with nothing held.

use millstream_sync::Arc;
use millstream_sync::gate::State;
use millstream_sync::lock::levels::Nothing;
use millstream_sync::lock::record::{self, Boundary};
use millstream_sync::lock::{Held, try_enter};
use millstream_sync::seeded::{self, Bug};

use super::ThreadCache;
use super::history::MemoryAction;
use crate::device::Shared;
use crate::evidence::{PausePoint, Step};

/// Where the flush stands, for reports.
pub(crate) const FLUSH_AT: (&str, u32) = (file!(), line!() + 7);

impl Shared {
    /// `BlockCache::flush`: empties a thread's cache into its stream's pool.
    ///
    /// Alive check, `flushes_in_progress` up, second alive check, the work, down again by a guard, on unwind too. A flush that finds the
    /// device closed does nothing: the shutdown has taken the cache or will. Never panics by itself; the probe's injected panic passes through.
    pub(crate) fn flush(&self, cache: &ThreadCache) {
        let Some(_pass) = self.gate.pass_with(|| self.evidence.pause(PausePoint::FlushBetweenChecks)) else {
            self.evidence.hit(Step::FlushRefused);
            return;
        };
        self.evidence.hit(Step::Flush);
        let _carried = self.memory.carry();
        let slab = &self.memory.slab;
        let entered = try_enter(|held| {
            let mut numbers = Vec::new();
            while let Some(number) = cache.take_any(|number| slab.block(number).bytes()) {
                numbers.push(number);
                if self.evidence.take_panic_in_flush() {
                    // What was taken out goes through the inbox, where anyone finds it.
                    let block = slab.block(number);
                    self.streams.slot(cache.slot()).hand_back(number, block);
                    panic!("injected by a probe: a flush that panics half-way");
                }
                if numbers.len() == 32 {
                    self.settle(held, &numbers);
                    numbers.clear();
                }
            }
            self.settle(held, &numbers);
            self.memory.note_move();
            self.drain_inbox(held, cache.slot(), true);
        });
        if entered.is_none() {
            self.evidence.hit(Step::DropDeferred);
            let stream = self.streams.slot(cache.slot());
            while let Some(number) = cache.take_any(|number| slab.block(number).bytes()) {
                stream.hand_back(number, slab.block(number));
            }
        }
    }

    /// Revokes the lease of a cache and empties it into its stream's pool, as a flush would. `false`: its thread is inside a call or keeps it. Nothing is held.
    pub(crate) fn revoke_cache(&self, held: &mut Held<'_, Nothing>, cache: &ThreadCache) -> bool {
        let Some(_pass) = self.gate.pass() else { return false };
        let _carried = self.memory.carry();
        let mut numbers = Vec::new();
        if !cache.revoke(&mut numbers) {
            if cache.left_behind() {
                self.take_cache(held, cache);
            }
            return false;
        }
        self.settle(held, &numbers);
        self.memory.note_move();
        self.drain_inbox(held, cache.slot(), true);
        true
    }

    /// Takes the caches of all threads that are not in the middle of an operation, empties every inbox, and releases empty segments to the
    /// device. Returns the bytes released. Nothing is held.
    pub(crate) fn trim(&self, held: &mut Held<'_, Nothing>) -> usize {
        if self.gate.state() == State::Closed {
            return 0;
        }
        self.take_idle_caches(held, None);
        let slots: Vec<u16> = self.streams.created().collect();
        for slot in slots {
            self.give_up_segments(held, slot);
        }
        self.release_empty(held)
    }

    /// Takes the caches of all threads but `own` that are not in the middle of an operation, and empties every inbox and limbo. Returns the bytes of the caches. Nothing is held.
    pub(super) fn take_idle_caches(&self, held: &mut Held<'_, Nothing>, own: Option<&ThreadCache>) -> usize {
        let caches: Vec<Arc<ThreadCache>> = held.lock(&self.state).caches.clone();
        let mut bytes = 0;
        for cache in caches.iter().filter(|cache| own.is_none_or(|own| !std::ptr::eq(own, Arc::as_ptr(cache)))) {
            let taken = self.take_cache(held, cache);
            if taken > 0 {
                self.evidence.hit(Step::IdleCacheReclaim);
            }
            bytes += taken;
        }
        let slots: Vec<u16> = self.streams.created().collect();
        self.gather(held, &slots);
        bytes
    }

    /// Brings freed blocks of all `slots` home: every inbox first, since an inbox may hold a block of another stream's pool, then every limbo.
    pub(crate) fn gather(&self, held: &mut Held<'_, Nothing>, slots: &[u16]) {
        for &slot in slots {
            self.drain_inbox(held, slot, false);
        }
        for &slot in slots {
            self.collect_limbo(held, slot);
        }
    }

    /// Moves the wholly free segments of a pool to the heap, if its stream has completed its work on them.
    pub(super) fn give_up_segments(&self, held: &mut Held<'_, Nothing>, slot: u16) {
        let stream = self.streams.slot(slot);
        #[cfg(feature = "seeded-bugs")]
        if seeded::is(Bug::LockOrder) {
            let mut heap = held.lock(&self.memory.heap);
            let (_, held) = heap.split();
            let _pool = held.lock_against_the_table(&stream.pool);
        }
        debug_assert!(!seeded::is(Bug::LockOrder) || seeded::compiled_in());
        let mut locked = held.lock(&stream.pool);
        let (pool, inner) = locked.split();
        if stream.completed(&*self.backend) < stream.published() {
            return;
        }
        for segment in pool.give_up_empty(0) {
            inner.lock(&self.memory.heap).put_empty(segment);
            self.memory.note_move();
        }
    }

    /// Releases the segments at rest to the device. Returns the bytes. Nothing is held during the calls.
    pub(crate) fn release_empty(&self, held: &mut Held<'_, Nothing>) -> usize {
        let _carried = self.memory.carry();
        let segments = held.lock(&self.memory.heap).take_all_empty();
        let mut bytes = 0;
        for segment in &segments {
            record::boundary(Boundary::DriverCall);
            self.evidence.keep("giving a segment back", self.backend.release_segment(*segment));
            self.evidence.hit(Step::SegmentReleased);
            if self.memory.history.is_on() {
                self.memory.history.note(MemoryAction::SegmentFree, segment.base, segment.bytes, 0);
            }
            bytes += segment.bytes;
        }
        if bytes > 0 {
            held.lock(&self.memory.heap).unreserve(bytes);
            self.memory.note_move();
        }
        bytes
    }

    /// Dissolves a pool at shutdown: its wholly free segments go to the heap, and nothing may be put into it any more without being counted.
    pub(crate) fn dissolve(&self, held: &mut Held<'_, Nothing>, slot: u16) {
        let stream = self.streams.slot(slot);
        let mut locked = held.lock(&stream.pool);
        let (pool, inner) = locked.split();
        pool.close();
        for segment in pool.give_up_empty(0) {
            inner.lock(&self.memory.heap).put_empty(segment);
        }
    }
}
