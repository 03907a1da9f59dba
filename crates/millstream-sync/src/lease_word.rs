//! The state of a thread's lease as one word: whether its owner is inside an operation, and whether somebody took the lease away.
//!
//! The owner goes from idle to busy by an exchange and back by a store, so an operation costs one read-modify-write that nobody else
//! contends for. Who wants the lease exchanges idle for revoked, and so never gets it from an owner that is inside. The owner learns of it
//! when it begins its next operation.
//!
//! Handles can keep a lease: they are counted apart, and while there are any the owner leaves the word at kept in place of idle. Whoever
//! drops the last one, on any thread, makes it idle. Each time the owner leaves it at kept the word has another number: who drops the last
//! handle late, when the owner has made a new one meanwhile, finds that number changed, or the new handle counted.
//!
//! It does not know what a lease is for, nor when an idle one is worth taking.
//!
//! **Life** idle <-> busy, kept <-> busy, kept -> idle -> revoked; any of them -> closed, by the owner.
//!
//! **Invariants**
//! * `never-while-busy`: a lease is revoked only while its owner is outside of every operation, and what the owner did is visible then.
//! * `never-while-kept`: a lease is not revoked while a handle keeps it.
//! * `not-kept-for-ever`: with its owner outside and no handle left the word is idle.
//! * `revoked-once`: one of those that want a lease gets it, or its owner gives it back, and never both.
//!
//! **Checked by** tests/loom/protocols/lease_word.rs, specs/lease_revocation.

use crate::atomic::{AtomicU32, Ordering, fence};
use crate::schedule::{self, Point};
use crate::seeded::{self, Bug};

const IDLE: u32 = 0;
const BUSY: u32 = 1;
const KEPT: u32 = 2;
const REVOKED: u32 = 3;
const CLOSED: u32 = 4;
/// The state's bits; above them is the number of a kept word.
const STATE: u32 = 7;
/// Numbers come again after 2^29 ends of an operation, all of which would have to fall between two steps of one drop.
const NEXT: u32 = STATE + 1;

/// What an owner finds when it begins an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is inside now, and ends it.
    Outermost,
    /// It was inside already; the operation around it ends it.
    Nested,
    /// The lease is gone.
    Revoked,
}

/// What an owner finds when it closes its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It is the owner's to give back, and nobody revokes it any more.
    Own,
    /// It was revoked before.
    Revoked,
}

/// The word.
#[derive(Debug)]
pub struct LeaseWord {
    word: AtomicU32,
    handles: AtomicU32,
    /// The next kept word. The owner's alone.
    next_kept: AtomicU32,
}

impl LeaseWord {
    /// The word of a lease that was just taken: idle, kept by nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::with(IDLE, 0)
    }

    /// The word of what is no lease and cannot be revoked, until [`LeaseWord::let_go`] makes it one.
    #[must_use]
    pub fn kept() -> Self {
        Self::with(KEPT, 1)
    }

    fn with(word: u32, handles: u32) -> Self {
        Self {
            word: AtomicU32::new(word),
            handles: AtomicU32::new(handles),
            next_kept: AtomicU32::new(KEPT.wrapping_add(NEXT)),
        }
    }

    /// Begins an operation. For the owner. Never waits.
    #[inline]
    pub fn begin(&self) -> Begun {
        let mut found = IDLE;
        loop {
            // ORDER: Relaxed: idle and kept were stored by this thread, or by the drop of a handle that it need not follow.
            match self.word.compare_exchange(found, BUSY, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Begun::Outermost,
                Err(BUSY) => return Begun::Nested,
                Err(REVOKED | CLOSED) => return Begun::Revoked,
                Err(other) => found = other,
            }
        }
    }

    /// Ends the outermost operation. For the owner.
    #[inline]
    pub fn end(&self) {
        // Only the owner counts up from zero, so a zero that it reads stays.
        // ORDER: Acquire so that what was done through the last handle is passed on below; pairs with `let_go`.
        if self.handles.load(Ordering::Acquire) == 0 {
            // ORDER: Release so that who revokes the lease sees what was done with it; pairs with `revoke`.
            self.word.store(IDLE, Ordering::Release);
        } else {
            self.end_kept();
        }
    }

    #[cold]
    fn end_kept(&self) {
        let kept = self.next_kept.load(Ordering::Relaxed);
        self.next_kept.store(kept.wrapping_add(NEXT), Ordering::Relaxed);
        // ORDER: Release as in `end`: what makes it idle later is an exchange, which passes this on. Also so that who drops a handle and sees this
        // word sees the handles made before; pairs with `let_go`.
        self.word.store(kept, Ordering::Release);
        // ORDER: SeqCst fence so that either this thread sees the last handle gone or its drop sees the word kept; pairs with `let_go`.
        fence(Ordering::SeqCst);
        // ORDER: Acquire as in `end`.
        if self.handles.load(Ordering::Acquire) == 0 {
            self.make_idle(kept);
        }
    }

    /// Ends the lease before it is given back: from here on nobody revokes it. For the owner.
    pub fn close(&self) -> Closed {
        // ORDER: Relaxed: what follows is the owner's own, or nothing.
        match self.word.swap(CLOSED, Ordering::Relaxed) {
            REVOKED => Closed::Revoked,
            _ => Closed::Own,
        }
    }

    /// One handle more. For the owner inside an operation, or for who has a handle.
    pub fn keep(&self) {
        self.handles.fetch_add(1, Ordering::Relaxed);
    }

    /// One handle less. For anyone who has one.
    pub fn let_go(&self) {
        // ORDER: AcqRel so that the last one passes on what was done through the others; pairs with itself.
        if self.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            // ORDER: SeqCst fence so that either this thread sees the word kept or the owner sees the last handle gone; pairs with `end_kept`.
            fence(Ordering::SeqCst);
            // ORDER: Acquire so that handles which the owner made before it left the word so are counted below; pairs with `end_kept`.
            let found = self.word.load(Ordering::Acquire);
            // ORDER: Acquire so that what was done through another handle, dropped meanwhile, is passed on below; pairs with itself.
            if found & STATE == KEPT && self.handles.load(Ordering::Acquire) == 0 {
                self.make_idle(found);
            }
        }
    }

    /// The word was `kept` when no handle was left: as long as it is that, none was made.
    fn make_idle(&self, kept: u32) {
        // ORDER: Release so that who revokes the lease sees what was done through the handles; pairs with `revoke`. Another word: its owner sees to it.
        let _ = self.word.compare_exchange(kept, IDLE, Ordering::Release, Ordering::Relaxed);
    }

    /// Takes the lease away if its owner is outside of every operation and nobody keeps it. `true`: it is the caller's. Never waits.
    #[must_use]
    pub fn revoke(&self) -> bool {
        schedule::point(Point::Lease);
        if seeded::is(Bug::RevokeBusy) && self.word.load(Ordering::Relaxed) == BUSY {
            self.word.store(REVOKED, Ordering::Relaxed);
            return true;
        }
        // ORDER: Acquire so that what the owner did is visible; pairs with `end`.
        self.word.compare_exchange(IDLE, REVOKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Whether it would be revoked just now.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.word.load(Ordering::Relaxed) == IDLE
    }

    /// Whether its owner is inside an operation just now.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        // ORDER: Acquire so that what was done inside is visible when it is over; pairs with `end`.
        self.word.load(Ordering::Acquire) == BUSY
    }

    /// Whether its owner closed it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.word.load(Ordering::Relaxed) == CLOSED
    }

    /// Whether it was revoked.
    #[inline]
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.word.load(Ordering::Relaxed) == REVOKED
    }
}

impl Default for LeaseWord {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(any(millstream_loom, millstream_shuttle))))]
mod tests {
    use super::*;

    fn state(word: &LeaseWord) -> [bool; 4] {
        [word.is_idle(), word.is_busy(), word.is_closed(), word.is_revoked()]
    }

    #[test]
    fn a_lease_is_idle_or_busy_or_closed_or_revoked() {
        let word = LeaseWord::new();
        assert_eq!(state(&word), [true, false, false, false]);
        assert_eq!((word.begin(), word.begin()), (Begun::Outermost, Begun::Nested));
        assert_eq!(state(&word), [false, true, false, false]);
        assert!(!word.revoke());
        word.end();
        assert!(word.revoke() && !word.revoke());
        assert_eq!(state(&word), [false, false, false, true]);
        assert_eq!((word.begin(), word.close()), (Begun::Revoked, Closed::Revoked));
        let word = LeaseWord::new();
        assert_eq!((word.close(), word.begin(), word.revoke()), (Closed::Own, Begun::Revoked, false));
        assert_eq!(state(&word), [false, false, true, false]);
    }

    #[test]
    fn a_lease_is_kept_until_its_last_handle_is_gone() {
        let word = LeaseWord::new();
        for _ in 0..3 {
            word.begin();
            word.keep();
            word.keep();
            word.end();
            assert_eq!((state(&word), word.revoke()), ([false; 4], false));
            word.let_go();
            assert_eq!(state(&word), [false; 4]);
            word.let_go();
            assert_eq!(state(&word), [true, false, false, false]);
        }
        let word = LeaseWord::kept();
        assert!(!word.revoke());
        word.let_go();
        assert!(word.revoke());
    }

    #[test]
    fn each_end_of_an_operation_that_keeps_the_lease_has_another_number() {
        let word = LeaseWord::new();
        word.keep();
        let mut numbers: Vec<u32> = Vec::new();
        for _ in 0..4 {
            word.begin();
            word.end();
            let kept = word.word.load(Ordering::Relaxed);
            assert!(kept & STATE == KEPT && !numbers.contains(&kept), "{kept} after {numbers:?}");
            numbers.push(kept);
        }
    }

    #[test]
    fn the_last_handle_of_an_operation_that_goes_on_leaves_the_word_to_its_owner() {
        let word = LeaseWord::new();
        word.begin();
        word.keep();
        word.let_go();
        assert!(word.is_busy());
        word.end();
        assert!(word.is_idle());
    }
}
