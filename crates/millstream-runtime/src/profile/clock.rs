//! The profiler's clock: the time-stamp counter, where it can be had.
//!
//! The first clock of a process measures the counter against the system's time, while others wait for that. A child that was forked meanwhile has the measurement
//! half-way and not the thread that makes it: its clocks read the system's time.
//!
//! **Invariants**
//! * `no-wait-for-the-gone`: nobody waits for a measurement that another process began.

use std::time::Instant;

use millstream_sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::fork;

/// The process that began to measure: the count of forks that led there, and one.
static BEGUN_IN: AtomicU32 = AtomicU32::new(0);
static MEASURED: AtomicBool = AtomicBool::new(false);

/// A clock with units of its own.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    Counter(quanta::Clock),
    System(Instant),
}

impl Clock {
    /// A clock. Waits for a measurement that goes on, and makes it where nobody has.
    pub(crate) fn new() -> Self {
        let here = fork::generation() + 1;
        let begun = || BEGUN_IN.compare_exchange(0, here, Ordering::Relaxed, Ordering::Relaxed);
        if !MEASURED.load(Ordering::Relaxed) && begun().is_err_and(|begun_in| begun_in != here) {
            return Self::System(Instant::now());
        }
        let clock = quanta::Clock::new();
        MEASURED.store(true, Ordering::Relaxed);
        Self::Counter(clock)
    }

    /// A reading.
    #[inline]
    pub(crate) fn raw(&self) -> u64 {
        match self {
            Self::Counter(clock) => clock.raw(),
            Self::System(from) => from.elapsed().as_nanos() as u64,
        }
    }

    /// Nanoseconds between two readings.
    pub(crate) fn delta_as_nanos(&self, from: u64, to: u64) -> u64 {
        match self {
            Self::Counter(clock) => clock.delta_as_nanos(from, to),
            Self::System(_) => to.saturating_sub(from),
        }
    }
}
