//! A ring of records that is written by one thread and read by any, while it is written.
//!
//! Each record is atomic words; the count of records says which slot is being written: a reader that finds it there after the words drops the record. Old
//! records are overwritten; nothing is allocated after the ring is made.
//!
//! **Invariants**
//! * `no-torn-record`: a record that is read is one that was written.
//!
//! **Checked by** tests/loom/protocols/ring.rs.

use crate::atomic::{AtomicU64, Ordering, fence};

/// Words of a record: two records to a cache line.
#[cfg(not(millstream_loom))]
pub const RECORD_WORDS: usize = 4;
/// Words of a record; under loom two are enough to tear it.
#[cfg(millstream_loom)]
pub const RECORD_WORDS: usize = 2;

/// A record.
pub type Record = [u64; RECORD_WORDS];

/// Aligned so that no record lies in two cache lines.
#[derive(Debug, Default)]
#[repr(align(32))]
struct Slot {
    words: [AtomicU64; RECORD_WORDS],
}

/// The ring.
#[derive(Debug)]
pub struct Ring {
    slots: Box<[Slot]>,
    written: AtomicU64,
}

impl Ring {
    /// A ring of `capacity` slots (rounded up to a power of two). All but one can be read: the last is the writer's.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { slots: (0..capacity.next_power_of_two()).map(|_| Slot::default()).collect(), written: AtomicU64::new(0) }
    }

    /// Records that were written and are not there any more.
    #[must_use]
    pub fn overwritten(&self) -> u64 {
        self.oldest(self.written.load(Ordering::Relaxed))
    }

    /// The oldest record that is there when `written` were written: the slot of the one before is the next to be written.
    fn oldest(&self, written: u64) -> u64 {
        (written + 1).saturating_sub(self.slots.len() as u64)
    }

    /// Writes a record. One thread at a time: the ring's owner.
    #[inline]
    pub fn write(&self, record: Record) {
        let at = self.written.load(Ordering::Relaxed);
        let slot = &self.slots[at as usize & (self.slots.len() - 1)];
        // ORDER: Release fence: the count of the records before this one must be visible before any word of it; pairs with the Acquire fence in
        // `read_from`.
        fence(Ordering::Release);
        for (word, value) in slot.words.iter().zip(record) {
            word.store(value, Ordering::Relaxed);
        }
        // ORDER: Release so that a reader that sees the count finds the words; pairs with the Acquire load in `read_from`.
        self.written.store(at + 1, Ordering::Release);
    }

    /// Reads the records from number `first` on that are still there and not being overwritten, oldest first, and returns the number to go on
    /// from.
    pub fn read_from(&self, first: u64, mut each: impl FnMut(Record)) -> u64 {
        // ORDER: Acquire so that the records below the count are there, or newer ones; pairs with `write`.
        let end = self.written.load(Ordering::Acquire);
        for at in first.max(self.oldest(end))..end {
            let slot = &self.slots[at as usize & (self.slots.len() - 1)];
            let record: Record = std::array::from_fn(|i| slot.words[i].load(Ordering::Relaxed));
            // ORDER: Acquire fence so that a word of a newer record shows the count that it was written at below; pairs with the Release fence in
            // `write`.
            fence(Ordering::Acquire);
            if at >= self.oldest(self.written.load(Ordering::Relaxed)) {
                each(record);
            }
        }
        end
    }
}

#[cfg(all(test, not(millstream_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_newest_records_are_read_and_the_others_counted() {
        let ring = Ring::with_capacity(4);
        let read = |first| {
            let mut read = Vec::new();
            let next = ring.read_from(first, |[number, ..]| read.push(number));
            (read, next, ring.overwritten())
        };
        (0..3).for_each(|number| ring.write([number; RECORD_WORDS]));
        assert_eq!(read(0), (vec![0, 1, 2], 3, 0));
        (3..9).for_each(|number| ring.write([number; RECORD_WORDS]));
        assert_eq!(read(0), (vec![6, 7, 8], 9, 6));
        assert_eq!(read(8), (vec![8], 9, 6));
    }
}
