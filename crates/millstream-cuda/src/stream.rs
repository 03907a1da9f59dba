//! One stream: the driver's handle, positions, and scratch that its reductions share.
//!
//! A slot is made once and reused by later streams. Its positions count on over all of them, so that a mark that an event kept of an earlier stream
//! is in the past; `base` translates to the sequence numbers of the runtime.
//!
//! **Life** free -> alive (`open`) -> free (`close`, its work completed).
//!
//! **Invariants**
//! * `scratch-is-zero`: between two kernels of the stream the counters in its scratch are zero; each kernel that uses them leaves them so.
//!
//! **Locks** none.

use millstream_hal::RawStream;
use millstream_sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::driver::{Answer, Driver, Handle};
use crate::unheard;

/// Most streams at once.
pub(crate) const STREAMS_MAX: usize = 1 << 10;
/// Bits of a generation in a raw stream.
const GENERATIONS: u32 = (1 << 22) - 1;

/// Scratch of a stream or of a graph: partial results of reductions, their counters, and the sum of a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scratch(pub(crate) u64);

impl Scratch {
    /// Partial results that it has room for, and as many counters.
    pub(crate) const PARTIALS: usize = 4096;
    const PARTIAL_BYTES: usize = 16;
    const COUNTERS_AT: usize = Self::PARTIALS * Self::PARTIAL_BYTES;
    const SUM_AT: usize = Self::COUNTERS_AT + Self::PARTIALS * 4;
    /// Its size.
    pub(crate) const BYTES: usize = Self::SUM_AT + 256;

    /// Takes and zeroes scratch, in the order of `stream`.
    pub(crate) fn take(driver: &Driver, stream: Handle) -> Answer<Self> {
        let scratch = Self(driver.allocate(Self::BYTES)?);
        match driver.zero(scratch.0, Self::BYTES, stream) {
            Ok(()) => Ok(scratch),
            Err(code) => {
                unheard::keep(driver, "scratch was given back", driver.free(scratch.0));
                Err(code)
            }
        }
    }

    pub(crate) fn partials(self) -> u64 {
        self.0
    }

    pub(crate) fn counters(self) -> u64 {
        self.0 + Self::COUNTERS_AT as u64
    }

    pub(crate) fn sum(self) -> u64 {
        self.0 + Self::SUM_AT as u64
    }

    pub(crate) fn sum_counter(self) -> u64 {
        self.sum() + 8
    }
}

/// One slot, on lines of its own: each enqueue writes to it.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Slot {
    pub(crate) index: u16,
    native: AtomicUsize,
    /// Of the stream, or of the capture that is under way.
    scratch: AtomicU64,
    own_scratch: AtomicU64,
    /// Position before the first operation of the stream that has the slot now.
    base: AtomicU64,
    /// Position of the newest operation.
    enqueued: AtomicU64,
    /// Newest position that was seen complete.
    done: AtomicU64,
    generation: AtomicU32,
    alive: AtomicBool,
}

impl Slot {
    pub(crate) fn new(index: u16) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            index,
            native: AtomicUsize::new(0),
            scratch: zero(),
            own_scratch: zero(),
            base: zero(),
            enqueued: zero(),
            done: zero(),
            generation: AtomicU32::new(0),
            alive: AtomicBool::new(false),
        }
    }

    /// Makes the slot a new stream.
    pub(crate) fn open(&self, native: Handle, scratch: Scratch) {
        // ORDER: Relaxed stores; published by the Release store of `alive`.
        let position = self.enqueued.load(Ordering::Relaxed);
        self.base.store(position, Ordering::Relaxed);
        self.done.store(position, Ordering::Relaxed);
        self.native.store(native, Ordering::Relaxed);
        self.scratch.store(scratch.0, Ordering::Relaxed);
        self.own_scratch.store(scratch.0, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::Relaxed);
        // ORDER: Release so that who finds it alive finds the fields above; pairs with `is_alive`.
        self.alive.store(true, Ordering::Release);
    }

    /// Ends the stream; its work has completed. Returns its handle, or `None` when it was not alive. The scratch stays with the slot: giving it back may wait
    /// for the whole device.
    pub(crate) fn close(&self) -> Option<Handle> {
        // ORDER: AcqRel so that of two closers one goes on, after what the opener did.
        self.alive.swap(false, Ordering::AcqRel).then(|| self.native())
    }

    /// The scratch that the slot has, if it was a stream before.
    pub(crate) fn own_scratch(&self) -> Option<Scratch> {
        // ORDER: Relaxed; the slot comes from the free list or is new, so nobody else has it.
        Some(self.own_scratch.load(Ordering::Relaxed)).filter(|address| *address != 0).map(Scratch)
    }

    #[inline]
    pub(crate) fn is_alive(&self, generation: u32) -> bool {
        // ORDER: Acquire so that the fields of `open` are visible; pairs with it.
        self.alive.load(Ordering::Acquire) && self.generation() == generation
    }

    fn generation(&self) -> u32 {
        self.generation.load(Ordering::Relaxed) & GENERATIONS
    }

    pub(crate) fn raw(&self) -> RawStream {
        RawStream(self.generation() << STREAMS_MAX.trailing_zeros() | u32::from(self.index))
    }

    /// Slot number and generation of a handle.
    #[inline]
    pub(crate) fn parts(raw: RawStream) -> (usize, u32) {
        (raw.0 as usize % STREAMS_MAX, raw.0 >> STREAMS_MAX.trailing_zeros())
    }

    #[inline]
    pub(crate) fn native(&self) -> Handle {
        // ORDER: Relaxed; the caller has a living stream, so `open` is visible to it.
        self.native.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn scratch(&self) -> Scratch {
        // ORDER: Relaxed; enqueues of one stream are ordered by the caller (`enqueue-order`).
        Scratch(self.scratch.load(Ordering::Relaxed))
    }

    /// Uses other scratch, or its own again.
    pub(crate) fn use_scratch(&self, other: Option<Scratch>) {
        // ORDER: Relaxed; as in `scratch`.
        let own = self.own_scratch.load(Ordering::Relaxed);
        self.scratch.store(other.map_or(own, |scratch| scratch.0), Ordering::Relaxed);
    }

    /// The position of the runtime's sequence number `seq`.
    #[inline]
    pub(crate) fn position_of(&self, seq: u64) -> u64 {
        self.base.load(Ordering::Relaxed).saturating_add(seq)
    }

    /// The runtime's sequence number of `position`.
    pub(crate) fn seq_of(&self, position: u64) -> u64 {
        position.saturating_sub(self.base.load(Ordering::Relaxed))
    }

    /// An operation is enqueued. Called by the one thread that enqueues.
    #[inline]
    pub(crate) fn note_enqueued(&self, position: u64) {
        // ORDER: Relaxed; read for the report of a fault and by `open`, which the runtime orders after.
        self.enqueued.store(position, Ordering::Relaxed);
    }

    /// A mark is enqueued at `position`, which may lie beyond the newest operation.
    pub(crate) fn note_marked(&self, position: u64) {
        self.enqueued.fetch_max(position, Ordering::Relaxed);
    }

    /// A mark was seen reached.
    pub(crate) fn note_done(&self, position: u64) {
        self.done.fetch_max(position, Ordering::Relaxed);
    }

    /// Newest position seen complete.
    pub(crate) fn done(&self) -> u64 {
        // ORDER: Relaxed; says only that a driver call saw the event, which ordered the work.
        self.done.load(Ordering::Relaxed)
    }

    /// The first sequence number that is not known to be complete, if there is one.
    pub(crate) fn oldest_unknown(&self) -> Option<u64> {
        let (done, enqueued) = (self.done(), self.enqueued.load(Ordering::Relaxed));
        // ORDER: Relaxed; a report.
        let alive = self.alive.load(Ordering::Relaxed);
        (alive && enqueued > done).then(|| self.seq_of(done + 1))
    }
}
