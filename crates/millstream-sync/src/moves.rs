//! Things that go from one place to another, for a search that goes through the places one after another and may look into each at the wrong moment.
//!
//! Who carries something takes it out after [`Moves::carry`] and counts the move when it has put it down. A search that found nothing asks
//! [`Moves::may_have_overlooked`]: if nobody was on the way, there was nothing to be found.
//!
//! **Invariants**
//! * `nothing-in-hands`: a search that found no place that holds the thing, and is told that it overlooked nothing, has looked while it was in no place.
//!
//! **Checked by** tests/loom/protocols/moves.rs.

use crate::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Who carries something just now, and what was put down so far.
#[derive(Debug, Default)]
pub struct Moves {
    carriers: AtomicU32,
    put_down: AtomicU64,
}

impl Moves {
    /// Nobody on the way.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Before something is taken out of a place: until the guard drops, what this thread has taken may be in no place.
    #[must_use]
    pub fn carry(&self) -> Carried<'_> {
        self.carriers.fetch_add(1, Ordering::Relaxed);
        // ORDER: Release fence so that a search that finds the place emptied sees the carrier; pairs with the fence in `may_have_overlooked`.
        fence(Ordering::Release);
        Carried(self)
    }

    /// Something was put down, or could not be looked at: a search that began before may have overlooked it.
    pub fn note(&self) {
        // ORDER: Release so that who sees the count sees the thing in its new place; pairs with `so_far`.
        self.put_down.fetch_add(1, Ordering::Release);
    }

    /// How often something was put down: to be read before a search.
    #[must_use]
    pub fn so_far(&self) -> u64 {
        // ORDER: Acquire so that the search sees what was put down before; pairs with `note`.
        self.put_down.load(Ordering::Acquire)
    }

    /// Whether a search that began at `before` and found nothing may have overlooked something. Not asked by a thread that carries something itself.
    #[must_use]
    pub fn may_have_overlooked(&self, before: u64) -> bool {
        // ORDER: Acquire fence so that who found a place empty sees the carrier that emptied it, also where it looked by a relaxed load; pairs with
        // the fence in `carry`.
        fence(Ordering::Acquire);
        // ORDER: Acquire so that who finds nobody carrying sees what was put down; pairs with `Carried::drop`.
        self.carriers.load(Ordering::Acquire) > 0 || self.so_far() != before
    }
}

/// While it lives, something may be on its way.
#[derive(Debug)]
pub struct Carried<'a>(&'a Moves);

impl Drop for Carried<'_> {
    fn drop(&mut self) {
        // ORDER: Release so that who finds nobody carrying finds the things where they were put; pairs with `may_have_overlooked`.
        self.0.carriers.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(all(test, not(any(millstream_loom, millstream_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_search_overlooks_what_is_carried_and_what_was_put_down_meanwhile() {
        let moves = Moves::new();
        let before = moves.so_far();
        assert!(!moves.may_have_overlooked(before));
        let carried = moves.carry();
        assert!(moves.may_have_overlooked(before));
        moves.note();
        drop(carried);
        assert!(moves.may_have_overlooked(before), "it was put down after the search began");
        assert!(!moves.may_have_overlooked(moves.so_far()));
    }
}
