//! The segment heap of a device: segments at rest, the byte budget, and whose turn it is to grow.
//!
//! **Locks** `SegmentHeap` guards it; it is taken alone or inside `BlockPool`.

use millstream_hal::RawSegment;

/// Segments for blocks up to this size are shared by many blocks.
const SMALL_BLOCK_MAX: usize = 1 << 20;
const SMALL_SEGMENT: usize = 2 << 20;
const LARGE_SEGMENT: usize = 32 << 20;

/// Size of the segment to grow by for a block of `bytes`.
pub(super) fn segment_bytes(bytes: usize) -> usize {
    if bytes <= SMALL_BLOCK_MAX {
        SMALL_SEGMENT
    } else if bytes < LARGE_SEGMENT / 4 {
        LARGE_SEGMENT
    } else {
        bytes.next_multiple_of(SMALL_SEGMENT)
    }
}

/// What the heap holds.
#[derive(Debug)]
pub(crate) struct Heap {
    /// Empty segments that no pool owns.
    empty: Vec<RawSegment>,
    /// Bytes taken from the device: in pools, at rest, or being taken just now.
    reserved: usize,
    reserved_max: usize,
    /// Segments in pools.
    adopted: usize,
    budget: usize,
    pub(super) growing: bool,
}

impl Heap {
    pub(super) fn new(budget: usize) -> Self {
        Self { empty: Vec::new(), reserved: 0, reserved_max: 0, adopted: 0, budget, growing: false }
    }

    /// An empty segment of at least `bytes` that is not wastefully large.
    pub(super) fn take_empty(&mut self, bytes: usize) -> Option<RawSegment> {
        let limit = segment_bytes(bytes).max(bytes.saturating_mul(2));
        let at = (0..self.empty.len())
            .filter(|i| (bytes..=limit).contains(&self.empty[*i].bytes))
            .min_by_key(|i| self.empty[*i].bytes)?;
        self.adopted += 1;
        Some(self.empty.swap_remove(at))
    }

    /// Counts `bytes` against the budget before the device is asked.
    pub(super) fn reserve(&mut self, bytes: usize) -> bool {
        if self.reserved.checked_add(bytes).is_none_or(|sum| sum > self.budget) {
            return false;
        }
        self.reserved += bytes;
        self.reserved_max = self.reserved_max.max(self.reserved);
        true
    }

    /// The device gave no segment, or took one back.
    pub(super) fn unreserve(&mut self, bytes: usize) {
        self.reserved -= bytes;
    }

    /// A pool took a segment that was just reserved.
    pub(super) fn adopt(&mut self) {
        self.adopted += 1;
    }

    /// A pool gives an empty segment back.
    pub(super) fn put_empty(&mut self, segment: RawSegment) {
        self.adopted -= 1;
        self.empty.push(segment);
    }

    /// Takes all segments at rest, to be released to the device with nothing held.
    pub(super) fn take_all_empty(&mut self) -> Vec<RawSegment> {
        std::mem::take(&mut self.empty)
    }

    pub(super) fn budget_left(&self) -> usize {
        self.budget.saturating_sub(self.reserved)
    }

    pub(super) fn reserved(&self) -> usize {
        self.reserved
    }

    pub(super) fn reserved_max(&self) -> usize {
        self.reserved_max
    }

    pub(super) fn reset_peak(&mut self) {
        self.reserved_max = self.reserved;
    }

    pub(super) fn largest_empty(&self) -> usize {
        self.empty.iter().map(|s| s.bytes).max().unwrap_or(0)
    }

    pub(super) fn empty_segments(&self) -> &[RawSegment] {
        &self.empty
    }

    pub(super) fn empty_bytes(&self) -> usize {
        self.empty.iter().map(|s| s.bytes).sum()
    }

    pub(super) fn segments(&self) -> usize {
        self.adopted + self.empty.len()
    }
}
