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
