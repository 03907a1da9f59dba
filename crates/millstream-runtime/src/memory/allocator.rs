//! From a request to a block: the thread's cache, then the ladder.
//!
//! **Locks** `BlockPool > SegmentHeap`; the device is asked for segments with nothing held.
//!
//! **Invariants**
//! * `one-growth`: at most one thread asks the device for a segment; the others wait for it and search again.
//! * `within-budget`: the bytes taken from the device never exceed the budget.

use std::time::{Duration, Instant};

use millstream_sync::Arc;
use millstream_sync::lock::levels::Nothing;
use millstream_sync::lock::record::{self, Boundary};
use millstream_sync::lock::{Held, try_enter};
use millstream_sync::seeded::{self, Bug};

use super::ladder::{Ladder, Rung};
use super::segment::segment_bytes;
use super::size_class::{block_bytes, class_of};
use super::{Buffer, ThreadCache};
use crate::device::Shared;
use crate::error::{Error, Result};
use crate::evidence::Step;
use crate::thread_state::Here;

/// Longest wait of an allocation for the streams to give memory back.
const WAIT_MAX: Duration = Duration::from_secs(5);

enum Growth {
    Grown,
    OverBudget,
    Raced,
}

impl Shared {
    /// Allocates `bytes` for the thread's current stream. Blocks the host only on the last rungs of the ladder.
    /// Errors: [`Error::OutOfMemory`], [`Error::Fault`].
    pub(crate) fn allocate(self: &Arc<Self>, here: &Here, bytes: usize) -> Result<Buffer> {
        let class = class_of(bytes);
        if let Some((class, size)) = class
            && let Some(number) = here.cache.take(class, size)
        {
            self.memory.slab.block(number).allocate_for(here.slot);
            return Ok(Buffer::first(here.pin.clone(), number, bytes));
        }
        let size = match block_bytes(bytes) {
            Some(size) => size,
            None => return Err(self.refuse(bytes, Ladder::default())),
        };
        self.settle_imports();
        // Inside the gate, so that a shutdown does not dissolve the pools under the search.
        let _pass = self.gate.pass().ok_or(Error::Closed)?;
        let number =
            try_enter(|held| self.climb(held, here.slot, &here.cache, size, bytes)).ok_or(Error::Reentered)??;
        here.cache.missed(self.memory.slab.block(number).bytes());
        self.memory.slab.block(number).allocate_for(here.slot);
        Ok(Buffer::first(here.pin.clone(), number, bytes))
    }

    fn climb(
        &self,
        held: &mut Held<'_, Nothing>,
        slot: u16,
        own: &ThreadCache,
        size: usize,
        asked: usize,
    ) -> Result<u32> {
        let mut ladder = Ladder::default();
        let mut waited = false;
        loop {
            let drained = self.drain_inbox(held, slot, true);
            ladder.note(Rung::Inbox, drained);
            if let Some(number) = self.search(held, slot, size) {
                return Ok(number);
            }
            ladder.note(Rung::OwnPool, self.free_bytes(held, slot));
            if self.collect_limbo(held, slot) > 0
                && let Some(number) = self.search(held, slot, size)
            {
                return Ok(number);
            }
            ladder.note(Rung::Limbo, self.limbo_bytes(held, slot));
            if let Some(number) = self.steal(held, slot, size, true) {
                return Ok(number);
            }
            ladder.note(Rung::IdlePools, self.other_free_bytes(held, slot, true));
            match self.grow(held, slot, size)? {
                Growth::Grown | Growth::Raced => continue,
                Growth::OverBudget => {
                    let heap = held.lock(&self.memory.heap);
                    ladder.note(Rung::Grow, heap.budget - heap.reserved().min(heap.budget));
                }
            }
            if let Some(number) = self.steal(held, slot, size, false) {
                return Ok(number);
            }
            ladder.note(Rung::OtherPools, self.other_free_bytes(held, slot, false));
            let trimmed = self.trim(held, Some(own));
            ladder.note(Rung::Trim, trimmed);
            if trimmed > 0 {
                continue;
            }
            if waited || !self.wait_for_streams(held) {
                ladder.note(Rung::Wait, 0);
                return Err(self.refuse(asked, ladder));
            }
            waited = true;
        }
    }

    pub(super) fn refuse(&self, requested: usize, ladder: Ladder) -> Error {
        self.evidence.hit(Step::OutOfMemory);
        Error::OutOfMemory { requested, budget: self.options.budget_bytes, ladder: Box::new(ladder) }
    }

    /// Own free blocks, then a segment at rest.
    fn search(&self, held: &mut Held<'_, Nothing>, slot: u16, size: usize) -> Option<u32> {
        let stream = self.streams.slot(slot);
        let mut locked = held.lock(&stream.pool);
        let (pool, inner) = locked.split();
        if let Some(number) = pool.take(&self.memory.slab, size) {
            return Some(number);
        }
        let segment = inner.lock(&self.memory.heap).take_empty(size)?;
        if pool.adopt(&self.memory.slab, segment) {
            return pool.take(&self.memory.slab, size);
        }
        drop(locked);
        // No number for another block: the segment goes back to rest.
        held.lock(&self.memory.heap).put_empty(segment);
        None
    }

    fn free_bytes(&self, held: &mut Held<'_, Nothing>, slot: u16) -> usize {
        held.lock(&self.streams.slot(slot).pool).free_bytes()
    }

    fn other_free_bytes(&self, held: &mut Held<'_, Nothing>, slot: u16, idle_only: bool) -> usize {
        self.streams
            .created()
            .filter(|other| *other != slot && !(idle_only && self.streams.is_held(*other)))
            .map(|other| self.free_bytes(held, other))
            .sum()
    }

    /// Takes a free block of another stream that has completed all of its work. The block keeps its home.
    fn steal(&self, held: &mut Held<'_, Nothing>, slot: u16, size: usize, idle_only: bool) -> Option<u32> {
        for other in self.streams.created().filter(|other| *other != slot) {
            if idle_only && self.streams.is_held(other) {
                continue;
            }
            self.drain_inbox(held, other, false);
            self.collect_limbo(held, other);
            let stream = self.streams.slot(other);
            let mut pool = held.lock(&stream.pool);
            // Under the pool's lock no block comes in whose work is later than this tail.
            if stream.completed(&*self.backend) < stream.published() {
                continue;
            }
            if let Some(number) = pool.take(&self.memory.slab, size) {
                drop(pool);
                self.evidence.hit(Step::Steal);
                return Some(number);
            }
        }
        None
    }

    /// Takes a segment from the device, one thread at a time.
    fn grow(&self, held: &mut Held<'_, Nothing>, slot: u16, size: usize) -> Result<Growth> {
        let mut bytes = segment_bytes(size);
        {
            let mut heap = held.lock(&self.memory.heap);
            if heap.growing {
                self.evidence.hit(Step::RacedGrowth);
                while heap.growing {
                    heap = heap.wait(&self.memory.grown, None);
                }
                return Ok(Growth::Raced);
            }
            if !heap.reserve(bytes) {
                // A budget that has no room for a shared segment may have room for this block alone.
                bytes = size;
                if !heap.reserve(bytes) {
                    return Ok(Growth::OverBudget);
                }
            }
            heap.growing = true;
        }
        record::boundary(Boundary::DriverCall);
        let segment = self.backend.allocate_segment(bytes);
        // The device may round up: what it gave counts, and must fit too.
        let extra = segment.as_ref().map_or(0, |segment| segment.bytes - bytes);
        let fits = extra == 0 || held.lock(&self.memory.heap).reserve(extra);
        if extra > 0 && fits {
            bytes += extra;
        }
        let adopted = match &segment {
            Ok(segment) if fits => {
                let stream = self.streams.slot(slot);
                let mut locked = held.lock(&stream.pool);
                let (pool, inner) = locked.split();
                let adopted = pool.adopt(&self.memory.slab, *segment);
                if adopted {
                    inner.lock(&self.memory.heap).adopt();
                }
                adopted
            }
            Ok(_) | Err(_) => false,
        };
        if let (Ok(segment), false) = (&segment, adopted) {
            self.backend.release_segment(*segment);
        }
        let mut heap = held.lock(&self.memory.heap);
        heap.growing = false;
        if !adopted {
            heap.unreserve(bytes);
        }
        self.memory.grown.notify_all();
        drop(heap);
        match segment {
            Ok(_) if adopted => {
                self.evidence.hit(Step::Growth);
                Ok(Growth::Grown)
            }
            Ok(_) | Err(millstream_hal::Error::OutOfMemory { .. }) => Ok(Growth::OverBudget),
            Err(source) => Err(Error::backend("taking a segment from the device")(source)),
        }
    }

    /// Waits until the streams have done what they were given, up to a bound. `false`: there was nothing to wait for.
    fn wait_for_streams(&self, held: &mut Held<'_, Nothing>) -> bool {
        let deadline = Instant::now() + WAIT_MAX;
        let busy: Vec<u16> = self
            .streams
            .created()
            .filter(|slot| {
                let stream = self.streams.slot(*slot);
                stream.completed(&*self.backend) < stream.published() || held.lock(&stream.limbo).len() > 0
            })
            .collect();
        for slot in &busy {
            let tail = self.streams.slot(*slot).published();
            // A fault or a timeout leaves the memory where it is; the search that follows says so.
            let _ = self.await_seq(held, *slot, tail, Some(deadline), "allocation");
        }
        !busy.is_empty()
    }

    /// Empties the inbox of `slot` into its pool or limbo. Returns the bytes. Nothing is held.
    pub(crate) fn drain_inbox(&self, held: &mut Held<'_, Nothing>, slot: u16, by_holder: bool) -> usize {
        let stream = self.streams.slot(slot);
        if stream.inbox.is_empty() || (seeded::is(Bug::StrandedInbox) && !(by_holder && stream.generation() <= 1)) {
            return 0;
        }
        let (mut numbers, mut bytes) = (Vec::new(), 0);
        let slab = &self.memory.slab;
        stream.inbox.take_all(
            |number| &slab.block(number).link,
            |number| {
                bytes += slab.block(number).bytes();
                numbers.push(number);
            },
        );
        if !by_holder && !numbers.is_empty() {
            self.evidence.hit(Step::InboxTakenByOther);
        }
        self.settle(held, &numbers);
        bytes
    }

    /// Puts blocks that nobody uses any more into the pool of `slot`, and gives a segment that became wholly free back to the heap when the pool has
    /// plenty.
    pub(crate) fn put_in_pool(&self, held: &mut Held<'_, Nothing>, slot: u16, numbers: &[u32]) {
        if numbers.is_empty() {
            return;
        }
        let stream = self.streams.slot(slot);
        let mut locked = held.lock(&stream.pool);
        let (pool, inner) = locked.split();
        if pool.is_closed() {
            self.evidence.hit(Step::PutAfterClose);
        }
        let mut whole = false;
        for &number in numbers {
            let block = self.memory.slab.block(number);
            block.uses.clear();
            whole |= pool.put(number).is_some();
        }
        // A held stream keeps what it frees; an idle one lets go of whole segments, once its own work on them is done.
        if whole && !self.streams.is_held(slot) && stream.completed(&*self.backend) >= stream.published() {
            for segment in pool.give_up_empty(0) {
                inner.lock(&self.memory.heap).put_empty(segment);
            }
        }
    }
}
