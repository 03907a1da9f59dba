//! Earlier rounds of the same machine, device and workload: the history of throughput, and whether this round fell back.
//!
//! Throughput of different machines or settings has nothing to say to each other, so the figures come from the JSON
//! reports beside the ledger, which know where and how they ran. A fall is a note beside the result and never a
//! finding: a busy machine is no bug. It is judged only when a fixed loop, timed before and after the round, says that
//! the machine was as fast at the end as at the start.
//!
//! **Invariants**
//! - `like-with-like`: rounds of another machine, device or workload are neither drawn nor compared.
//! - `unsure-is-silent`: with few earlier rounds, or an unsteady machine, there is no note.
//!
//! **Checked by**: `tests/history.rs`.

use std::fs;
use std::path::Path;

use crate::model::{Calibration, HistoryPoint, Note, Round, Stress};
use crate::report;

/// Rounds looked back at.
const LOOK_BACK: usize = 60;
/// Clean rounds needed before a judgement.
const ROUNDS_MIN: usize = 5;
/// A throughput is low when it is this part below the median, and below every earlier round.
const THROUGHPUT_FALL: f64 = 0.10;
/// A p99 is high when it is this part above the median, and above every earlier round.
const P99_RISE: f64 = 0.25;

/// The newest reports in `folder` that can be compared with `round` and have a smaller number, oldest first. A report
/// that is missing or cannot be read is left out: history is a picture, not evidence.
pub fn earlier_rounds(folder: &Path, round: &Round) -> Vec<Round> {
    let mut rounds = Vec::new();
    for n in (1..round.n).rev().take(LOOK_BACK) {
        let path = folder.join(format!("{}.json", report::stem(n)));
        let earlier = fs::read_to_string(path).ok().and_then(|text| report::from_json(&text).ok());
        rounds.extend(earlier.filter(|earlier| earlier.n == n && is_comparable(earlier, round)));
    }
    rounds.reverse();
    rounds
}

/// The points of the picture: `earlier`, then `round`.
pub fn points(earlier: &[Round], round: &Round) -> Vec<HistoryPoint> {
    let point = |round: &Round| HistoryPoint {
        n: round.n,
        result: round.result.clone(),
        ops_per_second: stress(round).map(|stress| stress.ops_per_second),
    };
    earlier.iter().chain([round]).map(point).collect()
}

/// A `REGRESSION` note for each figure of a clean `round` that fell behind the clean rounds among `earlier`.
pub fn regressions(earlier: &[Round], round: &Round, calibration: Calibration) -> Vec<Note> {
    let clean = earlier.iter().filter(|earlier| earlier.result.is_clean());
    let before: Vec<&Stress> = clean.filter_map(stress).collect();
    let (true, true, Some(now)) = (round.result.is_clean(), calibration.is_steady(), stress(round)) else {
        return Vec::new();
    };
    if before.len() < ROUNDS_MIN {
        return Vec::new();
    }
    let count = before.len();
    let mut notes = Vec::new();
    let mut note = |text: String| notes.push(Note { kind: "REGRESSION".to_owned(), text });
    let rates = sorted(before.iter().map(|stress| stress.ops_per_second));
    let (rate, median) = (now.ops_per_second, rates[count / 2]);
    if rate < rates[0] && rate < median * (1.0 - THROUGHPUT_FALL) {
        let fall = (1.0 - rate / median) * 100.0;
        note(format!("throughput {rate:.1} ops/sec, {fall:.0} % below the median {median:.1} of {count} clean rounds"));
    }
    let tails = sorted(before.iter().map(|stress| stress.p99_us));
    let (tail, median) = (now.p99_us, tails[count / 2]);
    if tail > tails[count - 1] && tail > median * (1.0 + P99_RISE) {
        let rise = (tail / median - 1.0) * 100.0;
        note(format!("p99 {tail:.0} us, {rise:.0} % above the median {median:.0} us of {count} clean rounds"));
    }
    notes
}

fn is_comparable(one: &Round, other: &Round) -> bool {
    one.machine == other.machine && one.device == other.device && one.config == other.config
}

fn stress(round: &Round) -> Option<&Stress> {
    round.attempts.iter().find_map(|attempt| attempt.stress.as_ref())
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}
