//! Host memory for transfers: a second allocator, whose reuse needs completion and not stream order, since the host reads and writes it.
//!
//! A fixed set of places, claimed by bit. A place keeps its memory for the next transfer and remembers the position that must be complete before.
//!
//! **Invariants**
//! * `host-alone`: the host touches a place only between its claim, with its last transfer complete, and the next launch that names it.
//!
//! **Locks** none.
#![expect(unsafe_code, reason = "the host side of staging memory is a raw address")]

use millstream_hal::{Access, DevicePtr, Operand, RawStaging};
use millstream_sync::{OwnedCell, SlotSet};

use crate::device::Shared;
use crate::error::{Error, Result};

const PLACES: usize = 64;
const STAGING_MIN: usize = 4096;

#[derive(Debug, Default)]
struct Place {
    memory: Option<RawStaging>,
    busy_until: Option<(u16, u64)>,
}

/// All places of a device.
#[derive(Debug)]
pub(crate) struct StagingPool {
    claims: SlotSet,
    places: Box<[OwnedCell<Place>]>,
}

/// A claimed place. On drop it can be claimed again, once its last transfer is complete.
#[derive(Debug)]
pub(crate) struct Staged<'a> {
    shared: &'a Shared,
    /// `None`: a place of its own, for when all are busy.
    place: Option<usize>,
    memory: RawStaging,
    busy_until: Option<(u16, u64)>,
}

impl StagingPool {
    pub(crate) fn new() -> Self {
        Self { claims: SlotSet::new(PLACES), places: (0..PLACES).map(|_| OwnedCell::default()).collect() }
    }

    /// Releases the memory of places whose transfers are complete. For the end of a device.
    pub(crate) fn release(&self, shared: &Shared) {
        for index in 0..PLACES {
            if !self.claims.claim_slot(index) {
                continue;
            }
            let memory = self.places[index].try_with(|place| {
                let idle =
                    place.busy_until.is_none_or(|(s, seq)| shared.streams.slot(s).completed(&*shared.backend) >= seq);
                if idle { place.memory.take() } else { None }
            });
            if let Some(Some(memory)) = memory {
                shared.backend.release_staging(memory);
            }
            let _ = self.claims.release(index);
        }
    }
}

impl Shared {
    /// Claims host memory of at least `bytes` whose last transfer is complete.
    pub(crate) fn stage(&self, bytes: usize) -> Result<Staged<'_>> {
        let pool = &self.memory.staging;
        for index in 0..PLACES {
            if pool.claims.is_claimed(index) || !pool.claims.claim_slot(index) {
                continue;
            }
            let found = pool.places[index].try_with(|place| {
                if place.busy_until.is_some_and(|(s, seq)| self.streams.slot(s).completed(&*self.backend) < seq) {
                    return Ok(None);
                }
                place.busy_until = None;
                if place.memory.is_some_and(|m| m.bytes >= bytes) {
                    return Ok(place.memory);
                }
                if let Some(small) = place.memory.take() {
                    self.backend.release_staging(small);
                }
                place.memory = Some(self.new_staging(bytes)?);
                Ok(place.memory)
            });
            match found {
                Some(Ok(Some(memory))) => {
                    return Ok(Staged { shared: self, place: Some(index), memory, busy_until: None });
                }
                Some(Err(error)) => {
                    let _ = pool.claims.release(index);
                    return Err(error);
                }
                Some(Ok(None)) | None => {
                    let _ = pool.claims.release(index);
                }
            }
        }
        Ok(Staged { shared: self, place: None, memory: self.new_staging(bytes)?, busy_until: None })
    }

    fn new_staging(&self, bytes: usize) -> Result<RawStaging> {
        let bytes = bytes.max(STAGING_MIN).checked_next_power_of_two().unwrap_or(bytes);
        self.backend.allocate_staging(bytes).map_err(Error::backend("taking staging memory from the device"))
    }
}

impl Staged<'_> {
    /// As an operand of a transfer.
    pub(crate) fn operand(&self, bytes: usize, access: Access) -> Operand {
        Operand { ptr: DevicePtr(self.memory.host), bytes, access, staging: true }
    }

    /// The place is in use by the device up to `seq` of `stream`.
    pub(crate) fn busy_until(&mut self, stream: u16, seq: u64) {
        self.busy_until = Some((stream, seq));
    }

    /// The transfers that were launched have completed: the host may read.
    pub(crate) fn completed(&mut self) {
        self.busy_until = None;
    }

    /// Copies `bytes` in, before any launch names the place.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.memory.bytes && self.busy_until.is_none());
        let to = self.memory.host as *mut u8;
        // SAFETY: needs `to` valid for writes of `len` bytes and disjoint from `bytes`; the backend gave `memory.bytes` bytes at `host`, the length
        // is asserted, and `host-alone` holds: claimed, and no launch names it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    }

    /// The first `bytes` bytes, after the transfers have completed.
    pub(crate) fn read(&self, bytes: usize) -> &[u8] {
        assert!(bytes <= self.memory.bytes && self.busy_until.is_none());
        let from = self.memory.host as *const u8;
        // SAFETY: needs `from` valid and initialised for `bytes` bytes and not written meanwhile; the completed transfers wrote them, the length
        // is asserted, and `host-alone` holds while this claim lives.
        unsafe { std::slice::from_raw_parts(from, bytes) }
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        let pool = &self.shared.memory.staging;
        match self.place {
            Some(index) => {
                pool.places[index].try_with(|place| place.busy_until = self.busy_until);
                let _ = pool.claims.release(index);
            }
            // A place of its own that is still in use is lost rather than freed under the device; it is counted.
            None if self.busy_until.is_some() => self.shared.evidence.hit(crate::evidence::Step::DropDeferred),
            None => self.shared.backend.release_staging(self.memory),
        }
    }
}
