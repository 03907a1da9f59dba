//! Consecutive clean rounds, counted from the lines of the ledger.
//!
//! The count is what a reader remembers of a report, so its rules are few and live here alone. It is a function of the
//! lines: no file, no clock.
//!
//! **Invariants**
//! - `findings-reset`: a round with findings sets the count to zero.
//! - `attempts-reset`: the first clean round with other attempts than the one listed before it starts a new count.
//! - `incomplete-is-named`: an incomplete round, or one started without a result, is not listed, does not reset, and
//!   is named with its reason.
//! - `repeat-adds-nothing`: subject, configuration and seed of a round that was judged before are not listed again;
//!   nor is a round of one thread.
//!
//! **Checked by**: `tests/streak.rs`.

use std::fmt;

use crate::ledger::{Line, LineResult};
use crate::model::{ConsecutiveClean, NotCounted};

/// What one round does to the count.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// It counts.
    Listed,
    /// It counts as the first of a new list, because the attempts changed.
    ListedAfterChange,
    /// It sets the count to zero, for this reason.
    Resets(String),
    /// It does neither, for this reason.
    NotCounted(String),
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Listed => write!(f, "counted"),
            Effect::ListedAfterChange => write!(f, "counted, as the first: the attempts changed"),
            Effect::Resets(reason) => write!(f, "sets the count to zero: {reason}"),
            Effect::NotCounted(reason) => write!(f, "not counted: {reason}"),
        }
    }
}

/// The effect of every round, oldest first.
pub fn effects(lines: &[Line]) -> Vec<(u64, Effect)> {
    let mut effects = Vec::new();
    let mut last_listed: Option<&Line> = None;
    for (index, line) in lines.iter().enumerate() {
        let effect = match line.result {
            LineResult::Started if has_result(&lines[index + 1..], line.n) => continue,
            LineResult::Started => Effect::NotCounted("started, no result".to_owned()),
            LineResult::Incomplete => Effect::NotCounted(line.reason.clone()),
            LineResult::Findings => Effect::Resets(reason_of_findings(line)),
            LineResult::CleanRepeat => Effect::NotCounted(repeat_reason(&lines[..index], line)),
            LineResult::Clean if earlier_round(&lines[..index], line).is_some() => {
                Effect::NotCounted(repeat_reason(&lines[..index], line))
            }
            LineResult::Clean if line.counts.threads == 1 => Effect::NotCounted("one thread".to_owned()),
            LineResult::Clean => {
                let before = last_listed.replace(line);
                let changed = before.is_some_and(|old| old.attempts_sha256 != line.attempts_sha256);
                if changed { Effect::ListedAfterChange } else { Effect::Listed }
            }
        };
        effects.push((line.n, effect));
    }
    effects
}

/// The count after the last line.
pub fn consecutive_clean(lines: &[Line]) -> ConsecutiveClean {
    let mut clean = ConsecutiveClean::default();
    for (n, effect) in effects(lines) {
        match effect {
            Effect::Listed => clean.rounds.push(n),
            Effect::ListedAfterChange => {
                clean = ConsecutiveClean { rounds: vec![n], ..ConsecutiveClean::default() };
            }
            Effect::Resets(_) => clean = ConsecutiveClean::default(),
            Effect::NotCounted(reason) => clean.not_counted.push(NotCounted { n, reason }),
        }
    }
    clean.count = clean.rounds.len();
    clean
}

/// True when a round with this subject and configuration has been judged: another clean result adds no evidence.
/// An incomplete round was not judged and may be run again.
pub fn is_repeat(lines: &[Line], source_sha256: &str, config_sha256: &str) -> bool {
    judged_before(lines, source_sha256, config_sha256).is_some()
}

/// The last line of a report: `**Consecutive clean rounds**: 2 (N=1, N=2)`.
pub fn markdown_line(clean: &ConsecutiveClean) -> String {
    let rounds: Vec<String> = clean.rounds.iter().map(|n| format!("N={n}")).collect();
    let list = if rounds.is_empty() { String::new() } else { format!(" ({})", rounds.join(", ")) };
    format!("**Consecutive clean rounds**: {}{list}", clean.count)
}

/// `not counted: N=2494 (binary older than its source)`; `None` where there is nothing to name.
pub fn not_counted_line(clean: &ConsecutiveClean) -> Option<String> {
    let named: Vec<String> =
        clean.not_counted.iter().map(|round| format!("N={} ({})", round.n, round.reason)).collect();
    (!named.is_empty()).then(|| format!("not counted: {}", named.join(", ")))
}

fn has_result(later: &[Line], n: u64) -> bool {
    later.iter().any(|line| line.n == n && line.result != LineResult::Started)
}

fn judged_before<'a>(lines: &'a [Line], source: &str, config: &str) -> Option<&'a Line> {
    let judged = |result| matches!(result, LineResult::Clean | LineResult::CleanRepeat | LineResult::Findings);
    lines.iter().find(|old| judged(old.result) && old.source_sha256 == source && old.config_sha256 == config)
}

fn earlier_round<'a>(lines: &'a [Line], line: &Line) -> Option<&'a Line> {
    judged_before(lines, &line.source_sha256, &line.config_sha256)
}

fn repeat_reason(before: &[Line], line: &Line) -> String {
    match earlier_round(before, line) {
        Some(old) => format!("repeat of N={}", old.n),
        None => "repeat".to_owned(),
    }
}

fn reason_of_findings(line: &Line) -> String {
    match line.counts.findings {
        0 => "findings".to_owned(),
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    }
}
