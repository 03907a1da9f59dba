//! The attempts on a small plan: clean, complete, and with everything in them that a report needs.

use std::time::Duration;

use millstream_verify::attempts::probes::{Child, run_child};
use millstream_verify::attempts::{Context, Outcome, named};
use millstream_verify::model::{RoundResult, SiteStatus};
use millstream_verify::plan::{DeviceName, Plan, Silent};

/// The probes of child processes are run here directly and, as processes, by the command line's own tests.
fn child() -> Child {
    Child { program: "false".into(), arguments: Vec::new(), timeout: Duration::from_secs(60) }
}

fn run(id: &str) -> Outcome {
    let plan = Plan {
        threads: 6,
        iterations: 60,
        sync_every: 20,
        size: 48,
        duration: Duration::ZERO,
        ..Plan::new(DeviceName::Cpu, 11)
    };
    let entry = named(id).expect("an attempt of that id");
    (entry.run)(&Context { plan: &plan, progress: &Silent, child: &child() })
}

#[test]
fn lock_order_reaches_its_sites_and_is_clean() {
    let outcome = run("lock_order");
    assert_eq!(outcome.attempt.result, RoundResult::Clean, "{:#?}\n{:#?}", outcome.findings, outcome.attempt.sites);
    let correct = outcome.attempt.sites.iter().filter(|s| s.status == SiteStatus::Correct).count();
    assert!(correct >= 5, "{:#?}", outcome.attempt.sites);
    assert!(outcome.attempt.isolated.iter().all(|lock| lock.cross_locked == 0));
}

#[test]
fn extended_stress_drives_what_it_claims_and_is_clean() {
    let outcome = run("extended_stress");
    assert_eq!(outcome.attempt.result, RoundResult::Clean, "{:#?}", outcome.findings);
    let idle: Vec<_> = outcome.attempt.counters.iter().filter(|c| c.claimed && c.hits == 0).collect();
    assert!(idle.is_empty(), "{idle:#?}");
}

#[test]
fn a_lost_device_is_an_error_and_never_a_number() {
    let outcome = run("faults");
    assert_eq!(outcome.attempt.result, RoundResult::Clean, "{:#?}", outcome.findings);
}

#[test]
fn probes_of_the_child_side_are_fine() {
    for name in ["user-thread-local", "use-in-destructor", "panic-in-flush", "no-shutdown", "forked-child"] {
        assert_eq!(run_child(name, &["cpu".to_owned(), "5".to_owned()]), 0, "{name}");
    }
    assert_eq!(run_child("nothing", &[]), 1);
}

#[test]
fn probes_of_this_process_are_fine() {
    use millstream_verify::attempts::probes::{THREAD_LOCAL, What};
    let plan = Plan::new(DeviceName::Cpu, 3);
    for driven in THREAD_LOCAL.iter().filter(|d| matches!(d.what, What::Here(_))) {
        let begun = std::time::Instant::now();
        let probe = driven.run(&plan, &child());
        println!("{:60} {:?} {:.2?} {}", driven.name, probe.status, begun.elapsed(), probe.detail);
        assert_eq!(probe.status, millstream_verify::model::ProbeStatus::Passed, "{}: {}", driven.name, probe.detail);
    }
}

#[test]
fn the_places_of_the_report_stand_where_it_says() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let words = [
        ("CURRENT_STREAM", "lease:"),
        ("BLOCK_CACHE", "caches:"),
        ("PROFILER_RING", "ring:"),
        ("BlockCache::drop", "fn drop"),
        ("BlockCache::flush", "fn flush"),
    ];
    for (name, at) in millstream::evidence::places() {
        let (file, line) = at.rsplit_once(':').unwrap();
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let found = text.lines().nth(line.parse::<usize>().unwrap() - 1).unwrap();
        let word = words.iter().find(|(n, _)| *n == name).unwrap().1;
        assert!(found.contains(word), "{name} at {at}: {found:?} has no {word:?}");
    }
}
