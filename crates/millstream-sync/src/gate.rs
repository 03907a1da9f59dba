//! The life of a device as one word, and the count of those inside.
//!
//! A pass is: look at the state, count up, look again, work, count down by a guard, look a third time whether somebody waits for that.
//! Closing is: set the state, then wait for the count. Either the second look sees the close or the closer sees the count; either the
//! third look sees the close or the closer sees the count gone.
//!
//! **Life** `Live` -> `Faulted` -> `Draining` -> `Closed`, any of them left out, never back. A fault after `Draining` changes no state: nothing new
//! is taken any more anyway.
//!
//! **Invariants**
//! * `nothing-after-close`: once [`Gate::close`] has returned with count zero nobody is inside and nobody gets in.
//! * `count-returns`: every pass that was counted is counted down, on unwind and early return too.
//!
//! **Checked by** tests/loom/protocols/gate.rs, specs/shutdown_and_flush and its SPIN twin.

use crate::atomic::{AtomicU32, Ordering, fence};
use crate::deadline::Deadline;
use crate::doorbell::Doorbell;
use crate::schedule::{self, Point};
use crate::seeded::{self, Bug};

/// State of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum State {
    /// Takes work.
    Live = 0,
    /// Failed: takes no work, says why.
    Faulted = 1,
    /// Takes no work; what is running ends.
    Draining = 2,
    /// Nothing is inside any more.
    Closed = 3,
}

impl State {
    fn from_word(word: u32) -> Self {
        match word {
            0 => Self::Live,
            1 => Self::Faulted,
            2 => Self::Draining,
            _ => Self::Closed,
        }
    }
}

/// The state and the count of passes (`flushes_in_progress`).
#[derive(Debug, Default)]
pub struct Gate {
    state: AtomicU32,
    inside: AtomicU32,
    left: Doorbell,
}

impl Gate {
    /// A live gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The state just now. What led to it is visible.
    #[inline]
    #[must_use]
    pub fn state(&self) -> State {
        // ORDER: Acquire so that what led to the state (the cause of a fault) is visible; pairs with `advance`.
        State::from_word(self.state.load(Ordering::Acquire))
    }

    /// Whether work is taken just now: one relaxed load.
    #[inline]
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.state.load(Ordering::Relaxed) == State::Live as u32
    }

    /// Moves the state forward; a state behind the present one changes nothing. Returns the state before.
    pub fn advance(&self, to: State) -> State {
        // ORDER: AcqRel so that what led to the state is visible to who reads it, and what led to the one before to this caller; pairs with
        // `state` and with itself.
        let before = self.state.fetch_max(to as u32, Ordering::AcqRel);
        // ORDER: SeqCst fence so that either a pass sees the state or `close` sees its count; pairs with the fence in `pass`.
        fence(Ordering::SeqCst);
        State::from_word(before)
    }

    /// Goes inside, unless the gate is closed.
    pub fn pass(&self) -> Option<Pass<'_>> {
        self.pass_with(|| {})
    }

    /// The same, with `between` called between the first look and the count: where a probe holds the thread.
    pub fn pass_with(&self, between: impl FnOnce()) -> Option<Pass<'_>> {
        // First look: after the close nobody counts any more, so that the closer's count goes to zero and stays there.
        if self.state() == State::Closed && !seeded::is(Bug::FlushAfterClose) {
            return None;
        }
        between();
        self.inside.fetch_add(1, Ordering::Relaxed);
        let pass = Pass { gate: self };
        // ORDER: SeqCst fence so that either this look sees the close or the closer sees the count; pairs with the fence in `advance`.
        fence(Ordering::SeqCst);
        schedule::point(Point::ThreadExit);
        // Second look: the gate may have closed before the count went up.
        if self.state() == State::Closed && !seeded::is(Bug::FlushAfterClose) {
            return None;
        }
        Some(pass)
    }

    /// How many are inside.
    #[must_use]
    pub fn inside(&self) -> u32 {
        // ORDER: Acquire so that what a pass did before it left is visible when it is not counted; pairs with `Pass::drop`.
        self.inside.load(Ordering::Acquire)
    }

    /// Closes the gate and waits until nobody is inside or the deadline has passed. Blocks the host. Returns how many are still inside.
    pub fn close(&self, deadline: impl Into<Deadline>) -> u32 {
        let deadline = deadline.into();
        self.advance(State::Closed);
        // Counted once more after that, late comers turn back at their second look: they are not inside.
        if self.left.wait_until(deadline.left(), || self.inside() == 0) { 0 } else { self.inside() }
    }
}

/// Being inside a gate; counted down on drop.
#[derive(Debug)]
pub struct Pass<'a> {
    gate: &'a Gate,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if seeded::is(Bug::CountLeftBehind) && crate::thread::panicking() {
            return;
        }
        // ORDER: Release so that what was done inside is visible to the closer; pairs with the Acquire in `inside`.
        self.gate.inside.fetch_sub(1, Ordering::Release);
        // ORDER: SeqCst fence so that either this look sees the close or `close` sees the count gone; pairs with the fence in `advance`.
        fence(Ordering::SeqCst);
        if self.gate.state() >= State::Draining {
            self.gate.left.ring();
        }
    }
}

#[cfg(all(test, not(any(millstream_loom, millstream_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_gate_lets_in_until_it_is_closed_and_counts_who_is_inside() {
        let gate = Gate::new();
        assert!(gate.is_live());
        let pass = gate.pass();
        assert!(pass.is_some(), "a live gate refuses");
        assert_eq!(gate.inside(), 1);
        assert_eq!(gate.advance(State::Faulted), State::Live);
        assert!(!gate.is_live());
        assert!(gate.pass().is_some(), "a flush after a fault is let in");
        drop(pass);
        assert_eq!(gate.close(Deadline::NEVER), 0);
        assert!(gate.pass().is_none(), "a closed gate lets in");
        assert_eq!(gate.advance(State::Draining), State::Closed);
        assert_eq!(gate.state(), State::Closed, "a state went back");
    }
}
