//! Memory of a device: a stream-ordered caching allocator.
//!
//! A freed block may be reused by the same stream at once, because the new work comes after the old in stream order; by any other stream only after
//! all of its users have completed. The ways of a block: thread cache, inbox, block pool, limbo, segment heap.
//!
//! **Locks** `BlockPool > SegmentHeap`; `Limbo` alone.

mod allocator;
mod block_pool;
mod buffer;
mod import;
mod ladder;
mod limbo;
mod segment;
mod size_class;
mod slab;
mod staging;
mod stats;
mod thread_cache;
mod trim;

use millstream_sync::lock::Lock;
use millstream_sync::lock::Signal;
use millstream_sync::lock::levels::SegmentHeap;

pub use buffer::Buffer;
pub(crate) use buffer::Pin;
pub use ladder::{Ladder, Rung};
pub use stats::MemoryStats;

pub(crate) use block_pool::Pool;
pub(crate) use import::Imports;
pub(crate) use limbo::Limbo;
pub(crate) use segment::Heap;
pub(crate) use slab::Slab;
pub(crate) use staging::StagingPool;
pub(crate) use thread_cache::{CacheCounts, ThreadCache};
pub(crate) use trim::FLUSH_AT;

/// What a device knows of its memory, the parts that belong to no stream.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) slab: Slab,
    pub(crate) heap: Lock<SegmentHeap, Heap>,
    /// Rings when a growth has ended.
    pub(crate) grown: Signal,
    pub(crate) staging: StagingPool,
    pub(crate) imports: Imports,
    pub(crate) cache_bytes_max: usize,
}

impl Memory {
    pub(crate) fn new(budget: usize, cache_bytes_max: usize) -> Self {
        Self {
            slab: Slab::new(),
            heap: Lock::new(Heap::new(budget)),
            grown: Signal::new(),
            staging: StagingPool::new(),
            imports: Imports::new(),
            cache_bytes_max,
        }
    }
}
