//! Operations made weaker, on purpose: shows that loom and ThreadSanitizer would notice if they were.
//!
//! Under loom every operation of [`super`] asks here. `cargo xtask loom` records the places of all operations that matter (a loop over the cases
//! of a protocol), then runs the cases again with one of them weakened: an ordering taken away, or a read-modify-write torn into a
//! load and a store. A weakening that no case notices is a hole in the tests or an ordering that is not needed.
//!
//! Under ThreadSanitizer, which sees a missing order between two threads but not which of many runs would suffer, all orderings of one file can be taken away
//! together (`cargo xtask sanitize`). Elsewhere nothing of this exists.

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

#[cfg(millstream_tsan)]
mod imp {
    use std::panic::Location;
    use std::sync::OnceLock;

    use super::Ordering;

    static WEAKENED: OnceLock<String> = OnceLock::new();

    /// Takes the orderings of all operations of `file` away, for the rest of the process: the end of its path. Before the first thread is started.
    pub fn weaken(file: &str) {
        let _ = WEAKENED.set(file.to_owned());
    }

    #[track_caller]
    pub(crate) fn order(order: Ordering) -> Ordering {
        match WEAKENED.get() {
            Some(file) if Location::caller().file().ends_with(file.as_str()) => Ordering::Relaxed,
            _ => order,
        }
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

#[cfg(not(any(millstream_loom, millstream_tsan)))]
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

#[cfg(millstream_tsan)]
pub use imp::weaken;
#[cfg(millstream_loom)]
pub use imp::{choose, seen};
pub(super) use imp::{fence, order, torn};
