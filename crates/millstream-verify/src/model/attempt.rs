//! One attempt of a round: what was tried, by which probes, and what was seen.

use serde::{Deserialize, Serialize};

use super::{Configuration, RoundResult, Soak, Stress, is_false};

/// One attempt. An attempt has the parts that apply to it; the others stay empty and are omitted from the JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// As on the command line: `thread_local`, `lock_order`, `extended_stress`, ...
    pub id: String,
    /// As in the heading: `Lock Ordering Verification`.
    pub title: String,
    /// What was done, one line each.
    pub methods: Vec<String>,
    /// What came out of this attempt.
    pub result: RoundResult,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// The one sentence after `Result`; derived from the data where empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// Patterns found in the sources and the probes that drove them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<Pattern>,
    /// Properties that the probes support, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub safety_properties: Vec<String>,
    /// The established lock order, one allowed nesting each: `BlockPool -> SegmentHeap`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<String>,
    /// Call sites that nest two locks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<Site>,
    /// Locks that are taken alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub isolated: Vec<IsolatedLock>,
    /// Nestings that were seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<Graph>,
    /// Figures of a stress run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stress: Option<Stress>,
    /// Configurations of the covering table that it ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub configurations: Vec<Configuration>,
    /// Figures of a soak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Soak>,
    /// Hit counters of protocol steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counters: Vec<Counter>,
}

impl Attempt {
    /// An attempt with nothing in it yet, incomplete until its result is set.
    pub fn new(id: &str, title: &str) -> Self {
        Attempt {
            id: id.to_owned(),
            title: title.to_owned(),
            methods: Vec::new(),
            result: RoundResult::Incomplete("attempt has no result".to_owned()),
            seconds: 0.0,
            summary: String::new(),
            patterns: Vec::new(),
            safety_properties: Vec::new(),
            order: Vec::new(),
            sites: Vec::new(),
            isolated: Vec::new(),
            graph: None,
            stress: None,
            configurations: Vec::new(),
            soak: None,
            counters: Vec::new(),
        }
    }
}

/// A pattern in the sources, such as one field of the thread state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pattern {
    /// Its name: `BlockCache::flush`.
    pub pattern: String,
    /// `file:line`.
    pub location: String,
    /// What keeps it safe.
    pub mechanism: String,
    /// The probes that drove it. None means not covered.
    pub probes: Vec<Probe>,
}

/// An executed check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// A few words: `thread exit against shutdown`.
    pub name: String,
    /// How often it ran.
    pub runs: u64,
    /// How it ended.
    pub status: ProbeStatus,
    /// What was seen where it failed, or why it was not reached.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Wall-clock seconds of all runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// True where each run had a process of its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub child_process: bool,
}

impl Probe {
    /// A probe that passed this many runs.
    pub fn passed(name: &str, runs: u64) -> Self {
        Probe {
            name: name.to_owned(),
            runs,
            status: ProbeStatus::Passed,
            detail: String::new(),
            seconds: None,
            child_process: false,
        }
    }
}

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProbeStatus {
    /// Every run passed.
    Passed,
    /// At least one run failed, crashed or hung.
    Failed,
    /// It did not run.
    #[serde(rename = "Not reached")]
    NotReached,
}

/// A place where one lock is taken under another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// `file:outer-inner`, the two lines.
    pub location: String,
    /// `BlockPool -> SegmentHeap`.
    pub pattern: String,
    /// How often it was seen in this round.
    pub seen: u64,
    /// Verdict.
    pub status: SiteStatus,
}

/// Verdict on a call site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SiteStatus {
    /// Seen, in the established order.
    Correct,
    /// Seen, against the established order.
    #[serde(rename = "VIOLATION")]
    Violation,
    /// Known from the sources, not seen in this round.
    #[serde(rename = "Not reached")]
    NotReached,
}

/// A lock that is taken alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsolatedLock {
    /// Its name.
    pub lock: String,
    /// Whether its owner may take it again.
    pub reentrant: bool,
    /// Times taken in this round.
    pub taken: u64,
    /// Times another lock was held when it was taken, or taken under it. Must be 0.
    pub cross_locked: u64,
}

/// Which lock was taken under which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// Distinct nestings.
    pub edges: Vec<GraphEdge>,
    /// True when no cycle exists.
    pub acyclic: bool,
}

/// One nesting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphEdge {
    /// The lock that was held.
    pub held: String,
    /// The lock that was taken under it.
    pub taken: String,
    /// How often.
    pub seen: u64,
}

/// Hits of one protocol step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Name of the step: `wait_inserted`.
    pub name: String,
    /// Hits in this round.
    pub hits: u64,
    /// True when the attempt claims to drive it: zero hits then make the round incomplete.
    pub claimed: bool,
    /// True for a step that must never be taken: a hit is a finding.
    #[serde(default, skip_serializing_if = "is_false")]
    pub forbidden: bool,
}

impl Counter {
    /// The hits as a table shows them, with what a zero means.
    #[must_use]
    pub fn shown(&self) -> String {
        match (self.hits, self.forbidden) {
            (0, true) => "0 (must be 0)".to_owned(),
            (0, false) => "0 (Not reached)".to_owned(),
            (hits, _) => hits.to_string(),
        }
    }
}

macro_rules! displayed {
    ($kind:ty { $($variant:ident => $text:literal),+ }) => {
        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $text),+ })
            }
        }
    };
}

displayed!(ProbeStatus { Passed => "passed", Failed => "FAILED", NotReached => "Not reached" });
displayed!(SiteStatus { Correct => "Correct", Violation => "VIOLATION", NotReached => "Not reached" });
