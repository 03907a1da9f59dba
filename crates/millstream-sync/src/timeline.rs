//! How far a stream has come, and from which position on it is lost.
//!
//! One thread at a time drives a stream and moves its timeline; anybody may look. A failure is marked before its position is reached, and a stream that waited for a lost position
//! marks itself before it goes on. So who sees a position reached also sees what the work up to it wrote, and whether it is lost: the answer is final. Of the cause it says nothing.
//!
//! **Invariants**
//! * `position-grows`: the position moves forward alone.
//! * `lost-before-reached`: a position that is lost is marked before it is reached.
//! * `first-lost-stays`: a mark behind the first one changes nothing.
//!
//! **Checked by** tests/loom/protocols/timeline.rs, specs/faults_and_reads.

use crate::atomic::{AtomicU64, Ordering};

/// No position is lost.
const NONE: u64 = u64::MAX;

/// The timeline of one stream. Positions start at 1.
#[derive(Debug)]
pub struct Timeline {
    reached: AtomicU64,
    lost_from: AtomicU64,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { reached: AtomicU64::new(0), lost_from: AtomicU64::new(NONE) }
    }
}

impl Timeline {
    /// At position 0, nothing lost.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The position that was reached last. What the work up to it wrote is visible.
    #[inline]
    #[must_use]
    pub fn reached(&self) -> u64 {
        // ORDER: Acquire so that the work up to the position and the mark of a loss are visible; pairs with `reach`.
        self.reached.load(Ordering::Acquire)
    }

    /// Reaches `position`, if that is forward. Called by the driver, after the work up to it.
    #[inline]
    pub fn reach(&self, position: u64) {
        // The driver alone writes the word, and drivers come one after another.
        if position > self.reached.load(Ordering::Relaxed) {
            // ORDER: Release so that the work up to the position and the mark of a loss are visible; pairs with `reached`.
            self.reached.store(position, Ordering::Release);
        }
    }

    /// Reaches `position`, whose work has failed: it and all later ones are lost. Called by the driver, after it has told the cause.
    pub fn fail(&self, position: u64) {
        self.lose_from(position);
        self.reach(position);
    }

    /// Loses everything after the position that was reached last, since what comes next would wait for something lost. Called by the driver.
    pub fn lose_rest(&self) {
        // The driver's own store.
        self.lose_from(self.reached.load(Ordering::Relaxed) + 1);
    }

    fn lose_from(&self, position: u64) {
        // ORDER: Relaxed; published by the Release of `reach`.
        if position < self.lost_from.load(Ordering::Relaxed) {
            self.lost_from.store(position, Ordering::Relaxed);
        }
    }

    /// Whether `position` is lost. Final where the position was seen reached; before that `false` may become `true`.
    #[inline]
    #[must_use]
    pub fn is_lost(&self, position: u64) -> bool {
        // ORDER: Relaxed; the Acquire of `reached` made the mark visible.
        self.lost_from.load(Ordering::Relaxed) <= position
    }

    /// The first lost position, if there is one. Final where it was seen reached.
    #[must_use]
    pub fn lost_from(&self) -> Option<u64> {
        // ORDER: Relaxed; as in `is_lost`.
        Some(self.lost_from.load(Ordering::Relaxed)).filter(|position| *position != NONE)
    }
}

#[cfg(all(test, not(any(millstream_loom, millstream_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn the_position_never_goes_back_and_the_first_loss_stays() {
        let timeline = Timeline::new();
        assert_eq!((timeline.reached(), timeline.lost_from()), (0, None));
        timeline.reach(3);
        timeline.reach(2);
        assert_eq!(timeline.reached(), 3);
        timeline.fail(5);
        timeline.fail(7);
        timeline.lose_rest();
        assert_eq!((timeline.reached(), timeline.lost_from()), (7, Some(5)));
        assert_eq!([4, 5, 6].map(|position| timeline.is_lost(position)), [false, true, true]);
    }

    #[test]
    fn what_was_reached_before_a_wait_for_something_lost_stays() {
        let timeline = Timeline::new();
        timeline.reach(2);
        timeline.lose_rest();
        assert_eq!((timeline.reached(), timeline.lost_from()), (2, Some(3)));
    }
}
