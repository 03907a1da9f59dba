//! A position in a stream as one word, for backends that keep in an event what it stands for.
//!
//! One word, so that an event is recorded, read and used again without a lock, and a reader sees the slot and the position of one and the same record.

use crate::{Error, Result};

const POSITION_BITS: u32 = 48;

/// A slot of a backend and a position in it. No mark is the word 0, which can stand for "never recorded".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u64);

impl Mark {
    /// Errors: [`Error::Exhausted`] beyond 2^48 positions of a slot.
    pub fn new(slot: u16, position: u64) -> Result<Self> {
        if position >= 1 << POSITION_BITS {
            return Err(Error::Exhausted { what: "positions of a stream", limit: 1 << POSITION_BITS });
        }
        // Slot + 1, so that no mark is zero.
        Ok(Self((u64::from(slot) + 1) << POSITION_BITS | position))
    }

    /// The mark that [`Mark::word`] gave; `None` for 0.
    #[must_use]
    pub fn from_word(word: u64) -> Option<Self> {
        (word != 0).then_some(Self(word))
    }

    /// The word.
    #[must_use]
    pub fn word(self) -> u64 {
        self.0
    }

    /// The slot.
    #[must_use]
    pub fn slot(self) -> usize {
        (self.0 >> POSITION_BITS) as usize - 1
    }

    /// The position.
    #[must_use]
    pub fn position(self) -> u64 {
        self.0 & ((1 << POSITION_BITS) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_keeps_slot_and_position_and_has_an_end() {
        let mark = Mark::new(1023, (1 << 48) - 1).unwrap();
        assert_eq!((mark.slot(), mark.position()), (1023, (1 << 48) - 1));
        assert_eq!((Mark::from_word(mark.word()), Mark::from_word(0)), (Some(mark), None));
        assert_ne!(Mark::new(0, 0).unwrap().word(), 0);
        assert!(matches!(Mark::new(0, 1 << 48), Err(Error::Exhausted { .. })));
    }
}
