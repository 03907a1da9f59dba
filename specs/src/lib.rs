//! State-machine models of Millstream's protocols, explored exhaustively.
//!
//! They exist because a lost wake-up, a stranded block or an early reuse is a flaw of the protocol, not of a line of
//! code, and is found in seconds in a model of a few threads where a stress run may never meet it. Each model is one
//! file, with the moves of one party in a file below it where that is long. It changes only when its protocol changes,
//! and carries the bugs that such protocols have had elsewhere: a property that no planted bug breaks is not a check.
//!
//! The models are sequentially consistent: orderings of single atomics are the business of the loom tests. They
//! check safety; what must happen in the end is checked in the states in which nothing moves any more.
//!
//! **Checked by** `tests/cases.rs`: counts, planted bugs, and that every property is broken by one of them.
#![forbid(unsafe_code)]

pub mod check;
pub mod faults_and_reads;
pub mod inbox_thread_exit;
pub mod lease_and_permits;
pub mod lease_revocation;
pub mod shutdown_and_flush;
pub mod stamps_and_reuse;

use serde::Serialize;

pub use check::{Case, CaseReport, Expected, Outcome, Protocol};

/// The result of all cases of all models.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// One entry a case, in the order of the tables.
    pub cases: Vec<CaseReport>,
    /// Sum of the states of all cases.
    pub states: usize,
    /// Sum of the times of all cases.
    pub seconds: f64,
    /// Whether every case came out as its table says.
    pub ok: bool,
}

/// Runs every case of every model, one after the other, and tells `progress` of each as it ends.
pub fn run_all(progress: &mut dyn FnMut(&CaseReport)) -> Report {
    run_matching("", progress)
}

/// Runs the cases whose `spec/case` contains `pattern`; the empty pattern is all of them.
pub fn run_matching(pattern: &str, progress: &mut dyn FnMut(&CaseReport)) -> Report {
    let mut cases = Vec::new();
    run_spec::<lease_and_permits::Config>(pattern, progress, &mut cases);
    run_spec::<lease_revocation::Config>(pattern, progress, &mut cases);
    run_spec::<inbox_thread_exit::Config>(pattern, progress, &mut cases);
    run_spec::<stamps_and_reuse::Config>(pattern, progress, &mut cases);
    run_spec::<shutdown_and_flush::Config>(pattern, progress, &mut cases);
    run_spec::<faults_and_reads::Config>(pattern, progress, &mut cases);
    Report {
        states: cases.iter().map(|case| case.states).sum(),
        seconds: cases.iter().map(|case| case.seconds).sum(),
        ok: cases.iter().all(|case| case.ok),
        cases,
    }
}

fn run_spec<M: Protocol>(pattern: &str, progress: &mut dyn FnMut(&CaseReport), reports: &mut Vec<CaseReport>) {
    for case in M::CASES.iter().filter(|case| format!("{}/{}", M::SPEC, case.name).contains(pattern)) {
        let report = check::check(case);
        progress(&report);
        reports.push(report);
    }
}
