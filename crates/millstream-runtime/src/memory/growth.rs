//! Growth: a segment from the device, one thread at a time, within the budget.
//!
//! **Locks** `BlockPool > SegmentHeap`; the device is asked with nothing held.
//!
//! **Invariants**
//! * `one-growth`: at most one thread asks the device for a segment; the others wait for it and search again.
//! * `turn-ends`: a turn ends however the device answers, by a panic too.
//! * `within-budget`: the bytes taken from the device never exceed the budget, but by what it gave one growth beyond the request, which that growth
//!   reserves or gives back at once.
//!
//! **Checked by** specs/single_flight_growth, the scheduled runs, `growth.rs` of the tests of `millstream`.

use millstream_hal::RawSegment;
use millstream_sync::lock::Held;
use millstream_sync::lock::levels::Nothing;
use millstream_sync::lock::record::{self, Boundary};

use super::history::MemoryAction;
use super::segment::segment_bytes;
use crate::device::Shared;
use crate::error::{Error, Result};
use crate::evidence::Step;

/// What came of it.
pub(super) enum Growth {
    Grown,
    /// The budget or the device has no room; so many bytes are left of the budget.
    NoRoom(usize),
    Raced,
}

/// The turn to grow, and the bytes that are reserved for it and in no pool yet. It ends when this drops, on unwind too: the bytes go back to the budget and all that wait are woken.
struct Turn<'a, 't> {
    shared: &'a Shared,
    held: &'a mut Held<'t, Nothing>,
    bytes: usize,
}

impl Drop for Turn<'_, '_> {
    fn drop(&mut self) {
        let mut heap = self.held.lock(&self.shared.memory.heap);
        heap.growing = false;
        heap.unreserve(self.bytes);
        self.shared.memory.grown.notify_all();
    }
}

impl Turn<'_, '_> {
    /// Asks the device for the bytes of the turn, or where it has no room for them, for `size`. What it gave is reserved, unless it does not fit.
    fn ask(&mut self, size: usize) -> (millstream_hal::Result<RawSegment>, bool) {
        let Self { shared, held, bytes } = self;
        record::boundary(Boundary::DriverCall);
        let mut segment = shared.backend.allocate_segment(*bytes);
        if *bytes > size && matches!(segment, Err(millstream_hal::Error::OutOfMemory { .. })) {
            // A device may have less room than the budget.
            segment = shared.backend.allocate_segment(size);
            held.lock(&shared.memory.heap).unreserve(*bytes - size);
            *bytes = size;
        }
        // The device may round up: what it gave counts, and must fit too.
        let extra = segment.as_ref().map_or(0, |segment| segment.bytes - *bytes);
        let fits = extra == 0 || held.lock(&shared.memory.heap).reserve(extra);
        if fits {
            *bytes += extra;
        }
        (segment, fits)
    }

    /// Puts the segment into the pool of `slot`. `false`: the pool takes none.
    fn adopt(&mut self, slot: u16, segment: RawSegment) -> bool {
        let mut locked = self.held.lock(&self.shared.streams.slot(slot).pool);
        let (pool, inner) = locked.split();
        let adopted = pool.adopt(&self.shared.memory.slab, segment);
        if adopted {
            inner.lock(&self.shared.memory.heap).adopt();
            self.bytes = 0;
        }
        adopted
    }
}

impl Shared {
    /// Takes a segment from the device for the pool of `slot`. Errors: `Fault`, `Backend`.
    pub(super) fn grow(&self, held: &mut Held<'_, Nothing>, slot: u16, size: usize) -> Result<Growth> {
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
                    return Ok(Growth::NoRoom(heap.budget_left()));
                }
            }
            heap.growing = true;
        }
        let mut turn = Turn { shared: self, held, bytes };
        let (segment, fits) = turn.ask(size);
        let adopted = match &segment {
            Ok(segment) if fits && turn.adopt(slot, *segment) => true,
            Ok(segment) => {
                self.evidence.keep("giving a segment back", self.backend.release_segment(*segment));
                false
            }
            Err(_) => false,
        };
        drop(turn);
        match segment {
            Ok(segment) if adopted => {
                self.evidence.hit(Step::Growth);
                if self.memory.history.is_on() {
                    self.memory.history.note(MemoryAction::SegmentAlloc, segment.base, segment.bytes, slot);
                }
                Ok(Growth::Grown)
            }
            Ok(_) | Err(millstream_hal::Error::OutOfMemory { .. }) => {
                Ok(Growth::NoRoom(held.lock(&self.memory.heap).budget_left()))
            }
            Err(source) => Err(Error::backend("taking a segment from the device")(source)),
        }
    }
}
