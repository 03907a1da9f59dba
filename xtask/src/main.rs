//! Repository tasks: one command a file.
//!
//! Whatever of the house's rules a tool can check is checked here, and the long checks are started from here, so that the
//! automated build and a person run the same. It knows nothing of what the crates do.
#![forbid(unsafe_code)]

mod bans;
mod ci;
mod inventory;
mod layers;
mod loom;
mod mutants;
mod page;
mod sanitize;
mod shuttle;
mod specs;
mod spin;
mod step;
mod tidy;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Repository tasks. Each exits with 0 when all is well, and says what is not otherwise.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// All checks below, in the order of their length, and a summary.
    Ci,
    /// The written rules: names, lengths, comments, links, locations, words.
    Tidy,
    /// The bans on bare locks, atomics and thread-locals: shows that clippy stops each.
    Bans,
    /// The arrows between the crates.
    Layers,
    /// Every interleaving of the small protocols; seeded bugs and weakened operations must be found.
    Loom {
        /// Only cases whose name contains this.
        #[arg(default_value = "")]
        only: String,
    },
    /// Changes of the protocols' code, made by cargo-mutants: tests must fail. Takes hours.
    Mutants(mutants::Options),
    /// Randomised schedules of whole protocols; seeded bugs must be found.
    Shuttle {
        /// Only cases whose name contains this.
        #[arg(default_value = "")]
        only: String,
        /// Another seed than the usual one.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// The runtime from twenty threads under a sanitizer; planted bugs must be reported.
    Sanitize {
        /// Which.
        sanitizer: sanitize::Sanitizer,
        /// Only cases whose name contains this.
        #[arg(default_value = "")]
        only: String,
    },
    /// The state-machine models of the protocols.
    Specs,
    /// The SPIN twins of the models: what must happen in the end. Needs `spin` and a C compiler.
    Spin,
    /// What `specs/README.md` says of models, sources, tests and invariants is there.
    Trace,
    /// What a reader of a round's page sees, in a headless browser.
    Page {
        /// Look at the reports in this folder instead of rounds that are run now.
        #[arg(long, value_name = "DIR")]
        reports: Option<PathBuf>,
        /// Leave screenshots here.
        #[arg(long, value_name = "DIR")]
        pictures: Option<PathBuf>,
    },
    /// All thread-locals and lock sites of the sources, as data for the report.
    Inventory {
        /// Compare with the file instead of writing it.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Ci => ci::run(),
        Task::Tidy => tidy::run(),
        Task::Bans => bans::run(),
        Task::Layers => layers::run(),
        Task::Loom { only } => loom::run(&only),
        Task::Mutants(options) => mutants::run(&options),
        Task::Shuttle { only, seed } => shuttle::run(&only, seed),
        Task::Sanitize { sanitizer, only } => sanitize::run(sanitizer, &only),
        Task::Specs => specs::run(),
        Task::Spin => spin::run(),
        Task::Trace => trace::run(),
        Task::Page { reports, pictures } => page::run(reports.as_deref(), pictures.as_deref()),
        Task::Inventory { check } => inventory::run(check),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
