//! The round as a whole: identity, binding, machine, device, configuration, and what follows from the ledger.

use serde::{Deserialize, Serialize};

use super::{Attempt, Counter, Coverage, Finding, RoundResult};

/// The `schema` of the JSON that this crate writes and reads.
pub const SCHEMA: &str = "millstream.round/1";

/// One verification round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The number of the round in its ledger.
    pub n: u64,
    /// The number as it is printed: `N=7`.
    pub iteration: String,
    /// Date of the start, `2025-12-22` or a full timestamp.
    pub date: String,
    /// What came out.
    pub result: RoundResult,
    /// Empty in a clean round.
    pub findings: Vec<Finding>,
    /// Seed of every random choice; belongs to the configuration.
    pub seed: u64,
    /// Hash of the sources that the binary was built from.
    pub source_sha256: String,
    /// How the tree that was found compares: `matches`, `source not present`, or `stale`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub binding: String,
    /// SHA-256 of the running executable.
    pub build_id: String,
    /// Cargo features of the binary.
    pub features: Vec<String>,
    /// `rustc -V` of the build.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rustc: String,
    /// Where it ran.
    pub machine: Machine,
    /// On what.
    pub device: DeviceInfo,
    /// With which settings.
    pub config: Config,
    /// The attempts, in the order they ran.
    pub attempts: Vec<Attempt>,
    /// Hits of every protocol step in all attempts and their child processes together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counters: Vec<Counter>,
    /// Pairs of settings that have run together; absent where the round ran no configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// What the round does not speak about, one line each.
    pub not_covered: Vec<String>,
    /// The streak that this round ends.
    pub consecutive_clean: ConsecutiveClean,
    /// The line of this round in the ledger; absent when the round does not write one (`--replay`, `--attempt`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<LedgerLink>,
    /// Notes beside the result, such as a `REGRESSION` of throughput.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// Whether the machine was as fast after the round as before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Seconds from start to end of the round.
    #[serde(default)]
    pub seconds: f64,
    /// The command that runs this round again.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub replay: String,
    /// Earlier rounds of the same machine, device and workload, oldest first, this one last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryPoint>,
}

/// The machine of a round. No name of host or user: a report is meant to be shown around.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system, such as `linux`.
    pub os: String,
    /// Instruction set, such as `x86_64`.
    pub arch: String,
    /// Model of the processor.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cpu: String,
    /// Logical processors that the process may use.
    pub cores: usize,
    /// Bytes of main memory, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

/// The device of a round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// As named on the command line and by the backend: `cpu`, `cuda:0 NVIDIA H100`.
    pub name: String,
    /// Values are bit-identical between devices of one class only.
    pub numeric_class: String,
    /// Driver and its version, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
}

/// The settings of a round that change what is run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Worker threads of the stress run.
    pub threads: u64,
    /// Iterations of each thread in one block.
    pub iterations: u64,
    /// Iterations between two synchronizations.
    pub sync_every: u64,
    /// Side of the square matrices.
    pub size: u64,
    /// Element type, `f32`.
    pub dtype: String,
    /// The operations of one iteration.
    pub operations: Vec<String>,
    /// Seconds that the stress run lasts at least; absent for one block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    /// Seconds of the soak; absent where it is as long as by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak_seconds: Option<f64>,
    /// The user's model that is verified too; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<OwnModel>,
}

/// A model of the user's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnModel {
    /// Its folder, as it was given.
    pub folder: String,
    /// SHA-256 over names and contents of its files.
    pub sha256: String,
}

/// Consecutive clean rounds up to and including this one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsecutiveClean {
    /// Length of `rounds`.
    pub count: usize,
    /// The rounds that count, oldest first.
    pub rounds: Vec<u64>,
    /// Rounds between them that took a number and neither count nor reset.
    pub not_counted: Vec<NotCounted>,
}

/// A round that took a number without counting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCounted {
    /// Its number.
    pub n: u64,
    /// Why it does not count.
    pub reason: String,
}

/// Where the ledger stood after this round. Published with the report, so that a rewritten ledger can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerLink {
    /// SHA-256 of the line before.
    pub prev: String,
    /// SHA-256 of the line of this round: the head.
    pub line_sha256: String,
    /// Lines up to and including it.
    #[serde(default)]
    pub lines: u64,
}

/// Seconds of one fixed loop before and after the round.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Before the first attempt.
    pub before_s: f64,
    /// After the last.
    pub after_s: f64,
}

impl Calibration {
    /// The two timings may differ by this part.
    const STEADY: f64 = 0.05;

    /// True when the two timings agree within 5 %.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        let (low, high) = (self.before_s.min(self.after_s), self.before_s.max(self.after_s));
        low > 0.0 && high.is_finite() && (high - low) / low <= Self::STEADY
    }
}

/// A note beside the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// One upper-case word, such as `REGRESSION`.
    pub kind: String,
    /// The figures.
    pub text: String,
}

/// Throughput of one round, for the picture of the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryPoint {
    /// Number of the round.
    pub n: u64,
    /// What came out of it.
    pub result: RoundResult,
    /// Operations per second of its stress run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ops_per_second: Option<f64>,
}
