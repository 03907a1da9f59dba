//! What rounds on the user's own code found, as text and as data.

use std::fmt;

use serde::Serialize;

use super::Rounds;
use crate::model::{Attempt, RoundResult};

/// The `schema` of the JSON.
pub const SCHEMA: &str = "millstream.own_code/1";

/// The rounds that ran.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// How many were asked for.
    pub asked: u64,
    /// Those that ran, in order. Only the last can be other than clean.
    pub rounds: Vec<RoundOfCode>,
}

/// One round.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoundOfCode {
    /// From 1.
    pub number: u64,
    /// `Rounds::new(1).seed(this)` makes the same calls again.
    pub seed: u64,
    /// Threads at once.
    pub threads: usize,
    /// Calls of each.
    pub iterations: u64,
    /// What came out.
    pub result: RoundResult,
    /// Tensors compared with those of the sequential run, every element.
    pub values_compared: u64,
    /// Tensors that differed.
    pub mismatches: u64,
    /// Tensors that another thread read and dropped.
    pub handed_over: u64,
    /// Most threads inside the workload at once.
    pub max_concurrent: u64,
    /// Seconds of the threads alone.
    pub threads_seconds: f64,
    /// Seconds of the whole round.
    pub seconds: f64,
    /// The first findings, one line each.
    pub findings: Vec<String>,
    /// Findings beyond these.
    pub unnamed: usize,
    /// Attempts of the product that ran too.
    pub attempts: Vec<Attempt>,
    /// A thread did not come back: the device was left as it is.
    pub hung: bool,
}

impl RoundOfCode {
    pub(super) fn new(number: u64, seed: u64, rounds: &Rounds) -> Self {
        Self {
            number,
            seed,
            threads: rounds.threads,
            iterations: rounds.iterations,
            result: RoundResult::Incomplete("it has no result".to_owned()),
            values_compared: 0,
            mismatches: 0,
            handed_over: 0,
            max_concurrent: 0,
            threads_seconds: 0.0,
            seconds: 0.0,
            findings: Vec::new(),
            unnamed: 0,
            attempts: Vec::new(),
            hung: false,
        }
    }
}

impl Report {
    /// Whether every round that was asked for ran and was clean.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.asked > 0
            && self.rounds.len() as u64 == self.asked
            && self.rounds.iter().all(|round| round.result.is_clean())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for round in &self.rounds {
            writeln!(f, "{round}")?;
        }
        let clean: Vec<String> =
            self.rounds.iter().filter(|r| r.result.is_clean()).map(|r| format!("N={}", r.number)).collect();
        write!(f, "Consecutive clean rounds: {} of {} ({})", clean.len(), self.asked, clean.join(", "))
    }
}

impl fmt::Display for RoundOfCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Round N={}: {}. {} threads x {} calls, at most {} at once; {} tensors compared, {} mismatches, {} handed over; seed {:#x}, {:.1} s",
            self.number,
            self.result,
            self.threads,
            self.iterations,
            self.max_concurrent,
            self.values_compared,
            self.mismatches,
            self.handed_over,
            self.seed,
            self.seconds,
        )?;
        for attempt in &self.attempts {
            write!(f, "\n  {}: {}", attempt.id, attempt.result)?;
        }
        for (index, finding) in self.findings.iter().enumerate() {
            write!(f, "\n  F{}: {finding}", index + 1)?;
        }
        if self.unnamed > 0 {
            write!(f, "\n  and {} more", self.unnamed)?;
        }
        Ok(())
    }
}
