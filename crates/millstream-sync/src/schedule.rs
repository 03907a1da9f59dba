//! Scheduled runs: real threads, of which exactly one runs, chosen by a seed at named points.
//!
//! A thread that takes part holds the *baton* while it runs. At each [`point`] the seed alone decides who holds it next, so a run
//! is a function of its seed and a failing one is replayed with one command. It is compiled into the shipped binary: off, a
//! point costs one relaxed load; on, threads that do not take part are not touched. It does not change what a thread may see (the
//! memory model stays the machine's; loom is for that) and it does not make the body deterministic: a body that reads a clock,
//! an address or a hash seed of the process has to leave that alone. [`now`] is a clock that steps with the schedule.
//!
//! Whatever would block the host calls [`blocked`] in a loop instead. When every thread only does that and nothing moves for
//! [`Settings::stall_limit`] rounds, the run is a *deadlock*: it becomes a finding that names each thread with its point and place, the
//! schedule ends, and each waiting thread is unwound out of its `blocked` call (payload [`Released`]), so that the process lives. A
//! thread that is unwinding or already in its destructors is not unwound again; `blocked` returns `false` there and it really waits. A
//! watchdog in real time reports a thread that keeps the baton without reaching a point, and leaves it behind.
//!
//! ```
//! use millstream_sync::schedule::{Point, point, run};
//!
//! let body = || -> Box<dyn FnOnce() + Send> { Box::new(|| (0..3).for_each(|_| point(Point::Lock))) };
//! let first = run(42, vec![body(), body()]);
//! let again = run(42, vec![body(), body()]);
//! assert!(first.is_clean());
//! assert_eq!(first.trace_text(), again.trace_text());
//! ```
//!
//! **Life** a thread takes part from the first instruction of its body to the end of its thread-local destructors; only then is the
//! baton passed on.
//!
//! **Invariants**
//! * `one-runs`: of the threads that take part exactly one is not waiting for the baton.
//! * `seed-decides`: same seed, settings and bodies give the same trace, byte for byte.
//! * `no-hang`: `run` returns, whatever the bodies do.
//!
//! **Locks** one mutex of its own, never held while a body runs. It lies below everything and is not in the table of locks.
//!
//! **Checked by** schedule/tests, and the determinism tests of the sim.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "lies below the seam: a model checker must not see it"
)]

mod baton;
mod outcome;
mod policy;
mod state;
#[cfg(all(test, not(any(millstream_loom, millstream_shuttle))))]
mod tests;

use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use baton::{Released, run, run_with};
pub use outcome::{Deadlock, Hang, Outcome, Place, TraceLine, What};
pub use policy::{Dice, Policy};

/// Whether a scheduled run is going on in this process.
static ON: AtomicBool = AtomicBool::new(false);

/// Where a scheduled thread may be exchanged for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// A call into a backend.
    Backend,
    /// A lock is about to be taken.
    Lock,
    /// A stream is about to be claimed or returned.
    Lease,
    /// A thread hands back what it holds.
    ThreadExit,
    /// The thread would block on the host.
    Wait,
}

/// What a scheduled run is made of besides its bodies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Decides every switch.
    pub seed: u64,
    /// How the seed decides.
    pub policy: Policy,
    /// Rounds in which every thread only waits before that is called a deadlock. Over a device with threads of its own this is also
    /// real time, some 70 us a round and thread.
    pub stall_limit: u32,
    /// Points after which a run is given up as endless.
    pub steps_max: u64,
    /// Real time that a thread may take from one point to the next.
    pub watchdog: Duration,
    /// Trace lines to keep; the digest covers all.
    pub trace_lines_max: usize,
}

impl Settings {
    /// Uniform choice, and limits that suit runs of up to some seconds.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            policy: Policy::Uniform,
            stall_limit: 1_000,
            steps_max: 50_000_000,
            watchdog: Duration::from_secs(20),
            trace_lines_max: 1 << 20,
        }
    }
}

/// Offers the baton at `point`. Returns at once on a thread that is not scheduled.
#[inline]
#[track_caller]
pub fn point(point: Point) {
    // ORDER: Relaxed; a thread that takes part was spawned after the store, every other may see either value.
    if ON.load(Ordering::Relaxed) {
        baton::visit(point, false, Location::caller());
    }
}

/// Called in a loop by whatever would block the host: hands the baton to another thread and returns `true`, or returns
/// `false` on a thread that is not scheduled, which then really blocks. Unwinds with [`Released`] when the run was found
/// to be a deadlock.
#[inline]
#[track_caller]
pub fn blocked(point: Point) -> bool {
    // ORDER: Relaxed; as in `point`.
    ON.load(Ordering::Relaxed) && baton::visit(point, true, Location::caller())
}

/// Whether the calling thread is scheduled.
#[inline]
#[must_use]
pub fn scheduled() -> bool {
    // ORDER: Relaxed; as in `point`.
    ON.load(Ordering::Relaxed) && baton::me().is_some()
}

/// Number of the calling thread in its run, if it is scheduled.
#[must_use]
pub fn thread() -> Option<usize> {
    // ORDER: Relaxed; as in `point`.
    if ON.load(Ordering::Relaxed) { baton::me() } else { None }
}

/// Adds a line of the calling thread to the trace and counts as progress. Does nothing on a thread that is not scheduled.
pub fn log(text: &str) {
    // ORDER: Relaxed; as in `point`.
    if ON.load(Ordering::Relaxed) {
        baton::log(text);
    }
}

/// Time since the start of the scheduled run: 1 us for each point, 1 ms when nobody can do anything but wait. `None` on a
/// thread that is not scheduled, which then asks the real clock.
#[must_use]
pub fn now() -> Option<Duration> {
    // ORDER: Relaxed; as in `point`.
    if ON.load(Ordering::Relaxed) { baton::now() } else { None }
}
