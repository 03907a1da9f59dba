//! One line of the ledger.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::RoundResult;
use crate::subject_hash::hex;

/// One line: the start of a round, or its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Number of the round.
    pub n: u64,
    /// Date and time.
    pub date: String,
    /// Start or result.
    pub result: LineResult,
    /// What was counted; zeros in a start.
    pub counts: Counts,
    /// Why the round is incomplete or has findings; empty otherwise.
    pub reason: String,
    /// Hash of the sources that the binary was built from.
    pub source_sha256: String,
    /// Hash of the configuration with seed, device, features and compiler.
    pub config_sha256: String,
    /// Hash of the sources of the attempts.
    pub attempts_sha256: String,
    /// Throughput of the stress run, where it ran.
    pub ops_per_second: Option<f64>,
    /// Hash of the line before. Set when the line is appended.
    pub prev: String,
}

impl Line {
    /// A line with the given result; number and `prev` are set when it is appended.
    pub fn new(date: &str, result: LineResult) -> Self {
        Line {
            n: 0,
            date: date.to_owned(),
            result,
            counts: Counts::default(),
            reason: String::new(),
            source_sha256: String::new(),
            config_sha256: String::new(),
            attempts_sha256: String::new(),
            ops_per_second: None,
            prev: String::new(),
        }
    }

    /// A result line of a round, with the reason of an incomplete one.
    pub fn of_result(date: &str, result: &RoundResult) -> Self {
        let (kind, reason) = match result {
            RoundResult::Clean => (LineResult::Clean, String::new()),
            RoundResult::CleanRepeat => (LineResult::CleanRepeat, String::new()),
            RoundResult::Findings(count) => {
                (LineResult::Findings, format!("{count} finding{}", if *count == 1 { "" } else { "s" }))
            }
            RoundResult::Incomplete(reason) => (LineResult::Incomplete, reason.clone()),
        };
        let mut line = Line::new(date, kind);
        line.reason = reason;
        if let RoundResult::Findings(count) = result {
            line.counts.findings = *count as u64;
        }
        line
    }
}

/// What a line says about its round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LineResult {
    /// The round begins.
    #[serde(rename = "STARTED")]
    Started,
    /// Clean.
    #[serde(rename = "CLEAN")]
    Clean,
    /// Clean, with subject, configuration and seed of an earlier round.
    #[serde(rename = "CLEAN (repeat)")]
    CleanRepeat,
    /// With findings.
    #[serde(rename = "FINDINGS")]
    Findings,
    /// Not everything ran.
    #[serde(rename = "INCOMPLETE")]
    Incomplete,
}

/// What a round counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Attempts that ran.
    pub attempts: u64,
    /// Findings.
    pub findings: u64,
    /// Threads of the stress run; a round of one thread is not listed in the streak.
    pub threads: u64,
    /// Operations of the stress run, all blocks.
    pub operations: u64,
    /// Errors of it.
    pub errors: u64,
    /// Values compared with the sequential run.
    pub values_compared: u64,
    /// Values that differed.
    pub mismatches: u64,
}

/// SHA-256 of the text of a line, without its newline, in lower-case hex.
pub(super) fn line_sha256(text: &[u8]) -> String {
    hex(&Sha256::digest(text))
}
