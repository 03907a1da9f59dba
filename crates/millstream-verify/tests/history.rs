//! What earlier reports say about a round.

mod fixture;

use std::fs;

use millstream_verify::history::{earlier_rounds, points, regressions};
use millstream_verify::model::{Calibration, Round, RoundResult};
use millstream_verify::report;

const STEADY: Calibration = Calibration { before_s: 1.0, after_s: 1.04 };

fn round(n: u64, ops_per_second: f64) -> Round {
    let mut round = fixture::round();
    round.n = n;
    if let Some(stress) = round.attempts[2].stress.as_mut() {
        stress.ops_per_second = ops_per_second;
    }
    round
}

#[test]
fn only_rounds_of_the_same_machine_device_and_workload_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    for n in 1..=4 {
        let mut earlier = round(n, 1000.0 + n as f64);
        match n {
            2 => earlier.machine.cores += 1,
            3 => earlier.config.threads = 1,
            _ => {}
        }
        report::write_all(folder.path(), &report::stem(n), &earlier).expect("reports");
    }
    fs::write(folder.path().join("round-N5.json"), "{").expect("a broken report");
    let now = round(6, 900.0);
    let earlier = earlier_rounds(folder.path(), &now);
    let numbers: Vec<u64> = points(&earlier, &now).iter().map(|point| point.n).collect();
    assert_eq!(numbers, [1, 4, 6]);
}

#[test]
fn fall_is_noted_when_the_machine_was_steady() {
    let earlier: Vec<Round> = (1..=6).map(|n| round(n, 1000.0 + n as f64)).collect();
    let slow = round(7, 850.0);
    let notes = regressions(&earlier, &slow, STEADY);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert_eq!(notes[0].kind, "REGRESSION");
    assert!(notes[0].text.contains("850.0 ops/sec, 15 % below"), "{}", notes[0].text);
    let unsteady = Calibration { before_s: 1.0, after_s: 1.06 };
    assert!(regressions(&earlier, &slow, unsteady).is_empty());
    assert!(regressions(&earlier[..4], &slow, STEADY).is_empty(), "too few rounds");
    assert!(regressions(&earlier, &round(7, 950.0), STEADY).is_empty(), "within the noise");
    let mut found = slow;
    found.result = RoundResult::Findings(1);
    assert!(regressions(&earlier, &found, STEADY).is_empty(), "beside CLEAN only");
}

#[test]
fn longer_tail_is_noted_apart_from_throughput() {
    let earlier: Vec<Round> = (1..=6).map(|n| round(n, 1000.0)).collect();
    let mut now = round(7, 1000.0);
    if let Some(stress) = now.attempts[2].stress.as_mut() {
        stress.p99_us *= 1.5;
    }
    let notes = regressions(&earlier, &now, STEADY);
    assert_eq!(notes.len(), 1);
    assert!(notes[0].text.starts_with("p99 31350 us, 50 % above"), "{}", notes[0].text);
}
