//! Growth: a segment from the device, one thread at a time, within the budget.
//!
//! **Locks** `BlockPool > SegmentHeap`; the device is asked with nothing held.
//!
//! **Invariants**
//! * `one-growth`: at most one thread asks the device for a segment; the others wait for it and search again.
//! * `within-budget`: the bytes taken from the device never exceed the budget, but by what it gave one growth beyond the request, which that growth
//!   reserves or gives back at once.
//!
//! **Checked by** specs/single_flight_growth, the scheduled runs.

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
        record::boundary(Boundary::DriverCall);
        let mut segment = self.backend.allocate_segment(bytes);
        if bytes > size && matches!(segment, Err(millstream_hal::Error::OutOfMemory { .. })) {
            // So may a device that has less room than the budget.
            segment = self.backend.allocate_segment(size);
            held.lock(&self.memory.heap).unreserve(bytes - size);
            bytes = size;
        }
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
            self.evidence.keep("giving a segment back", self.backend.release_segment(*segment));
        }
        let mut heap = held.lock(&self.memory.heap);
        heap.growing = false;
        if !adopted {
            heap.unreserve(bytes);
        }
        let left = heap.budget_left();
        self.memory.grown.notify_all();
        drop(heap);
        match &segment {
            Ok(_) if adopted => {
                self.evidence.hit(Step::Growth);
                if let (Ok(segment), true) = (&segment, self.memory.history.is_on()) {
                    self.memory.history.note(MemoryAction::SegmentAlloc, segment.base, segment.bytes, slot);
                }
                Ok(Growth::Grown)
            }
            Ok(_) | Err(millstream_hal::Error::OutOfMemory { .. }) => Ok(Growth::NoRoom(left)),
            Err(source) => Err(Error::backend("taking a segment from the device")(source.clone())),
        }
    }
}
