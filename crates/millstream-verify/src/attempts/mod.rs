//! The attempts: what a round executes.
//!
//! Each attempt is a function of a [`Context`] that drives the public runtime, looks at what it did, and returns the filled [`Attempt`] with its
//! findings. Nothing in it is an opinion: a pattern without an executed probe is not covered, a counter at zero makes the round incomplete.

pub mod extended_stress;
pub mod faults;
pub mod lock_order;
pub mod probes;
pub mod simulated_schedules;
pub mod thread_local;

use crate::model::{Attempt, Finding};
use crate::plan::{Plan, Progress};

/// What an attempt is given.
pub struct Context<'a> {
    /// The settings of the round.
    pub plan: &'a Plan,
    /// Where it tells what it is doing.
    pub progress: &'a dyn Progress,
    /// Runs one probe in a child process of the same binary.
    pub child: &'a probes::Child,
}

/// What an attempt gives back.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Everything but the numbering of findings.
    pub attempt: Attempt,
    /// What was found; ids are given by the round.
    pub findings: Vec<Finding>,
}

/// An attempt in the list.
pub struct Entry {
    /// As on the command line.
    pub id: &'static str,
    /// As in the heading.
    pub title: &'static str,
    /// Whether a round without `--all` and `--attempt` runs it: the three of the first report.
    pub default: bool,
    /// Runs it.
    pub run: fn(&Context<'_>) -> Outcome,
}

/// All attempts, in the order they run.
pub const ATTEMPTS: [Entry; 5] = [
    Entry { id: "thread_local", title: "Thread-Local Storage Analysis", default: true, run: thread_local::run },
    Entry { id: "lock_order", title: "Lock Ordering Verification", default: true, run: lock_order::run },
    Entry { id: "extended_stress", title: "Extended Duration Stress Test", default: true, run: extended_stress::run },
    Entry { id: "simulated_schedules", title: "Simulated Schedules", default: false, run: simulated_schedules::run },
    Entry { id: "faults", title: "Faults", default: false, run: faults::run },
];

/// The attempt of that id.
#[must_use]
pub fn named(id: &str) -> Option<&'static Entry> {
    ATTEMPTS.iter().find(|entry| entry.id == id)
}
