//! Free blocks of one stream: best fit, split, coalesce.
//!
//! A pool owns the segments that it carves. All of its free blocks may be overwritten by new work of its stream at once: who puts a block
//! here has seen to its foreign users.
//!
//! **Invariants**
//! * `tiles`: the spans of a segment cover it without gap or overlap.
//! * `no-free-neighbours`: two free spans never touch.
//!
//! **Locks** `BlockPool` guards it.

use std::collections::{BTreeSet, HashMap};

use millstream_hal::RawSegment;

use super::size_class::BLOCK_MIN;
use super::slab::Slab;

const NONE: u32 = u32::MAX;

/// A span as a snapshot sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpanView {
    pub(super) segment: RawSegment,
    pub(super) offset: usize,
    pub(super) bytes: usize,
    pub(super) number: u32,
    pub(super) free: bool,
}

/// A piece of a segment.
#[derive(Clone, Copy, Debug)]
struct Span {
    segment: RawSegment,
    bytes: usize,
    offset: usize,
    before: u32,
    after: u32,
    free: bool,
}

/// The pool.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    home: u16,
    /// Free spans by size, then by number.
    free: BTreeSet<(usize, u32)>,
    spans: HashMap<u32, Span>,
    /// Numbers without a span.
    spare: Vec<u32>,
    free_bytes: usize,
    owned_bytes: usize,
    closed: bool,
}

impl Pool {
    pub(crate) fn new(home: u16) -> Self {
        Self { home, ..Self::default() }
    }

    pub(super) fn free_bytes(&self) -> usize {
        self.free_bytes
    }

    pub(super) fn largest_free(&self) -> usize {
        self.free.last().map_or(0, |(bytes, _)| *bytes)
    }

    /// All spans, in no order.
    pub(super) fn spans(&self) -> Vec<SpanView> {
        let view = |(number, span): (&u32, &Span)| {
            let Span { segment, offset, bytes, free, .. } = *span;
            SpanView { segment, offset, bytes, number: *number, free }
        };
        self.spans.iter().map(view).collect()
    }

    /// Whether the pool was dissolved by a shutdown.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Takes blocks again, for the end of the record: those of the last buffers come home only to be released.
    pub(crate) fn reopen(&mut self) {
        self.closed = false;
    }

    pub(super) fn owned_bytes(&self) -> usize {
        self.owned_bytes
    }

    /// Carves a whole segment as one free block. `false`: no number was to be had; the segment is not taken.
    pub(super) fn adopt(&mut self, slab: &Slab, segment: RawSegment) -> bool {
        let Some(number) = self.number(slab) else { return false };
        let span = Span { segment, bytes: segment.bytes, offset: 0, before: NONE, after: NONE, free: true };
        self.spans.insert(number, span);
        self.free.insert((span.bytes, number));
        self.free_bytes += span.bytes;
        self.owned_bytes += span.bytes;
        true
    }

    /// Takes the smallest free block of at least `bytes`, split to size. The record is carved.
    pub(super) fn take(&mut self, slab: &Slab, bytes: usize) -> Option<u32> {
        let (size, number) = *self.free.range((bytes, 0)..).next()?;
        self.free.remove(&(size, number));
        let mut span = self.spans[&number];
        span.free = false;
        if size - bytes >= BLOCK_MIN
            && let Some(rest) = self.number(slab)
        {
            let tail = Span { bytes: size - bytes, offset: span.offset + bytes, before: number, free: true, ..span };
            if tail.after != NONE {
                self.spans.get_mut(&tail.after).expect("neighbours exist").before = rest;
            }
            self.spans.insert(rest, tail);
            self.free.insert((tail.bytes, rest));
            span.bytes = bytes;
            span.after = rest;
        }
        self.free_bytes -= span.bytes;
        self.spans.insert(number, span);
        slab.block(number).carve(self.home, span.segment.base.offset(span.offset), span.bytes);
        Some(number)
    }

    /// Puts a block back, joined with its free neighbours. Returns a segment that is now wholly free, still owned by the pool.
    pub(super) fn put(&mut self, number: u32) -> Option<RawSegment> {
        let mut span = self.spans[&number];
        debug_assert!(!span.free, "a block is put back once");
        self.free_bytes += span.bytes;
        span.free = true;
        if let Some(after) = self.free_neighbour(span.after) {
            self.free.remove(&(after.bytes, span.after));
            self.spans.remove(&span.after);
            self.spare.push(span.after);
            span.bytes += after.bytes;
            span.after = after.after;
            self.link_back(span.after, number);
        }
        let mut number = number;
        if let Some(before) = self.free_neighbour(span.before) {
            self.free.remove(&(before.bytes, span.before));
            self.spans.remove(&number);
            self.spare.push(number);
            number = span.before;
            span = Span { bytes: before.bytes + span.bytes, after: span.after, ..before };
            self.link_back(span.after, number);
        }
        self.spans.insert(number, span);
        self.free.insert((span.bytes, number));
        (span.bytes == span.segment.bytes).then_some(span.segment)
    }

    /// Gives up every wholly free segment, except that `keep_bytes` of them may stay.
    pub(super) fn give_up_empty(&mut self, keep_bytes: usize) -> Vec<RawSegment> {
        let mut kept = 0;
        let whole: Vec<(usize, u32)> =
            self.free.iter().copied().filter(|(bytes, number)| self.spans[number].segment.bytes == *bytes).collect();
        let mut given = Vec::new();
        for (bytes, number) in whole {
            if kept + bytes <= keep_bytes {
                kept += bytes;
                continue;
            }
            self.free.remove(&(bytes, number));
            if let Some(span) = self.spans.remove(&number) {
                self.spare.push(number);
                self.free_bytes -= bytes;
                self.owned_bytes -= bytes;
                given.push(span.segment);
            }
        }
        given
    }

    fn free_neighbour(&self, number: u32) -> Option<Span> {
        if number == NONE {
            return None;
        }
        self.spans.get(&number).copied().filter(|span| span.free)
    }

    fn link_back(&mut self, number: u32, before: u32) {
        if number != NONE {
            self.spans.get_mut(&number).expect("neighbours exist").before = before;
        }
    }

    fn number(&mut self, slab: &Slab) -> Option<u32> {
        if self.spare.is_empty() {
            self.spare.extend(slab.fresh(64)?.rev());
        }
        self.spare.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_hal::DevicePtr;

    fn pool() -> (Slab, Pool) {
        let (slab, mut pool) = (Slab::new(), Pool::new(3));
        assert!(pool.adopt(&slab, RawSegment { base: DevicePtr(0x1000), bytes: 1 << 20 }));
        (slab, pool)
    }

    #[test]
    fn blocks_are_split_and_come_together_again() {
        let (slab, mut pool) = pool();
        let numbers: Vec<u32> = (0..16).map(|_| pool.take(&slab, 64 << 10).unwrap()).collect();
        assert!(pool.take(&slab, 256).is_none());
        assert_eq!(pool.free_bytes(), 0);
        let mut addresses: Vec<u64> = numbers.iter().map(|n| slab.block(*n).address().0).collect();
        addresses.sort_unstable();
        addresses.dedup();
        assert_eq!(addresses.len(), 16);
        // Back in an order that meets every case: no neighbour, one after, one before, both.
        let mut whole = None;
        for i in [0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15] {
            assert!(whole.is_none());
            whole = pool.put(numbers[i]);
        }
        assert_eq!(whole.unwrap().bytes, 1 << 20);
        assert_eq!(pool.give_up_empty(0).len(), 1);
        assert_eq!((pool.free_bytes(), pool.owned_bytes()), (0, 0));
    }

    #[test]
    fn the_smallest_fitting_block_is_taken() {
        let (slab, mut pool) = pool();
        let a = pool.take(&slab, 4096).unwrap();
        let _wall = pool.take(&slab, 256).unwrap();
        let at = slab.block(a).address();
        pool.put(a);
        let again = pool.take(&slab, 4096).unwrap();
        assert_eq!(slab.block(again).address(), at);
    }
}
