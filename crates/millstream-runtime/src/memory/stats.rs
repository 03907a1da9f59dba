//! Figures of a device's memory.

use millstream_sync::lock::Held;
use millstream_sync::lock::levels::Nothing;

use super::CacheCounts;
use crate::device::Shared;

/// Memory of a device, in bytes unless said otherwise. The parts are read one after another while threads run: at rest they add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryStats {
    /// Most that may be taken from the device.
    pub budget_bytes: usize,
    /// Taken from the device.
    pub reserved_bytes: usize,
    /// Most that was ever taken.
    pub reserved_bytes_max: usize,
    /// In blocks of live buffers.
    pub live_bytes: usize,
    /// In thread caches.
    pub cached_bytes: usize,
    /// Free in the streams' pools.
    pub pooled_bytes: usize,
    /// In segments at rest.
    pub empty_segment_bytes: usize,
    /// Freed but still in use elsewhere.
    pub limbo_blocks: usize,
    /// Memory of others in live buffers; no part of the budget.
    pub imported_bytes: usize,
    /// Most that ever was.
    pub imported_bytes_max: usize,
    /// Imports whose deleters have not run yet.
    pub imports: usize,
    /// Segments.
    pub segments: usize,
    /// Allocations served by a thread cache.
    pub cache_hits: u64,
    /// Allocations that climbed the ladder.
    pub cache_misses: u64,
}

impl Shared {
    pub(crate) fn memory_stats(&self, held: &mut Held<'_, Nothing>) -> MemoryStats {
        let mut stats = MemoryStats { budget_bytes: self.options.budget_bytes, ..MemoryStats::default() };
        let mut counts: CacheCounts;
        {
            let state = held.lock(&self.state);
            counts = state.retired;
            for cache in &state.caches {
                counts.add(cache.counts());
                stats.cached_bytes += cache.bytes();
            }
        }
        let imports = &self.memory.imports;
        (stats.imported_bytes, stats.imported_bytes_max) = (imports.bytes(), imports.bytes_max());
        stats.imports = imports.count();
        let mut freed = counts.freed;
        for slot in self.streams.created() {
            let stream = self.streams.slot(slot);
            freed += stream.freed_elsewhere();
            stats.limbo_blocks += held.lock(&stream.limbo).len();
            let mut locked = held.lock(&stream.pool);
            let (pool, inner) = locked.split();
            stats.pooled_bytes += pool.free_bytes();
            // Both at once, so that a segment on its way between them is counted once.
            let heap = inner.lock(&self.memory.heap);
            stats.segments = heap.segments();
            stats.reserved_bytes = heap.reserved();
            debug_assert!(pool.owned_bytes() <= heap.reserved());
        }
        let heap = held.lock(&self.memory.heap);
        stats.reserved_bytes_max = heap.reserved_max();
        stats.empty_segment_bytes = heap.empty_bytes();
        stats.segments = heap.segments();
        stats.reserved_bytes = heap.reserved();
        stats.live_bytes = counts.allocated.saturating_sub(freed) as usize;
        (stats.cache_hits, stats.cache_misses) = (counts.hits, counts.misses);
        stats
    }
}
