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

pub mod batch_queue;
pub mod check;
pub mod event_reuse;
pub mod exit_hook;
pub mod faults_and_reads;
pub mod fork;
pub mod inbox_thread_exit;
pub mod lease_and_permits;
pub mod lease_revocation;
pub mod shutdown_and_flush;
pub mod single_flight_growth;
pub mod stamps_and_reuse;

use std::collections::BTreeSet;

use serde::Serialize;
use stateright::Expectation;

pub use check::{Case, CaseReport, Expected, Outcome, Protocol};

/// Calls a function for every model, in the order of the README.
macro_rules! each_model {
    ($function:ident $(, $argument:expr)*) => {
        $function::<lease_and_permits::Config>($($argument),*);
        $function::<lease_revocation::Config>($($argument),*);
        $function::<inbox_thread_exit::Config>($($argument),*);
        $function::<stamps_and_reuse::Config>($($argument),*);
        $function::<shutdown_and_flush::Config>($($argument),*);
        $function::<faults_and_reads::Config>($($argument),*);
        $function::<single_flight_growth::Config>($($argument),*);
        $function::<event_reuse::Config>($($argument),*);
        $function::<fork::Config>($($argument),*);
        $function::<exit_hook::Config>($($argument),*);
        $function::<batch_queue::Config>($($argument),*);
    };
}

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
    each_model!(run_spec, pattern, progress, &mut cases);
    Report {
        states: cases.iter().map(|case| case.states).sum(),
        seconds: cases.iter().map(|case| case.seconds).sum(),
        ok: cases.iter().all(|case| case.ok),
        cases,
    }
}

/// What a model states, and which bug breaks what.
#[derive(Debug, Clone, Serialize)]
pub struct Stated {
    /// The model.
    pub spec: String,
    /// Its invariants, in order.
    pub invariants: BTreeSet<String>,
    /// Pairs of an invariant and a planted bug that breaks it.
    pub broken: BTreeSet<(String, String)>,
}

/// What all models state, without an exploration.
pub fn stated() -> Vec<Stated> {
    let mut all = Vec::new();
    each_model!(state_spec, &mut all);
    all
}

fn state_spec<M: Protocol>(all: &mut Vec<Stated>) {
    let properties = M::CASES.iter().flat_map(|case| case.config.properties());
    let always = properties.filter(|property| property.expectation == Expectation::Always);
    let broken = M::CASES.iter().filter_map(|case| match case.expected {
        Expected::Fails { property } => Some((property.to_owned(), case.config.bug()?)),
        Expected::Holds { .. } => None,
    });
    let (spec, invariants) = (M::SPEC.to_owned(), always.map(|property| property.name.to_owned()).collect());
    all.push(Stated { spec, invariants, broken: broken.collect() });
}

fn run_spec<M: Protocol>(pattern: &str, progress: &mut dyn FnMut(&CaseReport), reports: &mut Vec<CaseReport>) {
    for case in M::CASES.iter().filter(|case| format!("{}/{}", M::SPEC, case.name).contains(pattern)) {
        let report = check::check(case);
        progress(&report);
        reports.push(report);
    }
}
