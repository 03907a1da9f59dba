//! The result of a round or of an attempt, and its one spelling.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What came out of a round, or of one attempt of it.
///
/// In text and in JSON: `CLEAN`, `CLEAN (repeat)`, `FINDINGS 2`, `INCOMPLETE interrupted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum RoundResult {
    /// Everything ran and nothing was found.
    Clean,
    /// Clean, but the same subject, configuration and seed have been judged before: it adds no evidence.
    CleanRepeat,
    /// This many findings. At least one.
    Findings(usize),
    /// Not everything ran; the reason, in a few words.
    Incomplete(String),
}

impl RoundResult {
    /// True for [`RoundResult::Clean`] and [`RoundResult::CleanRepeat`].
    pub fn is_clean(&self) -> bool {
        matches!(self, RoundResult::Clean | RoundResult::CleanRepeat)
    }

    /// The exit code of the command line: 0 clean, 1 findings, 2 incomplete.
    pub fn exit_code(&self) -> u8 {
        match self {
            RoundResult::Clean | RoundResult::CleanRepeat => 0,
            RoundResult::Findings(_) => 1,
            RoundResult::Incomplete(_) => 2,
        }
    }
}

impl fmt::Display for RoundResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RoundResult::Clean => write!(f, "CLEAN"),
            RoundResult::CleanRepeat => write!(f, "CLEAN (repeat)"),
            RoundResult::Findings(count) => write!(f, "FINDINGS {count}"),
            RoundResult::Incomplete(reason) => write!(f, "INCOMPLETE {reason}"),
        }
    }
}

impl From<RoundResult> for String {
    fn from(result: RoundResult) -> Self {
        result.to_string()
    }
}

impl FromStr for RoundResult {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match (word, rest) {
            ("CLEAN", "") => Ok(RoundResult::Clean),
            ("CLEAN", "(repeat)") => Ok(RoundResult::CleanRepeat),
            ("FINDINGS", count) => {
                count.parse().map(RoundResult::Findings).map_err(|_| format!("{text:?} has no count of findings"))
            }
            ("INCOMPLETE", reason) => Ok(RoundResult::Incomplete(reason.to_owned())),
            _ => Err(format!("{text:?} is not a result of a round")),
        }
    }
}

impl TryFrom<String> for RoundResult {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_is_read_back_from_its_spelling() {
        let results = [
            RoundResult::Clean,
            RoundResult::CleanRepeat,
            RoundResult::Findings(12),
            RoundResult::Incomplete("binary older than its source".to_owned()),
        ];
        for result in results {
            assert_eq!(result.to_string().parse(), Ok(result));
        }
        for text in ["", "CLEAN maybe", "FINDINGS", "PROVEN CORRECT"] {
            assert!(text.parse::<RoundResult>().is_err(), "{text}");
        }
    }
}
