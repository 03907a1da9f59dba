//! Memory of a device: a stream-ordered caching allocator.
//!
//! A freed block may be reused by the same stream at once, because the new work comes after the old in stream order; by any other stream only after
//! all of its users have completed. The ways of a block: thread cache, inbox, block pool, limbo, segment heap.
//!
//! **Locks** `BlockPool > SegmentHeap`; `Limbo` alone.

mod allocator;
mod block_pool;
mod buffer;
mod climb;
pub mod dlpack;
mod growth;
mod history;
mod import;
mod ladder;
mod limbo;
mod memory_viz;
mod reclaim;
mod segment;
mod size_class;
mod slab;
mod snapshot;
mod staging;
mod stats;
mod thread_cache;
mod trim;

use millstream_sync::Moves;
use millstream_sync::atomic::AtomicU64;
use millstream_sync::lock::Lock;
use millstream_sync::lock::Signal;
use millstream_sync::lock::levels::SegmentHeap;
use millstream_sync::moves::Carried;

pub use buffer::Buffer;
pub(crate) use buffer::Pin;
pub use history::{MemoryAction, MemoryEvent};
pub use ladder::{Ladder, Rung};
pub use reclaim::Reclaimer;
pub use snapshot::{BlockSnapshot, BlockState, MemorySnapshot, SegmentSnapshot, StagingSnapshot};
pub use stats::MemoryStats;
use stats::Peaks;

pub(crate) use block_pool::Pool;
use history::History;
pub(crate) use import::{Imports, read_file};
use ladder::Served;
pub(crate) use limbo::Limbo;
use reclaim::Reclaimers;
pub(crate) use segment::Heap;
pub(crate) use slab::{Block, Slab};
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
    reclaimers: Reclaimers,
    pub(crate) history: History,
    served: Served,
    peaks: Peaks,
    moving: Moving,
}

/// What slow paths write while blocks go from place to place: on lines of its own, since hits read the fields beside it.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Moving {
    /// Blocks that go from one place to another.
    moves: Moves,
    /// How many blocks came to limbo so far: who came first has waited for longest.
    limbo_tickets: AtomicU64,
}

impl Memory {
    pub(crate) fn new(budget: usize, cache_bytes_max: usize, staging_bytes_max: usize) -> Self {
        Self {
            slab: Slab::new(),
            heap: Lock::new(Heap::new(budget)),
            grown: Signal::new(),
            staging: StagingPool::new(staging_bytes_max),
            imports: Imports::new(),
            cache_bytes_max,
            reclaimers: Reclaimers::new(),
            history: History::default(),
            served: Served::default(),
            peaks: Peaks::default(),
            moving: Moving::default(),
        }
    }

    /// A freed block can be used again by its stream: the history hears of it once.
    #[inline]
    fn note_usable(&self, block: &slab::Block) {
        if self.history.is_on() && block.set_freeing(false) {
            self.history.note_block(MemoryAction::FreeCompleted, block);
        }
    }

    /// Before blocks are taken out of a place.
    fn carry(&self) -> Carried<'_> {
        self.moving.moves.carry()
    }

    /// A block went from one place to another, or could not be looked at: a search that began before may have overlooked it.
    fn note_move(&self) {
        self.moving.moves.note();
    }

    /// How often blocks have gone from one place to another.
    fn moves(&self) -> u64 {
        self.moving.moves.so_far()
    }

    /// Whether a search that began at `moves` and found nothing may have overlooked a block. Not called while this thread carries one.
    fn may_have_overlooked(&self, moves: u64) -> bool {
        self.moving.moves.may_have_overlooked(moves)
    }
}
