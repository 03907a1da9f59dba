//! Attempt 2: which lock was taken inside which, where, and how often.
//!
//! The recorder is switched on, a sweep drives every path that takes a lock inside another, and the rows are compared with the table of allowed nestings. What the types
//! already refuse at build time is here seen at run time, with its places.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use millstream::evidence::Step;
use millstream::{Device, Generator, Kernel, Tensor};
use millstream_sync::atomic::{AtomicU32, Ordering};
use millstream_sync::lock::levels::{LEVELS, NESTINGS};
use millstream_sync::lock::record;
use millstream_sync::{Arc, Doorbell};

use super::{Context, Outcome, thread_local};
use crate::model::{Attempt, Finding, Graph, GraphEdge, IsolatedLock, RoundResult, Site, SiteStatus};
use crate::open;
use crate::plan::{DeviceName, Plan};
use crate::workload::{self, Variant};

/// Steps that the sweep claims to drive: each takes locks of its own.
pub const CLAIMS: [Step; 5] =
    [Step::Growth, Step::SegmentReleased, Step::OutOfMemory, Step::Flush, Step::WantedRecorded];

/// Distinct places that must take `SegmentHeap` under `BlockPool`.
const SITES_MIN: usize = 5;
/// Rows that are no locks: places where a thread leaves our own code.
const BOUNDARIES: [&str; 4] = ["host wait", "driver call", "enqueue", "callback"];

/// Runs the attempt.
#[must_use]
pub fn run(context: &Context<'_>) -> Outcome {
    let begun = std::time::Instant::now();
    let mut attempt = Attempt::new("lock_order", "Lock Ordering Verification");
    attempt.methods = vec![
        "Nesting recorder on: every lock taken, with the place of the lock it was taken inside".to_owned(),
        "Sweep: cache miss, overflow, trim, the out-of-memory ladder, thread exit, shutdown, statistics, hand-overs"
            .to_owned(),
    ];
    attempt.order = NESTINGS.iter().map(|(held, taken)| format!("{held} -> {taken}")).collect();
    record::clear();
    let was_on = record::switch(true);
    let swept = sweep(context);
    let rows = record::rows();
    let lost = record::lost();
    record::switch(was_on);

    let mut findings = Vec::new();
    let mut find = |text: String, location: String| {
        findings.push(Finding { attempt: "lock_order".to_owned(), text, location, ..Finding::default() });
    };
    for row in rows.iter().filter(|row| !row.allowed) {
        let (held, at) = row.held.map_or(("nothing", String::new()), |(held, at)| (held, place(at)));
        find(format!("{} under {held} (taken at {at}), {} times", row.taken, row.count), place(row.at));
    }
    let edges = edges(&rows);
    let acyclic = acyclic(&edges);
    if !acyclic {
        find("the nestings that were seen form a cycle".to_owned(), String::new());
    }
    attempt.sites = sites(&rows);
    attempt.sites.extend(not_reached(&rows));
    attempt.isolated = isolated(&rows);
    for lock in attempt.isolated.iter().filter(|lock| lock.cross_locked > 0) {
        find(format!("the isolated lock {} was nested {} times", lock.lock, lock.cross_locked), String::new());
    }
    attempt.graph = Some(Graph { edges, acyclic });
    attempt.safety_properties = vec![
        "No lock was taken against the established order, and the graph has no cycle".to_owned(),
        "No host wait, driver call or callback under a lock, but for enqueues under StreamSubmit".to_owned(),
        format!("The owner of StreamSubmit entered again {} times", record::reentered()),
    ];
    let reached = attempt
        .sites
        .iter()
        .filter(|s| s.pattern == "BlockPool -> SegmentHeap" && s.status == SiteStatus::Correct)
        .count();
    attempt.result = match swept {
        Err(error) => {
            findings.push(Finding {
                attempt: "lock_order".to_owned(),
                text: format!("the sweep failed: {error}"),
                ..Finding::default()
            });
            RoundResult::Findings(findings.len())
        }
        Ok(()) if !findings.is_empty() => RoundResult::Findings(findings.len()),
        Ok(()) if context.progress.interrupted() => RoundResult::Incomplete("interrupted".to_owned()),
        Ok(()) if lost > 0 => {
            RoundResult::Incomplete(format!("{lost} nestings found no place in the recorder's table"))
        }
        Ok(()) if reached < SITES_MIN => RoundResult::Incomplete(format!(
            "{reached} sites take SegmentHeap under BlockPool, at least {SITES_MIN} must be reached"
        )),
        Ok(()) if attempt.sites.iter().any(|site| site.status == SiteStatus::NotReached) => {
            RoundResult::Incomplete("a call site known from the sources was not reached".to_owned())
        }
        Ok(()) => RoundResult::Clean,
    };
    attempt.seconds = begun.elapsed().as_secs_f64();
    Outcome { attempt, findings }
}

/// Drives every path that takes one lock inside another.
fn sweep(context: &Context<'_>) -> Result<(), String> {
    let queued = match &context.plan.device {
        DeviceName::Cpu => DeviceName::CpuQueued,
        other => other.clone(),
    };
    // One thread, one value, and the end: the shutdown itself finds the free segment.
    let device = open::open(&context.plan.device, context.plan.seed, |_| {}).map_err(|absent| absent.to_string())?;
    Tensor::zeros(&device, &[64]).and_then(|zeros| zeros.sum()?.item::<f32>()).map_err(|error| error.to_string())?;
    device.shutdown(Duration::from_secs(20));
    for (step, name) in [&context.plan.device, &queued].into_iter().enumerate() {
        context.progress.advance(step as u64, 2);
        let device = open::open(name, context.plan.seed, |options| {
            options.streams = 4;
            options.budget_bytes = 24 << 20;
            options.cache_bytes_max = 64 << 10;
        })
        .map_err(|absent| absent.to_string())?;
        memory_paths(&device).map_err(|error| error.to_string())?;
        wanted_progress(&device).map_err(|error| error.to_string())?;
        let plan = Plan {
            threads: 6,
            iterations: 20,
            sync_every: 5,
            size: 32,
            duration: Duration::ZERO,
            ..context.plan.clone()
        };
        let figures = workload::stress(&device, &plan, Variant::HandOver, context.progress);
        if !figures.passed() {
            return Err(format!("{} errors, {} mismatches", figures.total_errors(), figures.total_mismatches()));
        }
        let report = device.shutdown(Duration::from_secs(20));
        if !report.complete {
            return Err(format!("the shutdown was not complete: {report:?}"));
        }
    }
    Ok(())
}

/// Miss, overflow, idle pools, segments at rest, the ladder to its end, trim, statistics.
fn memory_paths(device: &Device) -> millstream::Result<()> {
    let one = |device: &Device| Tensor::randn(device, &[256, 256], &mut Generator::new(3));
    // Misses and growth; then more freed blocks than the cache holds.
    let many: Vec<Tensor> = (0..12).map(|_| one(device)).collect::<Result<_, _>>()?;
    drop(many);
    device.synchronize()?;
    let _ = device.memory_stats();
    // A thread of its own leaves its segments to an idle pool, which others then take from.
    // The last block of one comes home when nobody holds its stream any more: a whole segment is given up.
    let d = device.clone();
    let left = std::thread::spawn(move || {
        let tensor = one(&d)?;
        d.synchronize()?;
        Ok::<_, millstream::Error>(tensor)
    });
    drop(left.join().unwrap_or_else(|_| one(device))?);
    device.trim();
    // A segment at rest is adopted.
    one(device)?.sum()?.item::<f32>()?;
    // The ladder to its end: more than the budget must be refused, and the device works after.
    let mut kept = Vec::new();
    let refused = loop {
        match Tensor::zeros(device, &[1 << 20]) {
            Ok(tensor) if kept.len() < 64 => kept.push(tensor),
            Ok(_) => break false,
            Err(millstream::Error::Runtime(millstream::RuntimeError::OutOfMemory { .. })) => break true,
            Err(error) => return Err(error),
        }
    };
    drop(kept);
    assert!(refused, "a budget of 24 MiB has no room for 256 MiB");
    device.trim();
    one(device)?.sum()?.item::<f32>()?;
    let _ = device.memory_stats();
    Ok(())
}

/// A block waits in limbo for a busy stream, whose next submitter records an event for it: the owner of the submission lock enters it again.
fn wanted_progress(device: &Device) -> millstream::Result<()> {
    let step = Arc::new((AtomicU32::new(0), Doorbell::new()));
    let made = Tensor::zeros(device, &[64])?;
    let using = {
        let (device, step, theirs) = (device.clone(), step.clone(), made.clone());
        std::thread::spawn(move || {
            device.enqueue(Kernel::Spin { micros: 60_000 })?;
            let used = theirs.sum()?;
            drop(theirs);
            step.0.store(1, Ordering::Relaxed);
            step.1.ring();
            step.1.wait_until(Some(Duration::from_secs(10)), || step.0.load(Ordering::Relaxed) == 2);
            Tensor::zeros(&device, &[64])?;
            used.item::<f32>()
        })
    };
    step.1.wait_until(Some(Duration::from_secs(10)), || step.0.load(Ordering::Relaxed) == 1);
    drop(made);
    device.trim();
    step.0.store(2, Ordering::Relaxed);
    step.1.ring();
    using.join().unwrap_or(Ok(0.0)).map(drop)
}

fn place(at: &std::panic::Location<'_>) -> String {
    format!("{}:{}", at.file(), at.line())
}

fn is_boundary(name: &str) -> bool {
    BOUNDARIES.contains(&name)
}

/// Rows of one place may have several addresses: they are added up here.
fn sites(rows: &[record::Nesting]) -> Vec<Site> {
    let mut sites: BTreeMap<(String, String), (u64, bool)> = BTreeMap::new();
    for row in rows.iter().filter(|row| !is_boundary(row.taken)) {
        let Some((held, outer)) = row.held else { continue };
        let location = if outer.file() == row.at.file() {
            format!("{}:{}-{}", outer.file(), outer.line(), row.at.line())
        } else {
            format!("{}-{}", place(outer), place(row.at))
        };
        let site = sites.entry((format!("{held} -> {}", row.taken), location)).or_insert((0, true));
        site.0 += row.count;
        site.1 &= row.allowed;
    }
    let site = |((pattern, location), (seen, allowed)): ((String, String), (u64, bool))| {
        let status = if allowed { SiteStatus::Correct } else { SiteStatus::Violation };
        Site { location, pattern, seen, status }
    };
    sites.into_iter().map(site).collect()
}

/// Places that the sources show (the token of a lock that is held is named `inner`) and that this round did not come by.
fn not_reached(rows: &[record::Nesting]) -> Vec<Site> {
    let seen: BTreeSet<String> = rows.iter().filter(|row| row.held.is_some()).map(|row| place(row.at)).collect();
    thread_local::nested_sites()
        .into_iter()
        .filter(|at| !seen.contains(at))
        .map(|location| Site {
            location,
            pattern: "BlockPool -> SegmentHeap".to_owned(),
            seen: 0,
            status: SiteStatus::NotReached,
        })
        .collect()
}

fn isolated(rows: &[record::Nesting]) -> Vec<IsolatedLock> {
    let nested: BTreeSet<&str> = NESTINGS.iter().flat_map(|(held, taken)| [*held, *taken]).collect();
    LEVELS
        .iter()
        .filter(|level| !nested.contains(level.name))
        .map(|level| {
            let about = |row: &&record::Nesting| row.taken == level.name;
            let taken = rows.iter().filter(about).map(|row| row.count).sum();
            let cross = |row: &&record::Nesting| match row.held {
                Some((held, _)) => (held == level.name && !is_boundary(row.taken)) || row.taken == level.name,
                None => false,
            };
            let cross_locked = rows.iter().filter(cross).map(|row| row.count).sum();
            IsolatedLock { lock: level.name.to_owned(), reentrant: level.reentrant, taken, cross_locked }
        })
        .collect()
}

fn edges(rows: &[record::Nesting]) -> Vec<GraphEdge> {
    let mut edges: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for row in rows.iter().filter(|row| !is_boundary(row.taken)) {
        if let Some((held, _)) = row.held {
            *edges.entry((held, row.taken)).or_default() += row.count;
        }
    }
    edges
        .into_iter()
        .map(|((held, taken), seen)| GraphEdge { held: held.to_owned(), taken: taken.to_owned(), seen })
        .collect()
}

/// Whether the nestings can be put in an order: levels without an outer one are taken away until none is left.
fn acyclic(edges: &[GraphEdge]) -> bool {
    let mut left: Vec<&GraphEdge> = edges.iter().collect();
    loop {
        let taken: BTreeSet<&str> = left.iter().map(|edge| edge.taken.as_str()).collect();
        let before = left.len();
        left.retain(|edge| taken.contains(edge.held.as_str()));
        if left.is_empty() || left.len() == before {
            return left.is_empty();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_is_seen() {
        let edge = |held: &str, taken: &str| GraphEdge { held: held.to_owned(), taken: taken.to_owned(), seen: 1 };
        assert!(acyclic(&[edge("a", "b"), edge("b", "c"), edge("a", "c")]));
        assert!(!acyclic(&[edge("a", "b"), edge("b", "c"), edge("c", "b")]));
        assert!(acyclic(&[]));
    }
}
