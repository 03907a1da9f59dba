//! From a request to a block: the thread's cache, then what other threads sent back, then the ladder.
//!
//! **Locks** none here; see `climb`. Reclaimers are called with nothing held.

use millstream_hal::DevicePtr;
use millstream_sync::Arc;
use millstream_sync::lock::levels::Nothing;
use millstream_sync::lock::{Held, try_enter};
use millstream_sync::seeded::{self, Bug};

use super::climb::Climb;
use super::history::MemoryAction;
use super::ladder::{Ladder, Rung};
use super::size_class::{block_bytes, class_of, class_of_block};
use super::{Buffer, ThreadCache};
use crate::device::Shared;
use crate::error::{Error, Result};
use crate::evidence::Step;
use crate::stamp::Stamp;
use crate::thread_state::Here;

impl Shared {
    /// Allocates `bytes` for the thread's current stream. Blocks the host only on the last rungs of the ladder.
    /// Errors: [`Error::OutOfMemory`], [`Error::Fault`].
    #[inline(always)]
    pub(crate) fn allocate(self: &Arc<Self>, here: &Here, bytes: usize) -> Result<Buffer> {
        self.allocate_after(here, bytes, || Stamp { device: self.id, stream: 0, generation: 0, seq: 0 })
    }

    /// The same, for memory that may be used after what `stamp` says when the block was found: finding it may have enqueued a wait. Inlined, and the handle is made in its place: a hit costs little more than what it must write.
    #[inline(always)]
    pub(crate) fn allocate_after(
        self: &Arc<Self>,
        here: &Here,
        bytes: usize,
        stamp: impl FnOnce() -> Stamp,
    ) -> Result<Buffer> {
        let number = match self.cached(here, bytes) {
            Some(number) => number,
            None => self.allocate_slowly(here, bytes)?,
        };
        Ok(self.first_handle(here, number, bytes, stamp()))
    }

    /// A block of the thread's cache.
    #[inline(always)]
    pub(crate) fn cached(&self, here: &Here, bytes: usize) -> Option<u32> {
        class_of(bytes).and_then(|(class, size)| here.cache.take(class, size))
    }

    /// The tail of a stream.
    #[inline(always)]
    pub(crate) fn tail(&self, index: u16) -> Stamp {
        let slot = self.streams.slot(index);
        Stamp { device: self.id, stream: index, generation: slot.generation(), seq: slot.published() }
    }

    /// The first handle to a block that was found.
    #[inline(always)]
    pub(crate) fn first_handle(&self, here: &Here, number: u32, bytes: usize, stamp: Stamp) -> Buffer {
        let block = self.memory.slab.block(number);
        block.allocate_for(here.slot);
        if self.memory.history.is_on() {
            self.memory.history.note_block(MemoryAction::Alloc, block);
        }
        Buffer::first(here.pin.clone(), block, number, bytes, stamp)
    }

    /// The cache has no such block: what others sent back, then the ladder, then the reclaimers and the ladder again.
    #[cold]
    #[inline(never)]
    fn allocate_slowly(self: &Arc<Self>, here: &Here, bytes: usize) -> Result<u32> {
        let Some(size) = block_bytes(bytes) else { return Err(self.refuse(bytes, Ladder::default())) };
        self.settle_imports();
        let mut climb = Climb::new(size);
        let mut reclaimers = None;
        loop {
            let found = {
                // Inside the gate, so that a shutdown does not dissolve the pools under the search.
                let _pass = self.gate.pass().ok_or(Error::Closed)?;
                if let Some(number) = self.refill(here, bytes) {
                    return Ok(number);
                }
                try_enter(|held| self.climb(held, here, &mut climb)).ok_or(Error::Reentered)??
            };
            if let Some(number) = found {
                here.cache.missed(self.memory.slab.block(number).bytes());
                let _ = try_enter(|held| self.note_peaks(held));
                return Ok(number);
            }
            // A device that failed or was closed meanwhile says so.
            self.check()?;
            if !self.reclaim(size, &mut reclaimers, &mut climb.ladder) {
                return Err(self.refuse(bytes, climb.ladder));
            }
            climb.at_least(Rung::Reclaim);
        }
    }

    pub(super) fn refuse(&self, requested: usize, ladder: Ladder) -> Error {
        self.evidence.hit(Step::OutOfMemory);
        if self.memory.history.is_on() {
            self.memory.history.note(MemoryAction::OutOfMemory, DevicePtr(0), requested, 0);
        }
        Error::OutOfMemory { requested, budget: self.options.budget_bytes, ladder: Box::new(ladder) }
    }

    /// Blocks of this stream that were freed on other threads and had no other user go straight into the cache: no lock, no pool.
    fn refill(&self, here: &Here, bytes: usize) -> Option<u32> {
        let stream = self.streams.slot(here.slot);
        if stream.inbox.is_empty() || (seeded::is(Bug::StrandedInbox) && stream.generation() > 1) {
            return None;
        }
        let slab = &self.memory.slab;
        let carried = self.memory.carry();
        let (mut others, mut taken) = (Vec::new(), 0);
        stream.inbox.take_all(
            |number| &slab.block(number).link,
            |number| {
                let block = slab.block(number);
                let size = block.bytes();
                taken += size;
                let sole = block.stream() == here.slot && block.uses.is_empty();
                let kept = sole && class_of_block(size).is_some_and(|class| here.cache.put(class, size, number));
                match kept {
                    true => self.memory.note_usable(block),
                    false => others.push(number),
                }
            },
        );
        stream.count_taken(taken);
        self.memory.note_move();
        if !others.is_empty() && try_enter(|held| self.settle(held, &others)).is_none() {
            others.iter().for_each(|number| stream.hand_back(*number, slab.block(*number)));
        }
        drop(carried);
        let (class, size) = class_of(bytes)?;
        let number = here.cache.take(class, size)?;
        self.memory.served.count(Rung::Inbox);
        Some(number)
    }

    /// Empties the inbox of `slot` into its pool or limbo. Returns the bytes. Nothing is held.
    pub(crate) fn drain_inbox(&self, held: &mut Held<'_, Nothing>, slot: u16, by_holder: bool) -> usize {
        let stream = self.streams.slot(slot);
        if stream.inbox.is_empty() || (seeded::is(Bug::StrandedInbox) && !(by_holder && stream.generation() <= 1)) {
            return 0;
        }
        let _carried = self.memory.carry();
        let (mut numbers, mut bytes) = (Vec::new(), 0);
        let slab = &self.memory.slab;
        stream.inbox.take_all(
            |number| &slab.block(number).link,
            |number| {
                bytes += slab.block(number).bytes();
                numbers.push(number);
            },
        );
        stream.count_taken(bytes);
        if !by_holder && !numbers.is_empty() {
            self.evidence.hit(Step::InboxTakenByOther);
        }
        self.settle(held, &numbers);
        if !numbers.is_empty() {
            self.memory.note_move();
        }
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
            self.memory.note_usable(block);
            whole |= pool.put(number).is_some();
        }
        // A held stream keeps what it frees; an idle one lets go of whole segments, once its own work on them is done.
        if whole && !self.streams.is_held(slot) && stream.completed(&*self.backend) >= stream.published() {
            for segment in pool.give_up_empty(0) {
                inner.lock(&self.memory.heap).put_empty(segment);
                self.memory.note_move();
            }
        }
    }

    /// Empties a cache into its stream's pool. Returns the bytes; none when its owner is using it just now. Nothing is held.
    pub(super) fn take_cache(&self, held: &mut Held<'_, Nothing>, cache: &ThreadCache) -> usize {
        let _carried = self.memory.carry();
        let mut numbers = Vec::new();
        let taken = cache.take_all(&mut numbers);
        while cache.left_behind() && cache.take_all(&mut numbers) {}
        self.settle(held, &numbers);
        if !taken || !numbers.is_empty() {
            self.memory.note_move();
        }
        numbers.iter().map(|number| self.memory.slab.block(*number).bytes()).sum()
    }
}
