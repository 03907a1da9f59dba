//! What the allocator did last, for a snapshot: allocations, frees and segments with their times. Off unless asked for; off it costs a relaxed load.
//!
//! A bounded queue of plain values: whoever finds it full throws the oldest away. It takes no lock, so that a drop can write to it.

use std::time::{SystemTime, UNIX_EPOCH};

use millstream_hal::DevicePtr;
use millstream_sync::atomic::{AtomicBool, Ordering};
use millstream_sync::{BoundedQueue, OnceLock};

use super::slab::Block;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryAction {
    /// A buffer got its block.
    Alloc,
    /// The last handle dropped.
    FreeRequested,
    /// The block can be used again by its stream.
    FreeCompleted,
    /// A segment came from the device.
    SegmentAlloc,
    /// A segment went back to the device.
    SegmentFree,
    /// An allocation was refused.
    OutOfMemory,
}

/// An entry of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryEvent {
    /// What happened.
    pub action: MemoryAction,
    /// First byte; 0 for a refusal.
    pub address: u64,
    /// Size of the block or segment, or what was refused, in bytes.
    pub bytes: usize,
    /// Slot of the stream.
    pub stream: u16,
    /// Microseconds since 1970.
    pub time_us: u64,
}

/// The history.
#[derive(Debug, Default)]
pub(crate) struct History {
    on: AtomicBool,
    events: OnceLock<BoundedQueue<MemoryEvent>>,
}

impl History {
    /// Keeps the last events from now on. The number of entries is that of the first call, rounded up to a power of two.
    pub(crate) fn start(&self, entries: usize) {
        self.events.get_or_init(|| BoundedQueue::with_capacity(entries.clamp(2, 1 << 24)));
        self.on.store(true, Ordering::Relaxed);
    }

    pub(crate) fn stop(&self) {
        self.on.store(false, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    #[cold]
    pub(super) fn note(&self, action: MemoryAction, address: DevicePtr, bytes: usize, stream: u16) {
        let Some(events) = self.events.get() else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut event = MemoryEvent { action, address: address.0, bytes, stream, time_us: now.as_micros() as u64 };
        while let Err(back) = events.try_push(event) {
            events.try_pop();
            event = back;
        }
    }

    pub(super) fn note_block(&self, action: MemoryAction, block: &Block) {
        self.note(action, block.address(), block.bytes(), block.stream());
    }

    /// What is kept, oldest first. It stays kept; what is noted meanwhile may come before it.
    pub(super) fn read(&self) -> Vec<MemoryEvent> {
        let Some(events) = self.events.get() else { return Vec::new() };
        let mut read = Vec::new();
        while read.len() < events.capacity()
            && let Some(event) = events.try_pop()
        {
            read.push(event);
        }
        for event in &read {
            if events.try_push(*event).is_err() {
                break;
            }
        }
        read
    }
}
