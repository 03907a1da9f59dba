//! A ring of records that is written by one thread and read by any, while it is written.
//!
//! Each record is atomic words under a sequence number (odd while it is written): a reader that meets a write in progress drops the record. Old
//! records are overwritten; nothing is allocated after the ring is made.
//!
//! **Invariants**
//! * `no-torn-record`: a record that is read is one that was written.
//!
//! **Checked by** tests/loom/protocols/ring.rs.

use crate::atomic::{AtomicU64, Ordering, fence};

/// Words of a record.
#[cfg(not(millstream_loom))]
pub const RECORD_WORDS: usize = 6;
/// Words of a record; under loom two are enough to tear it.
#[cfg(millstream_loom)]
pub const RECORD_WORDS: usize = 2;

/// A record.
pub type Record = [u64; RECORD_WORDS];

#[derive(Debug, Default)]
struct Slot {
    sequence: AtomicU64,
    words: [AtomicU64; RECORD_WORDS],
}

/// The ring.
#[derive(Debug)]
pub struct Ring {
    slots: Box<[Slot]>,
    written: AtomicU64,
}

impl Ring {
    /// A ring of `capacity` records (rounded up to a power of two).
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { slots: (0..capacity.next_power_of_two()).map(|_| Slot::default()).collect(), written: AtomicU64::new(0) }
    }

    /// Records written so far, overwritten ones too.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Writes a record. One thread at a time: the ring's owner.
    #[inline]
    pub fn write(&self, record: Record) {
        let at = self.written.load(Ordering::Relaxed);
        let slot = &self.slots[at as usize & (self.slots.len() - 1)];
        // ORDER: Relaxed and a Release fence: the odd number must be visible before any word of this record; pairs with the Acquire fence in
        // `read_from`.
        slot.sequence.store(2 * at + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        for (word, value) in slot.words.iter().zip(record) {
            word.store(value, Ordering::Relaxed);
        }
        // ORDER: Relaxed: nobody looks for this record before it is counted below.
        slot.sequence.store(2 * at + 2, Ordering::Relaxed);
        // ORDER: Release so that a reader that sees the count finds the number and the words; pairs with the Acquire load in `read_from`.
        self.written.store(at + 1, Ordering::Release);
    }

    /// Reads the records from number `first` on that are still there and not being written, oldest first, and returns the number to go on
    /// from.
    pub fn read_from(&self, first: u64, mut each: impl FnMut(Record)) -> u64 {
        // ORDER: Acquire so that the records below the count are there, or newer ones; pairs with `write`.
        let end = self.written.load(Ordering::Acquire);
        let oldest = end.saturating_sub(self.slots.len() as u64);
        for at in first.max(oldest)..end {
            let slot = &self.slots[at as usize & (self.slots.len() - 1)];
            // ORDER: Relaxed: the words that belong to this number are visible since the count was read.
            let before = slot.sequence.load(Ordering::Relaxed);
            let record: Record = std::array::from_fn(|i| slot.words[i].load(Ordering::Relaxed));
            // ORDER: Acquire fence so that a word of a newer record shows its odd number below; pairs with the Release fence in `write`.
            fence(Ordering::Acquire);
            if before == 2 * at + 2 && slot.sequence.load(Ordering::Relaxed) == before {
                each(record);
            }
        }
        end
    }
}
