//! Attempt 1: every thread-local of the workspace, and the probes that drive what keeps it safe.
//!
//! The rows come from the inventory of the sources and from the named places of the runtime; a row without a probe is shown as such.

use millstream::evidence::Step;
use serde::Deserialize;

use super::probes::{Driving, THREAD_LOCAL, drive};
use super::{Context, Outcome};
use crate::model::{Attempt, Pattern, Probe, RoundResult};

/// The inventory, made from the sources by `cargo xtask inventory` and packaged with this crate.
const INVENTORY: &str = include_str!("../../data/inventory.json");

/// A thread-local of the sources.
#[derive(Clone, Debug, Deserialize)]
struct ThreadLocal {
    at: String,
    name: String,
    destructor: String,
    mechanism: String,
}

/// A place that takes a lock.
#[derive(Clone, Debug, Deserialize)]
struct LockSite {
    at: String,
    token: String,
}

#[derive(Debug, Deserialize)]
struct Inventory {
    thread_locals: Vec<ThreadLocal>,
    lock_sites: Vec<LockSite>,
}

/// Steps that the attempt claims to drive.
pub const CLAIMS: [Step; 9] = [
    Step::LeaseClaimed,
    Step::LeaseShared,
    Step::LeaseWait,
    Step::LeaseReturned,
    Step::ClaimUndone,
    Step::Flush,
    Step::FlushRefused,
    Step::FlushPanicked,
    Step::InboxHandBack,
];

/// What keeps each named pattern safe.
const MECHANISMS: [(&str, &str); 5] = [
    (
        "CURRENT_STREAM",
        "claim between two looks at the state, undone if it closed; one holder by a bit, many by a count",
    ),
    ("BLOCK_CACHE", "owner word by swap; only blocks whose sole user is the stream; else the lock-free inbox"),
    ("BlockCache::flush", "alive check, flushes_in_progress + 1, second alive check, scope guard"),
    ("BlockCache::drop", "try_with, catch_unwind, counted; takes no lock by force"),
    ("PROFILER_RING", "atomic words under a count of records, closed at exit"),
];

/// Places of the sources that take a lock inside another: those that use a token named `inner`.
pub(super) fn nested_sites() -> Vec<String> {
    let Ok(inventory) = serde_json::from_str::<Inventory>(INVENTORY) else { return Vec::new() };
    inventory.lock_sites.into_iter().filter(|site| site.token == "inner").map(|site| site.at).collect()
}

/// Runs the attempt.
#[must_use]
pub fn run(context: &Context<'_>) -> Outcome {
    let begun = std::time::Instant::now();
    let mut attempt = Attempt::new("thread_local", "Thread-Local Storage Analysis");
    attempt.methods = vec![
        "Inventory of every thread-local from the sources; the one with a destructor has a row for each field"
            .to_owned(),
        format!("{} probes executed, those that may end the process in processes of their own", THREAD_LOCAL.len()),
    ];
    let Driving { probes, findings, interrupted, .. } = drive(context, &attempt.id, &THREAD_LOCAL, location);
    attempt.patterns = patterns(&probes);
    attempt.safety_properties = vec![
        "A claim that the close did not see is undone; no stream is held after it".to_owned(),
        "A flush that the close did not see does nothing; flushes_in_progress returns to 0 on unwind too".to_owned(),
        "No destructor panics out of its thread; frees after it go to the stream's inbox".to_owned(),
        "A forked child is refused with a typed error, and its parent goes on".to_owned(),
    ];
    attempt.result = if !findings.is_empty() {
        RoundResult::Findings(findings.len())
    } else if interrupted {
        RoundResult::Incomplete("interrupted".to_owned())
    } else {
        RoundResult::Clean
    };
    attempt.seconds = begun.elapsed().as_secs_f64();
    Outcome { attempt, findings }
}

fn location(pattern: &str) -> String {
    millstream::evidence::places().into_iter().find(|(name, _)| *name == pattern).map(|(_, at)| at).unwrap_or_default()
}

/// The named patterns first, then every thread-local of the inventory.
fn patterns(probes: &[(&str, Probe)]) -> Vec<Pattern> {
    let of = |name: &str| -> Vec<Probe> {
        probes.iter().filter(|(p, _)| *p == name).map(|(_, probe)| probe.clone()).collect()
    };
    let mut patterns: Vec<Pattern> = MECHANISMS
        .iter()
        .map(|(name, mechanism)| Pattern {
            pattern: (*name).to_owned(),
            location: location(name),
            mechanism: (*mechanism).to_owned(),
            probes: of(name),
        })
        .collect();
    if let Ok(inventory) = serde_json::from_str::<Inventory>(INVENTORY) {
        // The fields of the thread state have the rows above; stand-ins for a user's own thread-locals belong to their probes.
        let ours = |found: &ThreadLocal| found.name != "THREAD" && !found.at.contains("/attempts/probes/");
        for found in inventory.thread_locals.into_iter().filter(ours) {
            patterns.push(Pattern {
                probes: of(&found.name),
                pattern: found.name,
                location: found.at,
                mechanism: format!("{} (destructor: {})", found.mechanism, found.destructor),
            });
        }
    }
    patterns
}
