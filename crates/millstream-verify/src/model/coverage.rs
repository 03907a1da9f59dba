//! Configurations of the covering table: what ran with which settings, and which pairs of settings have run together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ProbeStatus;

/// Values by the names of their factors: `exit: panics, policy: wait, ...`. A whole configuration names every factor, a pair names two.
pub type Choice = BTreeMap<String, String>;

/// One configuration that ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Configuration {
    /// A value for each factor.
    pub choice: Choice,
    /// How it ended.
    pub status: ProbeStatus,
    /// What was seen where it failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Values compared bit for bit with the sequential run.
    pub values_compared: u64,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// A setting that varies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    /// Its name.
    pub name: String,
    /// Its values.
    pub values: Vec<String>,
}

/// Which pairs of values have run together, in this round and in the rounds before it of the same subject on the same device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The factors of this device.
    pub factors: Vec<Factor>,
    /// Pairs of values of two factors.
    pub pairs: u64,
    /// Those that have run together and passed.
    pub covered: u64,
    /// Of these, those that did so in this round for the first time.
    pub new: u64,
    /// The earlier rounds that count, oldest first.
    pub rounds: Vec<u64>,
    /// The pairs that have not.
    pub open: Vec<Choice>,
}

/// The pairs of two factors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoverageOfTwo {
    /// Name of the one factor.
    pub first: String,
    /// Name of the other.
    pub second: String,
    /// All pairs of their values.
    pub pairs: usize,
    /// Those that are open: a value of the first, a value of the second.
    pub open: Vec<(String, String)>,
}

impl Coverage {
    /// The same by pairs of factors, in the order of the factors.
    #[must_use]
    pub fn by_factors(&self) -> Vec<CoverageOfTwo> {
        let mut rows = Vec::new();
        for (place, first) in self.factors.iter().enumerate() {
            for second in &self.factors[place + 1..] {
                let both = |pair: &Choice| Some((pair.get(&first.name)?.clone(), pair.get(&second.name)?.clone()));
                rows.push(CoverageOfTwo {
                    first: first.name.clone(),
                    second: second.name.clone(),
                    pairs: first.values.len() * second.values.len(),
                    open: self.open.iter().filter_map(both).collect(),
                });
            }
        }
        rows
    }
}
