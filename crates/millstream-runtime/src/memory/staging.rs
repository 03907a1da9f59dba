//! Host memory for transfers: a second allocator, whose reuse needs completion and not stream order, since the host reads and writes it.
//!
//! A fixed set of places, claimed by bit, each with a piece of memory of one size class (a power of two from 4 KiB on). A place remembers the position that must be complete before its
//! memory is used again. A transfer is cut into pieces, so that the limit in bytes holds for any size; when every piece is at work the host waits for the oldest.
//!
//! **Invariants**
//! * `host-alone`: the host touches a place only between its claim, with its last transfer complete, and the next launch that names it.
//! * `staging-bounded`: the bytes of all places never exceed the limit.
//! * `one-claim`: a thread that asks for a place holds none, so that a place comes free in the end.
//!
//! **Locks** none.
#![expect(unsafe_code, reason = "the host side of staging memory is a raw address")]

use millstream_hal::{Access, DevicePtr, Operand, RawStaging};
use millstream_sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use millstream_sync::lock::try_enter;
use millstream_sync::schedule::{self, Point};
use millstream_sync::{OwnedCell, SlotSet, thread};

use super::snapshot::StagingSnapshot;
use crate::device::Shared;
use crate::error::{Error, Result};
use crate::evidence::Step;
use crate::profile::Why;

const PLACES: usize = 64;
/// Smallest piece, and the smallest limit.
const PIECE_MIN: usize = 4096;
/// Pieces of the largest size that fit into the limit.
const PIECES: usize = 4;

#[derive(Debug, Default)]
struct Place {
    memory: Option<RawStaging>,
    /// Stream and position of the last transfer, and how many transfers began before it.
    busy_until: Option<(u16, u64, u64)>,
}

/// All places of a device.
#[derive(Debug)]
pub(crate) struct StagingPool {
    claims: SlotSet,
    places: Box<[OwnedCell<Place>]>,
    /// The class of each place's memory, to look at without a claim: its logarithm; 0 for none.
    classes: Box<[AtomicU32]>,
    limit: usize,
    bytes: AtomicUsize,
    bytes_max: AtomicUsize,
    transfers: AtomicU64,
}

/// A claimed place. On drop it can be claimed again, once its last transfer is complete.
#[derive(Debug)]
pub(crate) struct Staged<'a> {
    shared: &'a Shared,
    place: usize,
    memory: RawStaging,
    busy_until: Option<(u16, u64)>,
}

impl StagingPool {
    pub(crate) fn new(limit: usize) -> Self {
        let zero = || AtomicUsize::new(0);
        Self {
            claims: SlotSet::new(PLACES),
            places: (0..PLACES).map(|_| OwnedCell::default()).collect(),
            classes: (0..PLACES).map(|_| AtomicU32::new(0)).collect(),
            limit: limit.max(PIECES * PIECE_MIN),
            bytes: zero(),
            bytes_max: zero(),
            transfers: AtomicU64::new(0),
        }
    }

    /// Most bytes that one transfer stages at a time.
    pub(crate) fn piece_bytes_max(&self) -> usize {
        let quarter = self.limit / PIECES;
        if quarter.is_power_of_two() { quarter } else { quarter.next_power_of_two() / 2 }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max.load(Ordering::Relaxed)
    }

    pub(super) fn reset_peak(&self) {
        self.bytes_max.store(self.bytes(), Ordering::Relaxed);
    }

    /// Runs `f` on a place that is claimed for it. `None`: someone else has it.
    fn with_place<R>(&self, index: usize, f: impl FnOnce(&mut Place) -> R) -> Option<R> {
        if self.claims.is_claimed(index) || !self.claims.claim_slot(index) {
            return None;
        }
        let result = self.places[index].try_with(f);
        let _ = self.claims.release(index);
        result
    }

    /// Counts `bytes` against the limit before the device is asked.
    fn reserve(&self, bytes: usize) -> bool {
        let mut found = self.bytes();
        while found + bytes <= self.limit {
            // ORDER: Relaxed: the word only counts.
            match self.bytes.compare_exchange(found, found + bytes, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => {
                    self.bytes_max.fetch_max(found + bytes, Ordering::Relaxed);
                    return true;
                }
                Err(now) => found = now,
            }
        }
        false
    }
}

impl Shared {
    /// All staging memory that no thread has in its hands just now.
    pub(super) fn staging_pieces(&self) -> Vec<StagingSnapshot> {
        let piece = |index: usize| {
            let seen = self.memory.staging.with_place(index, |place| {
                let RawStaging { host, bytes } = place.memory?;
                Some(StagingSnapshot { address: host, bytes, busy: !self.is_idle(place) })
            });
            seen.flatten()
        };
        (0..PLACES).filter_map(piece).collect()
    }

    fn is_idle(&self, place: &Place) -> bool {
        place.busy_until.is_none_or(|(slot, seq, _)| self.streams.slot(slot).completed(&*self.backend) >= seq)
    }

    /// Claims host memory of at least `bytes`, at most [`StagingPool::piece_bytes_max`], whose last transfer is complete. Blocks the host while all of it is at work. Call it with
    /// nothing held and without a place. Errors: `Backend`, `Fault`, `Closed`, `Reentered`.
    #[track_caller]
    pub(crate) fn stage(&self, bytes: usize) -> Result<Staged<'_>> {
        let size = bytes.max(PIECE_MIN).next_power_of_two();
        assert!(size <= self.memory.staging.piece_bytes_max().max(PIECE_MIN), "transfers are cut into pieces");
        loop {
            if let Some(staged) = self.stage_again(size) {
                return Ok(staged);
            }
            if let Some(staged) = self.stage_new(size)? {
                return Ok(staged);
            }
            if !self.release_staging(1) {
                self.await_oldest_transfer()?;
            }
        }
    }

    /// A place whose memory has the size and is at rest.
    fn stage_again(&self, size: usize) -> Option<Staged<'_>> {
        let pool = &self.memory.staging;
        for index in 0..PLACES {
            if pool.classes[index].load(Ordering::Relaxed) != size.ilog2() {
                continue;
            }
            let found = pool.claim_where(index, |place| {
                let memory = place.memory.filter(|memory| memory.bytes >= size && self.is_idle(place))?;
                place.busy_until = None;
                Some(memory)
            });
            if let Some(memory) = found {
                self.evidence.hit(Step::StagingReused);
                return Some(Staged { shared: self, place: index, memory, busy_until: None });
            }
        }
        None
    }

    /// An empty place with memory from the device. `None`: no place or no room within the limit.
    fn stage_new(&self, size: usize) -> Result<Option<Staged<'_>>> {
        let pool = &self.memory.staging;
        if !pool.reserve(size) {
            return Ok(None);
        }
        let mut refused = None;
        for index in (0..PLACES).filter(|index| pool.classes[*index].load(Ordering::Relaxed) == 0) {
            let found = pool.claim_where(index, |place| {
                if place.memory.is_some() {
                    return None;
                }
                match self.backend.allocate_staging(size) {
                    Ok(memory) => {
                        place.memory = Some(memory);
                        Some(memory)
                    }
                    Err(error) => {
                        refused = Some(error);
                        None
                    }
                }
            });
            if let Some(memory) = found {
                pool.classes[index].store(size.ilog2(), Ordering::Relaxed);
                return Ok(Some(Staged { shared: self, place: index, memory, busy_until: None }));
            }
            if refused.is_some() {
                break;
            }
        }
        pool.bytes.fetch_sub(size, Ordering::Relaxed);
        match refused {
            // What is at rest goes back first.
            Some(millstream_hal::Error::OutOfMemory { .. }) if self.release_staging(PLACES) => Ok(None),
            Some(error) => Err(Error::backend("taking staging memory from the device")(error)),
            None => Ok(None),
        }
    }

    /// Releases the memory of at most `count` places that are at rest. Returns whether there were any. Calls the driver: nothing is held.
    pub(crate) fn release_staging(&self, count: usize) -> bool {
        let pool = &self.memory.staging;
        let mut released = 0;
        for index in 0..PLACES {
            if released == count {
                break;
            }
            let taken = pool.with_place(index, |place| {
                let memory = if self.is_idle(place) { place.memory.take() } else { None }?;
                place.busy_until = None;
                Some((memory, pool.classes[index].swap(0, Ordering::Relaxed)))
            });
            if let Some(Some((memory, class))) = taken {
                self.evidence.keep("giving staging memory back", self.backend.release_staging(memory));
                pool.bytes.fetch_sub(1 << class, Ordering::Relaxed);
                released += 1;
            }
        }
        released > 0
    }

    /// Waits on the host for the transfer that began first; where every place is in the hands of a thread, lets those go on.
    #[track_caller]
    fn await_oldest_transfer(&self) -> Result<()> {
        self.check()?;
        let pool = &self.memory.staging;
        let busy = |index| pool.with_place(index, |place| place.busy_until).flatten();
        let Some((slot, seq, _)) = (0..PLACES).filter_map(busy).min_by_key(|(_, _, began)| *began) else {
            if !schedule::blocked(Point::Wait) {
                thread::yield_now();
            }
            return Ok(());
        };
        self.evidence.hit(Step::StagingWait);
        let why = Why::here("staging");
        try_enter(|held| self.await_seq(held, slot, seq, None, why)).ok_or(Error::Reentered)?
    }
}

impl StagingPool {
    /// Claims a place for which `f` finds memory; the claim stays with the caller.
    fn claim_where(&self, index: usize, f: impl FnOnce(&mut Place) -> Option<RawStaging>) -> Option<RawStaging> {
        if self.claims.is_claimed(index) || !self.claims.claim_slot(index) {
            return None;
        }
        let found = self.places[index].try_with(f).flatten();
        if found.is_none() {
            let _ = self.claims.release(index);
        }
        found
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
        let began = pool.transfers.fetch_add(1, Ordering::Relaxed);
        let busy_until = self.busy_until.map(|(slot, seq)| (slot, seq, began));
        pool.places[self.place].try_with(|place| place.busy_until = busy_until);
        let _ = pool.claims.release(self.place);
    }
}
