//! A handle to a block: what a tensor holds.
//!
//! Counted in the block's own record, so that making one allocates nothing on the host. The last drop gives the block to the thread's cache when its
//! stream was the only user, else to the inbox of its stream; it takes no lock and never blocks.
//!
//! **Invariants**
//! * `published-once`: `last_write` is fixed when the buffer is made.
//! * `users-before-drop`: a use is noted while a handle exists, so the last drop sees all of them.

use millstream_hal::{Access, Operand};
use millstream_sync::Arc;
use millstream_sync::atomic::Ordering;

use super::history::MemoryAction;
use super::size_class::class_of_block;
use super::slab::Block;
use crate::device::Shared;
use crate::evidence::Step;
use crate::stamp::Stamp;
use crate::{fork, thread_state};

/// Keeps the device's record alive: one per thread and device, so that counting it up touches no shared line. On lines of its own, wherever the host's allocator puts it.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Pin {
    pub(crate) shared: Arc<Shared>,
}

/// A counted handle to device memory. `Clone + Send + Sync`; the memory comes back when the last handle drops, and is reused only after its last use.
#[derive(Debug)]
pub struct Buffer {
    pin: Arc<Pin>,
    number: u32,
    bytes: usize,
    last_write: Stamp,
}

impl Buffer {
    /// A first handle to `block`, the one of that number, which was just allocated and may be used after `last_write`.
    #[inline]
    pub(super) fn first(pin: Arc<Pin>, block: &Block, number: u32, bytes: usize, last_write: Stamp) -> Self {
        block.begin(bytes);
        Self { pin, number, bytes, last_write }
    }

    /// Fixes who defines the value. Called once, before the handle is given out.
    #[inline]
    pub(crate) fn publish(&mut self, stamp: Stamp) {
        self.last_write = stamp;
        self.block().set_written(stamp.seq);
    }

    /// Size in bytes, as asked for.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the memory is somebody else's ([`crate::Device::import`]): kernels must not write it.
    #[must_use]
    pub fn is_imported(&self) -> bool {
        self.block().is_imported()
    }

    /// Position of the work that defines the value.
    #[must_use]
    pub fn last_write(&self) -> Stamp {
        self.last_write
    }

    /// Its block's.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.pin.shared
    }

    pub(crate) fn block(&self) -> &Block {
        self.pin.shared.memory.slab.block(self.number)
    }

    pub(crate) fn operand(&self, access: Access) -> Operand {
        Operand { ptr: self.block().address(), bytes: self.bytes, access, staging: false }
    }

    /// Notes that `stream` uses the buffer at `seq`. The caller holds that stream's submission lock.
    #[inline]
    pub(crate) fn note_use(&self, stream: u16, seq: u64) {
        let block = self.block();
        if block.stream() != stream {
            block.uses.add(stream, seq);
        }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        // ORDER: Relaxed: this handle keeps the count above zero.
        self.block().handles.fetch_add(1, Ordering::Relaxed);
        Self { pin: self.pin.clone(), number: self.number, bytes: self.bytes, last_write: self.last_write }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let shared = &self.pin.shared;
        if fork::generation() != shared.fork_generation {
            return;
        }
        let block = shared.memory.slab.block(self.number);
        // ORDER: Release so that uses noted through this handle are visible to the last drop; pairs with the fence below. A lone handle needs no
        // read-modify-write: nobody else can count up.
        match block.handles.load(Ordering::Relaxed) {
            1 => block.handles.store(0, Ordering::Relaxed),
            _ if block.handles.fetch_sub(1, Ordering::Release) != 1 => return,
            _ => {}
        }
        // ORDER: Acquire so that the uses of all handles are visible; pairs with the Release above.
        block.handles.fence_acquire();
        free(shared, block, self.number);
    }
}

/// Gives a block without handles back. Takes no lock.
pub(super) fn free(shared: &Arc<Shared>, block: &Block, number: u32) {
    let (bytes, stream) = (block.bytes(), block.stream());
    if shared.memory.history.is_on() {
        shared.memory.history.note_block(MemoryAction::FreeRequested, block);
        block.set_freeing(true);
    }
    let sole = block.uses.is_empty();
    // A block is counted as freed after it is where it is found: figures read in between show it as live.
    let cached = thread_state::cache_if_current(shared, stream, |cache| {
        let kept = sole && class_of_block(bytes).is_some_and(|class| cache.put(class, bytes, number));
        match kept {
            true => shared.memory.note_usable(block),
            false => shared.streams.slot(stream).hand_back(number, block),
        }
        cache.count_freed(bytes);
    });
    if cached.is_some() {
        return;
    }
    if block.is_imported() {
        shared.drop_import(number);
        return;
    }
    let slot = shared.streams.slot(stream);
    shared.evidence.hit(Step::InboxHandBack);
    slot.hand_back(number, block);
    slot.count_freed(bytes);
}
