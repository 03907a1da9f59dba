//! What must run without a report. Each case on inline and on queued streams.

mod churn;
mod events;
mod hand_over;
mod imports;
mod lock_order;
mod out_of_memory;
mod stress;

use millstream::Result;
use millstream::cpu::Mode;

/// A program.
pub struct Case {
    /// What it drives.
    pub name: &'static str,
    /// Compares its values itself, and panics.
    pub run: fn(Mode) -> Result<()>,
}

/// Who runs the work of a stream.
pub const MODES: [Mode; 2] = [Mode::Inline, Mode::Queued];

/// All cases.
pub const ALL: &[Case] = &[
    Case { name: "stress", run: stress::watched },
    Case { name: "leases", run: stress::more_threads_than_streams },
    Case { name: "hand_over", run: hand_over::ring },
    Case { name: "churn", run: churn::generations },
    Case { name: "shutdown", run: churn::against_shutdown },
    Case { name: "events", run: events::across_threads },
    Case { name: "out_of_memory", run: out_of_memory::storm },
    Case { name: "imports", run: imports::shared },
    Case { name: "lock_order", run: lock_order::by_the_table },
];

impl Case {
    /// The name of a run.
    pub fn name_in(&self, mode: Mode) -> String {
        format!("{}/{}", self.name, if mode == Mode::Inline { "inline" } else { "queued" })
    }
}

/// The case and mode of that name.
pub fn named(name: &str) -> (&'static Case, Mode) {
    let mut all = ALL.iter().flat_map(|case| MODES.map(|mode| (case, mode)));
    all.find(|(case, mode)| case.name_in(*mode) == name).unwrap_or_else(|| panic!("there is no case {name:?}"))
}
