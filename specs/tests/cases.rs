//! The tables of the models: every correct configuration holds with its pinned count, every planted bug breaks the
//! property that its row names, and every property is broken by some planted bug.

use std::collections::BTreeSet;

use specs::{Expected, Protocol, check};
use stateright::{Checker, Expectation};

fn every_case_comes_out_as_its_row_says<M: Protocol>() {
    for case in M::CASES {
        let report = check::check(case);
        assert!(report.ok, "{}/{}: {} states, {:?}", report.spec, report.case, report.states, report.outcome);
    }
}

fn every_property_is_broken_by_a_planted_bug<M: Protocol>() {
    let properties = M::CASES.iter().flat_map(|case| case.config.properties());
    let always = properties.filter(|property| property.expectation == Expectation::Always);
    let stated: BTreeSet<&str> = always.map(|property| property.name).collect();
    let broken: BTreeSet<&str> = M::CASES
        .iter()
        .filter_map(|case| match case.expected {
            Expected::Fails { property } if case.config.bug().is_some() => Some(property),
            Expected::Fails { .. } | Expected::Holds { .. } => None,
        })
        .collect();
    assert_eq!(stated, broken, "{}: properties that are stated, properties that a bug breaks", M::SPEC);
}

fn rows_have_names_of_their_own<M: Protocol>() {
    let names: BTreeSet<&str> = M::CASES.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), M::CASES.len(), "{}", M::SPEC);
}

macro_rules! tables {
    ($($model:ident),*) => {$(
        mod $model {
            use specs::$model::Config;

            #[test]
            fn every_case_comes_out_as_its_row_says() {
                super::every_case_comes_out_as_its_row_says::<Config>();
            }

            #[test]
            fn every_property_is_broken_by_a_planted_bug() {
                super::every_property_is_broken_by_a_planted_bug::<Config>();
            }

            #[test]
            fn rows_have_names_of_their_own() {
                super::rows_have_names_of_their_own::<Config>();
            }
        }
    )*};
}

tables!(
    batch_queue,
    event_reuse,
    exit_hook,
    faults_and_reads,
    fork,
    inbox_thread_exit,
    lease_and_permits,
    lease_revocation,
    shutdown_and_flush,
    single_flight_growth,
    stamps_and_reuse
);

/// The configuration of the row of this name.
fn row<M: Protocol>(name: &str) -> M {
    M::CASES.iter().find(|case| case.name == name).expect("a row of this name").config
}

/// What is broken when the whole state space is explored.
fn broken_in_all<M: Protocol>(model: M) -> BTreeSet<&'static str> {
    let checker = model.checker().threads(1).spawn_bfs().join();
    let properties = model.properties().into_iter();
    let always = properties.filter(|property| property.expectation == Expectation::Always);
    always.map(|property| property.name).filter(|name| checker.discovery(name).is_some()).collect()
}

#[test]
fn first_check_of_a_claim_matters_to_late_arrivals_alone() {
    let model: specs::lease_and_permits::Config = row("no first state check");
    assert_eq!(broken_in_all(model), BTreeSet::from(["late-arrivals-claim-nothing"]));
}

#[test]
fn first_check_of_a_flush_matters_to_late_arrivals_alone() {
    let model: specs::shutdown_and_flush::Config = row("no first check, arrivals");
    assert_eq!(broken_in_all(model), BTreeSet::from(["late-arrivals-are-not-counted"]));
}

#[test]
fn another_count_is_a_deviation() {
    let mut case = specs::shutdown_and_flush::CASES[0];
    if let Expected::Holds { states } = &mut case.expected {
        *states += 1;
    }
    assert!(!check::check(&case).ok);
}

#[test]
fn a_bug_that_breaks_nothing_is_a_deviation() {
    let case = check::Case::fails("no bug", specs::shutdown_and_flush::CASES[0].config, "no-bytes-lost");
    assert!(!check::check(&case).ok);
}

#[test]
fn a_pattern_chooses_cases() {
    let mut seen = Vec::new();
    let report = specs::run_matching("shutdown_and_flush/two", &mut |case| seen.push(case.case.clone()));
    assert_eq!(seen, ["two shutdowns at once"]);
    assert!(report.ok && report.cases.len() == 1);
}
