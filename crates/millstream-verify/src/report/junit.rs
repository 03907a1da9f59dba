//! The round as JUnit XML: a suite per attempt, a test case per probe, call site, configuration, claimed counter and finding.

use std::io;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::wording;
use crate::model::{Attempt, ProbeStatus, Round, RoundResult, SiteStatus};
use crate::{Error, Result};

/// The round as JUnit XML.
///
/// # Errors
/// [`Error::Write`] when the XML writer fails.
pub fn junit(round: &Round) -> Result<String> {
    let mut report = Report::new(format!("millstream verification round {}", round.iteration));
    report.set_time(seconds(round.seconds));
    let mut whole = TestSuite::new("round");
    let status = match &round.result {
        RoundResult::Clean | RoundResult::CleanRepeat => TestCaseStatus::success(),
        RoundResult::Findings(_) => failed(&wording::result_sentence(round)),
        RoundResult::Incomplete(_) => errored(&wording::result_sentence(round)),
    };
    whole.add_test_case(case("round", "result of the round", status));
    for finding in &round.findings {
        let text = format!("{} at {}; replay: {}", finding.text, finding.location, finding.replay);
        let name = format!("finding {}", finding.id);
        whole.add_test_case(case(&finding.attempt, &name, failed(&text)));
    }
    report.add_test_suite(whole);
    for attempt in &round.attempts {
        report.add_test_suite(suite(attempt));
    }
    report
        .to_string()
        .map_err(|error| Error::Write { path: "the JUnit report".into(), source: io::Error::other(error) })
}

fn suite(attempt: &Attempt) -> TestSuite {
    let mut suite = TestSuite::new(attempt.id.clone());
    suite.set_time(seconds(attempt.seconds));
    for pattern in &attempt.patterns {
        for probe in &pattern.probes {
            let text = wording::probe(probe);
            let status = match probe.status {
                ProbeStatus::Passed => TestCaseStatus::success(),
                ProbeStatus::Failed => failed(&text),
                ProbeStatus::NotReached => skipped(&text),
            };
            let name = format!("{}: {}", pattern.pattern, probe.name);
            let mut case = case(&attempt.id, &name, status);
            if let Some(time) = probe.seconds {
                case.set_time(seconds(time));
            }
            suite.add_test_case(case);
        }
    }
    for site in &attempt.sites {
        let status = match site.status {
            SiteStatus::Correct => TestCaseStatus::success(),
            SiteStatus::Violation => failed(&format!("lock order violated, seen {}", site.seen)),
            SiteStatus::NotReached => skipped("Not reached"),
        };
        let name = format!("{} at {}", site.pattern, site.location);
        suite.add_test_case(case(&attempt.id, &name, status));
    }
    for lock in &attempt.isolated {
        let status = match lock.cross_locked {
            0 => TestCaseStatus::success(),
            times => failed(&format!("cross-locked {times} times")),
        };
        suite.add_test_case(case(&attempt.id, &format!("{} is isolated", lock.lock), status));
    }
    if let Some(stress) = &attempt.stress {
        let (errors, mismatches) = (stress.total_errors(), stress.total_mismatches());
        let status = if stress.passed() {
            TestCaseStatus::success()
        } else {
            failed(&format!("{errors} errors, {mismatches} mismatches"))
        };
        let mut case = case(&attempt.id, "stress values equal the sequential run", status);
        case.set_time(seconds(stress.blocks.as_ref().map_or(stress.seconds, |all| all.seconds)));
        suite.add_test_case(case);
    }
    if let Some(soak) = &attempt.soak {
        let live = soak.windows.iter().map(|window| window.live_bytes).max().unwrap_or(0);
        let status = match (soak.mismatches, live) {
            (0, 0) => TestCaseStatus::success(),
            (mismatches, live) => failed(&format!("{mismatches} mismatches, {live} bytes stayed live")),
        };
        let mut case = case(&attempt.id, "soak", status);
        case.set_time(seconds(soak.seconds));
        suite.add_test_case(case);
    }
    for (index, row) in attempt.configurations.iter().enumerate() {
        let status = match row.status {
            ProbeStatus::Passed => TestCaseStatus::success(),
            ProbeStatus::Failed => failed(&row.detail),
            ProbeStatus::NotReached => skipped("Not reached"),
        };
        let mut case = case(&attempt.id, &format!("configuration {}", index + 1), status);
        case.set_time(seconds(row.seconds));
        suite.add_test_case(case);
    }
    for counter in attempt.counters.iter().filter(|counter| counter.claimed) {
        let status = match counter.hits {
            0 => errored("claimed and not reached"),
            _ => TestCaseStatus::success(),
        };
        suite.add_test_case(case(&attempt.id, &format!("counter {}", counter.name), status));
    }
    suite
}

fn case(attempt: &str, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name.to_owned(), status);
    case.set_classname(format!("millstream.{attempt}"));
    case
}

fn failed(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(message.to_owned());
    status
}

fn errored(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(message.to_owned());
    status
}

fn skipped(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(message.to_owned());
    status
}

fn seconds(seconds: f64) -> Duration {
    // Not a number, negative or too long: no time rather than a panic in a report.
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
