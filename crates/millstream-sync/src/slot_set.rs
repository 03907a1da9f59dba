//! A set of slots that threads claim by compare-and-swap on a bitmask.
//!
//! Who waits when none is free is [`crate::permits`]' business. What a slot is, its owner knows.
//!
//! **Invariants**
//! * `one-holder`: between a claim and its release no other claim gives the same slot.
//! * `no-double-release`: releasing a slot that is not claimed is reported and changes nothing.
//!
//! **Checked by** tests/loom/protocols/slot_set.rs, specs/lease_and_permits.

use crate::atomic::{AtomicU64, Ordering};
use crate::schedule::{self, Point};

const WORDS: usize = 4;

/// Most slots of a set.
pub const SLOTS_MAX: usize = WORDS * 64;

/// Slots `0..len`, each free or claimed.
#[derive(Debug)]
pub struct SlotSet {
    words: [AtomicU64; WORDS],
    len: usize,
}

/// The slot was not claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotClaimed;

impl SlotSet {
    /// A set of `len` free slots.
    ///
    /// # Panics
    /// When `len` is above [`SLOTS_MAX`].
    #[must_use]
    pub fn new(len: usize) -> Self {
        assert!(len <= SLOTS_MAX, "{len} slots, at most {SLOTS_MAX}");
        Self { words: std::array::from_fn(|_| AtomicU64::new(0)), len }
    }

    /// Number of slots.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the set has no slot at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Claims the first free slot at or after `first`, then from the start. `None`: all are claimed.
    pub fn claim_from(&self, first: usize) -> Option<usize> {
        schedule::point(Point::Lease);
        // Look before writing: a claimed slot costs its readers nothing.
        (first..self.len).chain(0..first.min(self.len)).find(|slot| !self.is_claimed(*slot) && self.claim_slot(*slot))
    }

    /// Claims `slot` if it is free.
    pub fn claim_slot(&self, slot: usize) -> bool {
        let (word, bit) = place(slot);
        // ORDER: Acquire so that what the last holder did before its release is visible here; pairs with `release`.
        self.words[word].fetch_or(bit, Ordering::Acquire) & bit == 0
    }

    /// Gives a slot back. Errors: [`NotClaimed`], and nothing has changed.
    pub fn release(&self, slot: usize) -> Result<(), NotClaimed> {
        let (word, bit) = place(slot);
        // ORDER: Release so that what this holder did is visible to the next one; pairs with `claim_slot`.
        if self.words[word].fetch_and(!bit, Ordering::Release) & bit == 0 { Err(NotClaimed) } else { Ok(()) }
    }

    /// Whether `slot` is claimed just now.
    #[must_use]
    pub fn is_claimed(&self, slot: usize) -> bool {
        let (word, bit) = place(slot);
        self.words[word].load(Ordering::Relaxed) & bit != 0
    }

    /// Number of claimed slots just now.
    #[must_use]
    pub fn claimed(&self) -> usize {
        self.words.iter().map(|word| word.load(Ordering::Relaxed).count_ones() as usize).sum()
    }
}

fn place(slot: usize) -> (usize, u64) {
    (slot / 64, 1 << (slot % 64))
}

#[cfg(all(test, not(any(millstream_loom, millstream_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_claim_takes_the_first_free_slot_from_where_it_is_told_and_then_from_the_start() {
        let set = SlotSet::new(3);
        assert_eq!((set.len(), set.is_empty(), SlotSet::new(0).is_empty()), (3, false, true));
        assert_eq!([1, 1, 7, 0].map(|first| set.claim_from(first)), [Some(1), Some(2), Some(0), None]);
        assert_eq!(set.claimed(), 3);
    }

    #[test]
    fn each_slot_has_a_bit_of_its_own() {
        let set = SlotSet::new(SLOTS_MAX);
        for slot in [1, 64, 129, SLOTS_MAX - 1] {
            assert!(set.claim_slot(slot) && !set.claim_slot(slot));
            let claimed: Vec<usize> = (0..SLOTS_MAX).filter(|slot| set.is_claimed(*slot)).collect();
            assert_eq!((claimed, set.claimed()), (vec![slot], 1));
            assert_eq!((set.release(slot), set.release(slot)), (Ok(()), Err(NotClaimed)));
        }
        assert_eq!(set.claimed(), 0);
    }

    #[test]
    #[should_panic(expected = "257 slots, at most 256")]
    fn a_set_has_a_most_of_slots() {
        let _ = SlotSet::new(SLOTS_MAX + 1);
    }
}
