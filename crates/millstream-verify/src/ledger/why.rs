//! One round explained: its lines, and what it does to the streak.

use std::fmt;

use super::{LedgerError, Line, LineResult};
use crate::streak::{self, Effect};

/// What the ledger knows about one round.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// Its number.
    pub n: u64,
    /// Its start, where recorded.
    pub started: Option<Line>,
    /// Its result, where recorded.
    pub finished: Option<Line>,
    /// What it does to the streak.
    pub effect: Effect,
}

pub(super) fn explain(lines: &[Line], n: u64) -> Result<Why, LedgerError> {
    let effect = streak::effects(lines).into_iter().find(|(round, _)| *round == n);
    let Some((_, effect)) = effect else {
        return Err(LedgerError::NoSuchRound { n, last: lines.last().map(|line| line.n) });
    };
    let of_round = |start: bool| {
        let wanted = |line: &&Line| line.n == n && (line.result == LineResult::Started) == start;
        lines.iter().find(wanted).cloned()
    };
    Ok(Why { n, started: of_round(true), finished: of_round(false), effect })
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.finished.as_ref().map(|line| line.result) {
            None | Some(LineResult::Started) => "no result",
            Some(LineResult::Clean) => "CLEAN",
            Some(LineResult::CleanRepeat) => "CLEAN (repeat)",
            Some(LineResult::Findings) => "FINDINGS",
            Some(LineResult::Incomplete) => "INCOMPLETE",
        };
        write!(f, "N={}: {word}", self.n)?;
        if let Some(line) = self.finished.as_ref().filter(|line| !line.reason.is_empty()) {
            write!(f, " ({})", line.reason)?;
        }
        write!(f, "; {}", self.effect)
    }
}
