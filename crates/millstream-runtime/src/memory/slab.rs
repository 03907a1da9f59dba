//! Records of blocks, by number, in chunks that never move.
//!
//! A record's number is what caches, inboxes and pools hand around; a record is never freed while the device lives, its number is used again.
//!
//! **Invariants**
//! * `one-place`: the number of a free block is in exactly one cache bin, inbox, limbo list or pool.
//! * `settled`: the plain words of a record (address, size, home) change only while its home pool owns the number.

use millstream_hal::DevicePtr;
use millstream_sync::OnceLock;
use millstream_sync::UseSet;
use millstream_sync::atomic::{AtomicU32, AtomicU64, Ordering};

const CHUNK: usize = 512;
const CHUNKS: usize = 8192;

/// Home and stream of a block of imported memory; no slot has this index.
const IMPORTED: u16 = u16::MAX;

/// A record.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Block {
    /// Handles of the buffer in this block.
    pub(super) handles: AtomicU32,
    /// Link in an inbox.
    pub(crate) link: AtomicU32,
    /// Slot whose pool carved the block.
    home: AtomicU32,
    /// Slot for which it is allocated now: reuse on that stream needs no wait.
    stream: AtomicU32,
    address: AtomicU64,
    bytes: AtomicU64,
    /// What its last buffer asked for.
    requested: AtomicU64,
    /// Position of the work that defined its last value.
    written: AtomicU64,
    /// Freed, with the history still to be told that it can be used again.
    freeing: AtomicU32,
    /// Foreign streams that used it since it was allocated.
    pub(super) uses: UseSet,
}

impl Block {
    pub(crate) fn address(&self) -> DevicePtr {
        DevicePtr(self.address.load(Ordering::Relaxed))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed) as usize
    }

    /// What its last buffer asked for, in bytes.
    pub(super) fn requested(&self) -> usize {
        self.requested.load(Ordering::Relaxed) as usize
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn set_written(&self, seq: u64) {
        self.written.store(seq, Ordering::Relaxed);
    }

    /// Becomes the block of a first handle: the caller owns it alone.
    #[inline]
    pub(super) fn begin(&self, requested: usize) {
        self.handles.store(1, Ordering::Relaxed);
        self.requested.store(requested as u64, Ordering::Relaxed);
        self.written.store(0, Ordering::Relaxed);
    }

    pub(super) fn has_handles(&self) -> bool {
        self.handles.load(Ordering::Relaxed) > 0
    }

    /// Notes that the history was told of the free and not of its end, and takes the note away.
    pub(super) fn set_freeing(&self, freeing: bool) -> bool {
        self.freeing.swap(u32::from(freeing), Ordering::Relaxed) == 1
    }

    pub(crate) fn home(&self) -> u16 {
        self.home.load(Ordering::Relaxed) as u16
    }

    pub(crate) fn stream(&self) -> u16 {
        self.stream.load(Ordering::Relaxed) as u16
    }

    pub(super) fn allocate_for(&self, stream: u16) {
        self.stream.store(u32::from(stream), Ordering::Relaxed);
    }

    /// Becomes a block of imported memory: of no pool and of no stream.
    pub(super) fn import(&self, address: DevicePtr, bytes: usize) {
        self.carve(IMPORTED, address, bytes);
    }

    /// Whether its memory is somebody else's.
    pub(crate) fn is_imported(&self) -> bool {
        self.home() == IMPORTED
    }

    pub(super) fn carve(&self, home: u16, address: DevicePtr, bytes: usize) {
        self.home.store(u32::from(home), Ordering::Relaxed);
        self.stream.store(u32::from(home), Ordering::Relaxed);
        self.address.store(address.0, Ordering::Relaxed);
        self.bytes.store(bytes as u64, Ordering::Relaxed);
    }
}

#[cold]
fn new_chunk() -> Box<[Block; CHUNK]> {
    let records: Box<[Block]> = (0..CHUNK).map(|_| Block::default()).collect();
    records.try_into().expect("as many as were made")
}

/// All records of a device.
#[derive(Debug)]
pub(crate) struct Slab {
    chunks: Box<[OnceLock<Box<[Block; CHUNK]>>]>,
    next: AtomicU32,
}

impl Slab {
    pub(super) fn new() -> Self {
        Self { chunks: (0..CHUNKS).map(|_| OnceLock::new()).collect(), next: AtomicU32::new(0) }
    }

    /// The record of `number`.
    #[inline]
    pub(crate) fn block(&self, number: u32) -> &Block {
        let chunk = &self.chunks[number as usize / CHUNK];
        let chunk = chunk.get().unwrap_or_else(|| chunk.get_or_init(new_chunk));
        &chunk[number as usize % CHUNK]
    }

    /// `count` numbers that were never used. `None`: the table is full.
    pub(super) fn fresh(&self, count: u32) -> Option<std::ops::Range<u32>> {
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        (((first + count) as usize) <= CHUNK * CHUNKS).then_some(first..first + count)
    }
}
