//! What a scheduled run leaves behind: trace, digest, and what went wrong.

use std::fmt;
use std::panic::Location;

use super::Point;

/// A thread at a point of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the thread in its run.
    pub thread: usize,
    /// The point it reached last, `None` before the first.
    pub point: Option<Point>,
    /// File and line of the point.
    pub at: Option<(&'static str, u32)>,
}

impl Place {
    pub(super) fn new(thread: usize, last: Option<(Point, &'static Location<'static>)>) -> Self {
        Self { thread, point: last.map(|l| l.0), at: last.map(|l| (l.1.file(), l.1.line())) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.point, self.at) {
            (Some(point), Some((file, line))) => write!(f, "thread {} at {point:?} ({file}:{line})", self.thread),
            _ => write!(f, "thread {} at its start", self.thread),
        }
    }
}

/// Every thread waits and nothing moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlock {
    /// Who waits where.
    pub waiting: Vec<Place>,
}

/// The run was given up: a thread kept the baton for too long, or there was no end to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hang {
    /// Who held the baton, and the last point it reached.
    pub holder: Place,
    /// Why it was given up.
    pub reason: &'static str,
}

/// What a trace line tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The baton went to thread `to` at `point`.
    Switch {
        /// Where.
        point: Point,
        /// To whom.
        to: usize,
    },
    /// The thread has ended, destructors and all; the baton went to `to`.
    Ended {
        /// To whom, if anybody is left.
        to: Option<usize>,
    },
    /// A line of [`super::log`].
    Log(Box<str>),
}

/// One line of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceLine {
    /// Points passed before it, by all threads.
    pub step: u64,
    /// Whose line it is.
    pub thread: usize,
    /// What happened.
    pub what: What,
}

impl fmt::Display for TraceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, thread, what } = self;
        match what {
            What::Switch { point, to } => write!(f, "{step} t{thread} {point:?} -> t{to}"),
            What::Ended { to: Some(to) } => write!(f, "{step} t{thread} ended -> t{to}"),
            What::Ended { to: None } => write!(f, "{step} t{thread} ended"),
            What::Log(text) => write!(f, "{step} t{thread} {text}"),
        }
    }
}

/// What a scheduled run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The seed that it replays from.
    pub seed: u64,
    /// Switches, ends and log lines, up to [`super::Settings::trace_lines_max`].
    pub trace: Vec<TraceLine>,
    /// 64-bit FNV-1a hash over every point and every line, also those that were not kept.
    pub digest: u64,
    /// Points passed.
    pub steps: u64,
    /// Times that the baton changed hands.
    pub switches: u64,
    /// Set when every thread waited and nothing moved.
    pub deadlock: Option<Deadlock>,
    /// Set when the run was given up.
    pub hang: Option<Hang>,
    /// Threads whose body panicked, with the message.
    pub panics: Vec<(usize, String)>,
}

impl Outcome {
    /// Neither a deadlock nor a hang nor a panic.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.deadlock.is_none() && self.hang.is_none() && self.panics.is_empty()
    }

    /// The trace as text, a line each.
    #[must_use]
    pub fn trace_text(&self) -> String {
        self.trace.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// 64-bit FNV-1a.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digest(pub(super) u64);

impl Digest {
    pub(super) const START: Self = Self(0xcbf2_9ce4_8422_2325);

    pub(super) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
