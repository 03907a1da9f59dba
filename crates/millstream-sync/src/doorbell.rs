//! Sleeping until something has happened, without a lock on the path of who makes it happen.
//!
//! [`Doorbell`] is an event count: the sleeper counts itself, fences, looks at its condition under a private mutex and sleeps; the ringer changes
//! the world, fences, and touches the mutex only when somebody is counted. The mutex is a leaf: nothing is called while it is held. [`Progress`] is a
//! counter with a doorbell.
//!
//! **Invariants**
//! * `no-lost-ring`: who sleeps sleeps on a condition that was false after its count was visible.
//! * `progress-grows`: a progress never goes back.
//!
//! **Checked by** tests/loom/protocols/doorbell.rs.

use std::time::Duration;

use crate::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use crate::deadline::Deadline;
use crate::lock::record::{self, Boundary};
use crate::schedule::{self, Point};
use crate::seam;

/// A bell that wakes who waits for a condition.
#[derive(Default)]
pub struct Doorbell {
    sleepers: AtomicU32,
    mutex: seam::Mutex<()>,
    condvar: seam::Condvar,
}

impl std::fmt::Debug for Doorbell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Doorbell({} asleep)", self.sleepers.load(Ordering::Relaxed))
    }
}

impl Doorbell {
    /// A bell that nobody waits for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes all sleepers so that they look at their conditions. What makes a condition true must be stored before.
    #[inline]
    pub fn ring(&self) {
        // ORDER: SeqCst fence so that either this load sees the sleeper or the sleeper sees the change; pairs with `sleep`.
        fence(Ordering::SeqCst);
        self.ring_after_fence();
    }

    /// The same, for a caller that has passed a fence, sequentially consistent, since what makes a condition true was stored.
    #[inline]
    pub fn ring_after_fence(&self) {
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            // Holding the mutex once: a sleeper is either before its look, which then sees the change, or asleep.
            drop(seam::lock(&self.mutex));
            self.condvar.notify_all();
        }
    }

    /// Blocks the host until `condition` holds or `timeout` has passed (`None`: for ever). Returns whether it held. Recorded as a host wait.
    #[track_caller]
    pub fn wait_until(&self, timeout: Option<Duration>, mut condition: impl FnMut() -> bool) -> bool {
        record::boundary(Boundary::HostWait);
        for _ in 0..=seam::SPINS {
            if condition() {
                return true;
            }
            std::hint::spin_loop();
        }
        let deadline = Deadline::after(timeout);
        while schedule::blocked(Point::Wait) {
            if condition() {
                return true;
            }
            if deadline.passed() {
                return false;
            }
        }
        self.sleep(deadline, condition)
    }

    fn sleep(&self, deadline: Deadline, mut condition: impl FnMut() -> bool) -> bool {
        self.sleepers.fetch_add(1, Ordering::Relaxed);
        // ORDER: SeqCst fence so that either the ringer sees this sleeper or this sleeper sees the change; pairs with `ring`.
        fence(Ordering::SeqCst);
        let mut guard = seam::lock(&self.mutex);
        let held = loop {
            if condition() {
                break true;
            }
            let left = deadline.left();
            if left == Some(Duration::ZERO) {
                break false;
            }
            guard = seam::wait(&self.condvar, guard, left);
        };
        drop(guard);
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
        held
    }
}

/// A position that only grows and can be waited for.
#[derive(Debug, Default)]
pub struct Progress {
    position: AtomicU64,
    bell: Doorbell,
}

impl Progress {
    /// Position zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The position. What was done before it was reached is visible.
    #[inline]
    #[must_use]
    pub fn completed(&self) -> u64 {
        // ORDER: Acquire so that the work up to the position is visible; pairs with `advance`.
        self.position.load(Ordering::Acquire)
    }

    /// Moves to `position`, which only one thread at a time may do, and wakes who waits for it.
    #[inline]
    pub fn advance(&self, position: u64) {
        debug_assert!(position >= self.position.load(Ordering::Relaxed));
        // ORDER: Release so that the work up to the position is visible; pairs with `completed`.
        self.position.store(position, Ordering::Release);
        self.bell.ring();
    }

    /// Blocks the host until the position is at least `position` or `timeout` has passed. Returns whether it was reached.
    #[track_caller]
    pub fn wait(&self, position: u64, timeout: Option<Duration>) -> bool {
        self.completed() >= position || self.bell.wait_until(timeout, || self.completed() >= position)
    }
}

#[cfg(all(test, not(any(millstream_loom, millstream_shuttle))))]
mod tests {
    use super::*;
    use crate::Arc;
    use crate::schedule::{Settings, run_with};

    const SHORT: Option<Duration> = Some(Duration::from_millis(5));

    #[test]
    fn a_wait_ends_when_its_condition_holds_or_its_time_is_over_and_leaves_no_sleeper() {
        let bell = Doorbell::new();
        assert!(bell.wait_until(None, || true));
        assert!(!bell.wait_until(SHORT, || false));
        assert_eq!(bell.sleepers.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_position_is_waited_for_until_it_is_reached() {
        let progress = Progress::new();
        progress.advance(3);
        assert_eq!(progress.completed(), 3);
        assert_eq!([2, 3, 4].map(|position| progress.wait(position, SHORT)), [true, true, false]);
    }

    #[test]
    fn a_wait_in_a_scheduled_run_ends_in_the_same_two_ways() {
        for seed in 0..8 {
            let progress = Arc::new(Progress::new());
            let (waiter, advancer) = (progress.clone(), progress);
            let wait = move || {
                assert!(waiter.wait(1, None));
                assert!(!waiter.wait(2, SHORT));
            };
            let outcome = run_with(&Settings::new(seed), vec![Box::new(wait), Box::new(move || advancer.advance(1))]);
            assert!(outcome.is_clean(), "seed {seed}: {:?} {:?}", outcome.panics, outcome.hang);
        }
    }
}
