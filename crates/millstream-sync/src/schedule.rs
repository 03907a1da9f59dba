//! Scheduled runs: real threads, of which exactly one runs, chosen by a seed at named points.
//!
//! Off, each point costs one relaxed load. On, a registered thread hands the baton over at the point; threads that never
//! registered are not touched.

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

/// Offers the baton at `point`. Returns at once on a thread that is not scheduled.
#[inline]
pub fn point(point: Point) {
    let _ = point;
}

/// Called in a loop by whatever would block the host: hands the baton to another thread and returns `true`, or returns
/// `false` on a thread that is not scheduled, which then really blocks.
#[inline]
pub fn blocked(point: Point) -> bool {
    let _ = point;
    false
}

/// Whether the calling thread is scheduled.
#[inline]
#[must_use]
pub fn scheduled() -> bool {
    false
}
