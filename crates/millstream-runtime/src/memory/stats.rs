//! Figures of a device's memory.

use millstream_sync::atomic::{AtomicUsize, Ordering};
use millstream_sync::lock::Held;
use millstream_sync::lock::levels::Nothing;

use super::CacheCounts;
use super::ladder::Rung;
use crate::device::Shared;
use crate::profile::MemorySample;

/// Memory of a device, in bytes unless said otherwise. The parts are read one after another while threads run: at rest they add up.
///
/// **Peaks** (`..._max`) count from the opening or from [`crate::Device::reset_peaks`]. Those of reserved, staging and imported memory are exact. Live and cached bytes change
/// without a shared word: they are looked at whenever an allocation leaves its thread's cache for the ladder and at each reading of these figures, so a peak between two looks, which took
/// only blocks that a thread had in its cache already, is not seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryStats {
    /// Most that may be taken from the device.
    pub budget_bytes: usize,
    /// Taken from the device.
    pub reserved_bytes: usize,
    /// Most that was taken.
    pub reserved_bytes_max: usize,
    /// In blocks of live buffers.
    pub live_bytes: usize,
    /// Most that was seen.
    pub live_bytes_max: usize,
    /// In thread caches.
    pub cached_bytes: usize,
    /// Most that was seen.
    pub cached_bytes_max: usize,
    /// Free in the streams' pools.
    pub pooled_bytes: usize,
    /// Freed on other threads and not yet taken home.
    pub inbox_bytes: usize,
    /// In segments at rest.
    pub empty_segment_bytes: usize,
    /// The largest block that the pools and the segments at rest could give in one piece.
    pub largest_free_bytes: usize,
    /// Freed but still in use elsewhere.
    pub limbo_blocks: usize,
    /// Host memory for transfers.
    pub staging_bytes: usize,
    /// Most that there was.
    pub staging_bytes_max: usize,
    /// Memory of others in live buffers; no part of the budget.
    pub imported_bytes: usize,
    /// Most that there was.
    pub imported_bytes_max: usize,
    /// Imports whose deleters have not run yet.
    pub imports: usize,
    /// Segments.
    pub segments: usize,
    /// Allocations served by a thread cache.
    pub cache_hits: u64,
    /// Allocations that climbed the ladder.
    pub cache_misses: u64,
    /// Launches that were given a workspace; its bytes are live until the launch is enqueued.
    pub workspaces: u64,
    /// The largest of them.
    pub workspace_bytes_max: usize,
    served: [u64; Rung::ALL.len()],
}

impl MemoryStats {
    /// Allocations that were served once `rung` had been climbed, the last of those that were.
    #[must_use]
    pub fn served(&self, rung: Rung) -> u64 {
        self.served[rung as usize]
    }

    /// How much of the free memory cannot be had in one piece: 0 (all of it can) to 1.
    #[must_use]
    pub fn fragmentation(&self) -> f64 {
        let free = self.pooled_bytes + self.empty_segment_bytes;
        if free == 0 { 0.0 } else { 1.0 - self.largest_free_bytes as f64 / free as f64 }
    }
}

/// Peaks of what has no lock of its own.
#[derive(Debug, Default)]
pub(super) struct Peaks {
    live: AtomicUsize,
    cached: AtomicUsize,
}

impl Shared {
    pub(crate) fn memory_stats(&self, held: &mut Held<'_, Nothing>) -> MemoryStats {
        let mut stats = MemoryStats { budget_bytes: self.options.budget_bytes, ..MemoryStats::default() };
        let counts = self.read_caches(held, &mut stats);
        (stats.cache_hits, stats.cache_misses) = (counts.hits, counts.misses);
        (stats.workspaces, stats.workspace_bytes_max) = (counts.workspaces, counts.workspace_bytes_max as usize);
        for slot in self.streams.created() {
            let stream = self.streams.slot(slot);
            stats.inbox_bytes += stream.inbox_bytes();
            stats.limbo_blocks += held.lock(&stream.limbo).len();
            let mut locked = held.lock(&stream.pool);
            let (pool, inner) = locked.split();
            stats.pooled_bytes += pool.free_bytes();
            stats.largest_free_bytes = stats.largest_free_bytes.max(pool.largest_free());
            // Both at once, so that a segment on its way between them is counted once.
            let heap = inner.lock(&self.memory.heap);
            debug_assert!(pool.owned_bytes() <= heap.reserved());
        }
        {
            let heap = held.lock(&self.memory.heap);
            stats.reserved_bytes_max = heap.reserved_max();
            stats.empty_segment_bytes = heap.empty_bytes();
            stats.largest_free_bytes = stats.largest_free_bytes.max(heap.largest_empty());
            stats.segments = heap.segments();
            stats.reserved_bytes = heap.reserved();
        }
        let (imports, staging) = (&self.memory.imports, &self.memory.staging);
        (stats.imported_bytes, stats.imported_bytes_max) = (imports.bytes(), imports.bytes_max());
        stats.imports = imports.count();
        (stats.staging_bytes, stats.staging_bytes_max) = (staging.bytes(), staging.bytes_max());
        for rung in Rung::ALL {
            stats.served[rung as usize] = self.memory.served.of(rung);
        }
        stats.served[Rung::Cache as usize] = counts.hits;
        stats
    }

    /// The figures that a trace draws over time. `at_us` is left to the profiler.
    pub(crate) fn memory_sample(&self, held: &mut Held<'_, Nothing>) -> MemorySample {
        let mut stats = MemoryStats::default();
        self.read_caches(held, &mut stats);
        let slots: Vec<u16> = self.streams.created().collect();
        let limbo_bytes = slots.into_iter().map(|slot| self.limbo_bytes(held, slot)).sum();
        let reserved_bytes = held.lock(&self.memory.heap).reserved();
        let MemoryStats { live_bytes, cached_bytes, .. } = stats;
        MemorySample { at_us: 0.0, live_bytes, cached_bytes, limbo_bytes, reserved_bytes }
    }

    /// Looks at what is live and cached just now, for the peaks.
    pub(super) fn note_peaks(&self, held: &mut Held<'_, Nothing>) {
        self.read_caches(held, &mut MemoryStats::default());
    }

    /// The figures that the threads' caches keep.
    fn read_caches(&self, held: &mut Held<'_, Nothing>, stats: &mut MemoryStats) -> CacheCounts {
        let mut counts: CacheCounts;
        {
            let state = held.lock(&self.state);
            counts = state.retired;
            for cache in &state.caches {
                counts.add(cache.counts());
                stats.cached_bytes += cache.bytes();
            }
        }
        let elsewhere: u64 = self.streams.created().map(|slot| self.streams.slot(slot).freed_elsewhere()).sum();
        stats.live_bytes = counts.allocated.saturating_sub(counts.freed + elsewhere) as usize;
        let most = |peak: &AtomicUsize, now: usize| peak.fetch_max(now, Ordering::Relaxed).max(now);
        stats.live_bytes_max = most(&self.memory.peaks.live, stats.live_bytes);
        stats.cached_bytes_max = most(&self.memory.peaks.cached, stats.cached_bytes);
        counts
    }

    /// Peaks count from here on.
    pub(crate) fn reset_peaks(&self, held: &mut Held<'_, Nothing>) {
        self.memory.peaks.live.store(0, Ordering::Relaxed);
        self.memory.peaks.cached.store(0, Ordering::Relaxed);
        self.note_peaks(held);
        held.lock(&self.memory.heap).reset_peak();
        self.memory.imports.reset_peak();
        self.memory.staging.reset_peak();
    }
}
