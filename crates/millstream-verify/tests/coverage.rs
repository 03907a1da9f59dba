//! Pairs of settings over the rounds of a folder.

mod fixture;

use std::path::Path;

use millstream_verify::attempts::configurations::{Rows, factors};
use millstream_verify::coverage::{after, earlier};
use millstream_verify::model::{Choice, Configuration, ProbeStatus, Round};
use millstream_verify::plan::DeviceName;
use millstream_verify::report;

/// A round `n` that ran `rows` in its third attempt.
fn round(n: u64, rows: &[Choice]) -> Round {
    let mut round = fixture::round();
    round.n = n;
    let ran = |choice: &Choice| Configuration {
        choice: choice.clone(),
        status: ProbeStatus::Passed,
        detail: String::new(),
        values_compared: 100,
        seconds: 0.1,
    };
    round.attempts[2].configurations = rows.iter().map(ran).collect();
    round
}

/// The next round in `folder`: its rows, and the report that it leaves.
fn next(folder: &Path, n: u64) -> Round {
    let before = earlier(folder, &round(n, &[]), &DeviceName::Cpu);
    let rows = Rows::next(&DeviceName::Cpu, &before.covered, 1000 + n).in_stress;
    let mut round = round(n, &rows);
    round.coverage = after(before, &round, &DeviceName::Cpu);
    report::write_all(folder, &report::stem(n), &round).expect("reports");
    round
}

#[test]
fn default_rounds_cover_every_pair_and_say_at_each_step_what_is_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut open = u64::MAX;
    for n in 1..=40 {
        let coverage = next(folder.path(), n).coverage.expect("configurations ran");
        assert_eq!(coverage.covered + coverage.open.len() as u64, coverage.pairs);
        assert_eq!(coverage.rounds, (1..n).collect::<Vec<u64>>());
        assert!(coverage.new > 0 && (coverage.open.len() as u64) < open, "round {n} brought nothing");
        open = coverage.open.len() as u64;
        if open == 0 {
            assert!((4..=9).contains(&n), "{n} rounds of four rows");
            let text = report::markdown(&next(folder.path(), n + 1));
            assert!(text.contains("Open: 0.") && !text.contains("| Still open |"), "{text}");
            return;
        }
    }
    panic!("{open} pairs are still open after 40 rounds");
}

#[test]
fn every_open_pair_stands_in_the_reports() {
    let folder = tempfile::tempdir().expect("a folder");
    let round = next(folder.path(), 1);
    let coverage = round.coverage.clone().expect("configurations ran");
    let (text, page) = (report::markdown(&round), report::html(&round));
    for two in coverage.by_factors() {
        for (one, other) in &two.open {
            let row = text.lines().find(|line| line.starts_with(&format!("| {} + {} |", two.first, two.second)));
            assert!(row.is_some_and(|row| row.contains(&format!("{one} + {other}"))), "{two:?}");
        }
    }
    let open = coverage.open.len();
    assert_eq!(page.matches("class=\"cell open\"").count(), open);
    assert_eq!(page.matches("class=\"cell now\"").count() as u64, coverage.covered);
    assert!(text.contains(&format!("- settings that have not run together yet: {open} of {} pairs", coverage.pairs)));
}

#[test]
fn other_subjects_devices_and_rounds_outside_the_ledger_cover_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = Rows::next(&DeviceName::Cpu, &Default::default(), 7).in_stress;
    for n in 1..=6 {
        let mut other = round(n, &rows);
        match n {
            1 => other.source_sha256 = "0".repeat(64),
            2 => other.features.push("cuda".to_owned()),
            3 => other.rustc.push('x'),
            4 => other.device.name = "cpu:queued".to_owned(),
            5 => other.ledger = None,
            _ => other.attempts[2].configurations.iter_mut().for_each(|row| row.status = ProbeStatus::Failed),
        }
        report::write_all(folder.path(), &report::stem(n), &other).expect("reports");
    }
    assert!(earlier(folder.path(), &round(7, &[]), &DeviceName::Cpu).covered.is_empty());
    report::write_all(folder.path(), &report::stem(7), &round(7, &rows)).expect("reports");
    assert!(!earlier(folder.path(), &round(8, &[]), &DeviceName::Cpu).covered.is_empty());
}

#[test]
fn the_rows_of_a_round_come_back_from_its_json_alone() {
    let rows = Rows::next(&DeviceName::Cpu, &Default::default(), 7).in_stress;
    let text = report::json(&round(3, &rows)).expect("a text");
    let read = report::from_json(&text).expect("a round");
    assert_eq!(Rows::of(&read.attempts, &DeviceName::Cpu).expect("rows").in_stress, rows);
    let mut edited = read;
    edited.attempts[2].configurations[1].choice.insert("policy".to_owned(), "hope".to_owned());
    let why = Rows::of(&edited.attempts, &DeviceName::Cpu).expect_err("not a row");
    assert_eq!(why, "policy is \"hope\", not one of fail, share, wait");
    assert_eq!(factors(&DeviceName::Sim).last().map(|factor| factor.values.len()), Some(1));
}
