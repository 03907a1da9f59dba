//! The attempts: what a round executes.
//!
//! Each attempt is a function of a [`Context`] that drives the public runtime, looks at what it did, and returns the filled [`Attempt`] with its
//! findings. Nothing in it is an opinion: a pattern without an executed probe is not covered, a counter at zero makes the round incomplete.

pub mod batch_queue;
pub mod churn;
pub mod configurations;
pub mod events;
pub mod extended_stress;
pub mod faults;
pub mod fork;
pub mod hand_over;
pub mod limits;
pub mod lock_order;
pub mod memory;
pub mod out_of_memory;
pub mod oversubscription;
#[cfg(feature = "models")]
pub mod own_model;
pub mod probes;
pub mod sheet;
pub mod shutdown;
pub mod simulated_schedules;
pub mod soak;
mod stage;
pub mod tally;
pub mod thread_local;

use millstream::evidence::Step;

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
    /// The configurations of the round.
    pub rows: &'a configurations::Rows,
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
    /// Protocol steps that it claims to drive: one at zero makes the round incomplete.
    pub claims: &'static [Step],
    /// Runs it.
    pub run: fn(&Context<'_>) -> Outcome,
}

/// The attempts that are made of probes alone.
pub static SHEETS: [&sheet::Sheet; 10] = [
    &hand_over::SHEET,
    &memory::SHEET,
    &events::SHEET,
    &out_of_memory::SHEET,
    &shutdown::SHEET,
    &fork::SHEET,
    &oversubscription::SHEET,
    &churn::SHEET,
    &faults::SHEET,
    &batch_queue::SHEET,
];

macro_rules! further {
    ($module:ident, $id:literal, $title:literal) => {
        Entry {
            id: $id,
            title: $title,
            default: false,
            claims: &$module::CLAIMS,
            run: |context| $module::SHEET.run(context),
        }
    };
}

/// All attempts, in the order they run.
pub static ATTEMPTS: [Entry; 16] = [
    Entry {
        id: "thread_local",
        title: "Thread-Local Storage Analysis",
        default: true,
        claims: &thread_local::CLAIMS,
        run: thread_local::run,
    },
    Entry {
        id: "lock_order",
        title: "Lock Ordering Verification",
        default: true,
        claims: &lock_order::CLAIMS,
        run: lock_order::run,
    },
    // Its claims are about one of its devices; it judges them itself.
    Entry {
        id: "extended_stress",
        title: "Extended Duration Stress Test",
        default: true,
        claims: &[],
        run: extended_stress::run,
    },
    further!(hand_over, "hand_over", "Cross-Stream Hand-Over"),
    further!(memory, "memory", "Memory"),
    further!(events, "events", "Events"),
    further!(out_of_memory, "out_of_memory", "Out of Memory"),
    further!(oversubscription, "oversubscription", "Oversubscription"),
    further!(churn, "churn", "Churn"),
    further!(shutdown, "shutdown", "Shutdown"),
    further!(fork, "fork", "Fork"),
    Entry {
        id: "simulated_schedules",
        title: "Simulated Schedules",
        default: false,
        claims: &[],
        run: simulated_schedules::run,
    },
    further!(faults, "faults", "Faults"),
    further!(batch_queue, "batch_queue", "Batch Queue"),
    Entry {
        id: "configurations",
        title: "Configurations",
        default: false,
        claims: &configurations::CLAIMS,
        run: configurations::run,
    },
    Entry { id: "soak", title: "Soak", default: false, claims: &soak::CLAIMS, run: soak::run },
];

/// The attempt on the user's model, which only a round with a model runs; none in a build without models.
#[must_use]
pub fn of_model() -> Option<&'static Entry> {
    #[cfg(feature = "models")]
    return Some(&own_model::ENTRY);
    #[cfg(not(feature = "models"))]
    None
}

/// The attempt of that id.
#[must_use]
pub fn named(id: &str) -> Option<&'static Entry> {
    ATTEMPTS.iter().chain(of_model()).find(|entry| entry.id == id)
}
