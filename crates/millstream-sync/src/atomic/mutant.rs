//! One operation made weaker, on purpose: shows that loom would notice if it were.
//!
//! Under loom every operation of [`super`] asks here. `cargo xtask loom` records the places of all operations that matter (a loop over the cases
//! of a protocol), then runs the cases again with one of them weakened: an ordering taken away, or a read-modify-write torn into a
//! load and a store. A weakening that no case notices is a hole in the tests or an ordering that is not needed. Outside loom
//! nothing of this exists.

use super::Ordering;

#[cfg(millstream_loom)]
mod imp {
    use std::collections::BTreeSet;
    use std::panic::Location;
    use std::sync::{Mutex, OnceLock, PoisonError};

    use super::Ordering;

    /// A place and what was done to it, as `file:line weaker|torn`.
    static CHOSEN: OnceLock<String> = OnceLock::new();
    static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

    /// Chooses the mutant for the rest of the process.
    pub fn choose(mutant: &str) {
        let _ = CHOSEN.set(mutant.to_owned());
    }

    /// The mutants that were met so far.
    pub fn seen() -> Vec<String> {
        SEEN.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    #[track_caller]
    fn is(kind: &str) -> bool {
        let at = Location::caller();
        let mutant = || format!("{}:{} {kind}", at.file(), at.line());
        match CHOSEN.get() {
            Some(chosen) => *chosen == mutant(),
            None => {
                SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert(mutant());
                false
            }
        }
    }

    #[track_caller]
    pub(crate) fn order(order: Ordering) -> Ordering {
        if order != Ordering::Relaxed && is("weaker") { Ordering::Relaxed } else { order }
    }

    #[track_caller]
    pub(crate) fn fence(order: Ordering) -> Option<Ordering> {
        match order {
            order if !is("weaker") => Some(order),
            // ORDER: AcqRel is the next weaker fence.
            Ordering::SeqCst => Some(Ordering::AcqRel),
            _ => None,
        }
    }

    #[track_caller]
    pub(crate) fn torn() -> bool {
        is("torn")
    }
}

#[cfg(not(millstream_loom))]
mod imp {
    use super::Ordering;

    #[inline(always)]
    pub(crate) const fn order(order: Ordering) -> Ordering {
        order
    }

    #[inline(always)]
    pub(crate) const fn fence(order: Ordering) -> Option<Ordering> {
        Some(order)
    }

    #[inline(always)]
    pub(crate) const fn torn() -> bool {
        false
    }
}

#[cfg(millstream_loom)]
pub use imp::{choose, seen};
pub(super) use imp::{fence, order, torn};
