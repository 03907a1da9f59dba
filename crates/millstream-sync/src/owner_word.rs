//! Ownership of a value by one word: taken by an exchange that never waits, given back by a store.
//!
//! For values that one thread uses nearly always (a thread's block cache, a stream's engine) and another takes only when they are idle. It
//! is not a lock: who does not get it does something else.
//!
//! **Invariants**
//! * `one-owner`: at most one [`Owned`] of a word exists.
//!
//! **Checked by** tests/loom/protocols/owner_word.rs.
#![expect(unsafe_code, reason = "the value is reached through a cell that the word guards")]

use crate::atomic::{AtomicU32, Ordering};
use crate::seam::UnsafeCell;

const FREE: u32 = 0;
const TAKEN: u32 = 1;

/// The word.
#[derive(Debug, Default)]
pub struct OwnerWord {
    word: AtomicU32,
}

impl OwnerWord {
    /// A free word.
    #[cfg(not(millstream_loom))]
    #[must_use]
    pub const fn new() -> Self {
        Self { word: AtomicU32::new(FREE) }
    }

    /// A free word.
    #[cfg(millstream_loom)]
    #[must_use]
    pub fn new() -> Self {
        Self { word: AtomicU32::new(FREE) }
    }

    /// Takes the word if it is free. Never waits.
    #[inline]
    pub fn try_take(&self) -> Option<Owned<'_>> {
        // An exchange and no swap: a try that fails writes nothing. The guard is made only after it: dropping one gives the word back.
        // ORDER: Acquire so that what the last owner did is visible; pairs with the Release in `Owned::drop`.
        let taken = self.word.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok().then(|| Owned { word: self })
    }

    /// The ownership that this thread has kept by [`Owned::keep`]. Panics when nobody owns the word.
    #[inline]
    pub(crate) fn kept(&self) -> Owned<'_> {
        assert!(self.is_taken(), "nobody has kept the word");
        Owned { word: self }
    }

    /// Whether someone owns it just now.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.word.load(Ordering::Relaxed) == TAKEN
    }
}

/// Ownership of a word, given back on drop.
#[derive(Debug)]
pub struct Owned<'a> {
    word: &'a OwnerWord,
}

impl Owned<'_> {
    /// Keeps the word beyond the life of the guard, until this thread asks for it again by [`OwnerWord::kept`].
    #[inline]
    pub(crate) fn keep(self) {
        let _not_given_back = std::mem::ManuallyDrop::new(self);
    }
}

impl Drop for Owned<'_> {
    #[inline]
    fn drop(&mut self) {
        // ORDER: Release so that what this owner did is visible to the next; pairs with the Acquire in `try_take`.
        self.word.word.store(FREE, Ordering::Release);
    }
}

/// A value behind an owner word.
#[derive(Debug, Default)]
pub struct OwnedCell<T> {
    word: OwnerWord,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only through `try_with`, by one owner at a time, so sharing the cell hands the value from thread to thread:
// T: Send is enough.
unsafe impl<T: Send> Sync for OwnedCell<T> {}

impl<T> OwnedCell<T> {
    /// A cell that nobody owns.
    #[cfg(not(millstream_loom))]
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self { word: OwnerWord::new(), value: UnsafeCell::new(value) }
    }

    /// A cell that nobody owns.
    #[cfg(millstream_loom)]
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { word: OwnerWord::new(), value: UnsafeCell::new(value) }
    }

    /// Runs `f` on the value if nobody owns it. Never waits. A panic in `f` gives the word back.
    #[inline]
    pub fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        let _owned = self.word.try_take()?;
        // SAFETY: the pointer is valid for the cell's life; no other reference to the value exists because `_owned` is the only one
        // (`one-owner`) and lives until after `f`.
        Some(self.value.with_mut(|value| f(unsafe { &mut *value })))
    }

    /// The value, when nobody else can see the cell.
    pub fn value_mut(&mut self) -> &mut T {
        // SAFETY: `&mut self` proves that no owner exists.
        self.value.with_mut(|value| unsafe { &mut *value })
    }
}

#[cfg(all(test, not(any(millstream_loom, millstream_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_failed_try_leaves_the_word_with_its_owner() {
        let word = OwnerWord::new();
        let owned = word.try_take();
        assert!(owned.is_some());
        assert!(word.try_take().is_none());
        assert!(word.is_taken(), "the failed try gave the word away");
        assert!(word.try_take().is_none());
        drop(owned);
        assert!(!word.is_taken(), "the word did not come back");
        assert!(word.try_take().is_some());
    }

    #[test]
    fn a_word_that_is_kept_stays_taken_until_it_is_asked_for_again() {
        let word = OwnerWord::new();
        word.try_take().expect("it is free").keep();
        assert!(word.is_taken() && word.try_take().is_none());
        drop(word.kept());
        assert!(!word.is_taken());
    }
}
