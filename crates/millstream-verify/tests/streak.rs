//! The rules of the streak, on hand-made ledgers.

use millstream_verify::ledger::{Line, LineResult};
use millstream_verify::streak::{Effect, consecutive_clean, effects, is_repeat, markdown_line, not_counted_line};

fn line(n: u64, result: LineResult) -> Line {
    let mut line = Line::new("2025-12-22", result);
    line.n = n;
    line.counts.threads = 20;
    line.source_sha256 = "source".to_owned();
    line.config_sha256 = format!("config with the seed of {n}");
    line.attempts_sha256 = "attempts".to_owned();
    line
}

fn rounds(results: &[(u64, LineResult)]) -> Vec<Line> {
    results.iter().flat_map(|(n, result)| [line(*n, LineResult::Started), line(*n, *result)]).collect()
}

fn example() -> Vec<Line> {
    let mut lines = rounds(&[
        (2490, LineResult::Clean),
        (2491, LineResult::Findings),
        (2492, LineResult::Clean),
        (2493, LineResult::Clean),
        (2494, LineResult::Incomplete),
        (2495, LineResult::Clean),
        (2496, LineResult::Clean),
        (2497, LineResult::Clean),
    ]);
    for line in lines.iter_mut().filter(|line| line.result == LineResult::Incomplete) {
        line.reason = "binary older than its source".to_owned();
    }
    lines
}

#[test]
fn example_of_the_first_report_prints_its_line() {
    let clean = consecutive_clean(&example());
    assert_eq!(markdown_line(&clean), "**Consecutive clean rounds**: 5 (N=2492, N=2493, N=2495, N=2496, N=2497)");
    assert_eq!(not_counted_line(&clean).unwrap(), "not counted: N=2494 (binary older than its source)");
}

#[test]
fn findings_last_print_zero() {
    let mut lines = example();
    lines.extend(rounds(&[(2498, LineResult::Findings)]));
    let clean = consecutive_clean(&lines);
    assert_eq!(markdown_line(&clean), "**Consecutive clean rounds**: 0");
    assert_eq!(not_counted_line(&clean), None);
}

#[test]
fn round_without_a_result_is_named_and_does_not_reset() {
    let mut lines = example();
    lines.push(line(2498, LineResult::Started));
    lines.extend(rounds(&[(2499, LineResult::Clean)]));
    let clean = consecutive_clean(&lines);
    assert_eq!(clean.count, 6);
    assert_eq!(clean.rounds.last(), Some(&2499));
    assert_eq!(clean.not_counted[1].n, 2498);
    assert_eq!(clean.not_counted[1].reason, "started, no result");
}

#[test]
fn changed_attempt_starts_a_new_list() {
    let mut lines = example();
    lines.extend(rounds(&[(2498, LineResult::Clean), (2499, LineResult::Clean)]));
    for line in lines.iter_mut().filter(|line| line.n >= 2498) {
        line.attempts_sha256 = "other attempts".to_owned();
    }
    assert_eq!(consecutive_clean(&lines).rounds, [2498, 2499]);
    assert_eq!(effects(&lines)[8].1, Effect::ListedAfterChange);
}

#[test]
fn repeat_is_not_listed_under_either_spelling() {
    for result in [LineResult::Clean, LineResult::CleanRepeat] {
        let mut lines = rounds(&[(1, LineResult::Clean), (2, result)]);
        for line in &mut lines {
            line.config_sha256 = "same seed".to_owned();
        }
        assert!(is_repeat(&lines[..2], "source", "same seed"));
        let clean = consecutive_clean(&lines);
        assert_eq!(clean.rounds, [1]);
        assert_eq!(clean.not_counted[0].reason, "repeat of N=1");
    }
}

#[test]
fn clean_result_after_findings_of_the_same_seed_is_a_repeat_and_after_incomplete_is_not() {
    for (before, repeat) in [(LineResult::Findings, true), (LineResult::Incomplete, false)] {
        let mut lines = rounds(&[(1, before), (2, LineResult::Clean)]);
        for line in &mut lines {
            line.config_sha256 = "same seed".to_owned();
        }
        assert_eq!(consecutive_clean(&lines).count, usize::from(!repeat));
    }
}

#[test]
fn one_thread_is_clean_and_not_listed() {
    let mut lines = rounds(&[(1, LineResult::Clean), (2, LineResult::Clean)]);
    lines[3].counts.threads = 1;
    let clean = consecutive_clean(&lines);
    assert_eq!(clean.rounds, [1]);
    assert_eq!(not_counted_line(&clean).unwrap(), "not counted: N=2 (one thread)");
}
