//! Which pairs of settings have run together, over the rounds of one subject on one device.
//!
//! The rows of earlier rounds stand in their reports beside the ledger. Only rounds that have a line in the ledger, of the same sources, features, compiler and device, are counted, and only rows that
//! passed. A report that is missing or cannot be read covers nothing: then a pair runs once more than it must.
//!
//! **Invariants**
//! - `same-subject`: a change of the sources opens every pair again.
//!
//! **Checked by**: `tests/coverage.rs`.

use std::fs;
use std::path::Path;

use crate::attempts::configurations::{Covered, factors, pairs};
use crate::model::{Coverage, ProbeStatus, Round};
use crate::plan::DeviceName;
use crate::report;

/// Rounds looked back at.
const LOOK_BACK: usize = 200;

/// What earlier rounds have covered.
#[derive(Clone, Debug, Default)]
pub struct Earlier {
    /// The pairs.
    pub covered: Covered,
    /// The rounds that ran any of them, oldest first.
    pub rounds: Vec<u64>,
}

/// What the rounds in `folder` before `round` have covered for its subject and `device`.
#[must_use]
pub fn earlier(folder: &Path, round: &Round, device: &DeviceName) -> Earlier {
    let mut earlier = Earlier::default();
    let factors = factors(device);
    for n in (1..round.n).rev().take(LOOK_BACK) {
        let path = folder.join(format!("{}.json", report::stem(n)));
        let read = fs::read_to_string(path).ok().and_then(|text| report::from_json(&text).ok());
        let Some(other) = read.filter(|other| other.n == n && is_same_subject(other, round)) else { continue };
        add(&mut earlier.covered, &factors, &other);
        if other.attempts.iter().any(|attempt| !attempt.configurations.is_empty()) {
            earlier.rounds.push(n);
        }
    }
    earlier.rounds.reverse();
    earlier
}

/// What stands after `round`; `None` where it ran no configuration.
#[must_use]
pub fn after(earlier: Earlier, round: &Round, device: &DeviceName) -> Option<Coverage> {
    if round.attempts.iter().all(|attempt| attempt.configurations.is_empty()) {
        return None;
    }
    let factors = factors(device);
    let Earlier { mut covered, rounds } = earlier;
    let before = covered.len();
    add(&mut covered, &factors, round);
    Some(Coverage {
        pairs: pairs(&factors) as u64,
        covered: covered.len() as u64,
        new: (covered.len() - before) as u64,
        rounds,
        open: covered.open(&factors),
        factors,
    })
}

fn add(covered: &mut Covered, factors: &[crate::model::Factor], round: &Round) {
    let rows = round.attempts.iter().flat_map(|attempt| &attempt.configurations);
    for row in rows.filter(|row| row.status == ProbeStatus::Passed) {
        covered.add(factors, &row.choice);
    }
}

fn is_same_subject(one: &Round, other: &Round) -> bool {
    one.ledger.is_some()
        && one.source_sha256 == other.source_sha256
        && one.features == other.features
        && one.rustc == other.rustc
        && one.device == other.device
}
