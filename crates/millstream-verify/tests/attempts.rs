//! The attempts on a small plan: clean, complete, and with everything in them that a report needs.

use std::time::Duration;

use millstream::evidence::Step;
use millstream_verify::attempts::configurations::{Covered, Rows};
use millstream_verify::attempts::probes::{Child, Driven, THREAD_LOCAL, What, run_child};
use millstream_verify::attempts::tally::{FORBIDDEN, Tally};
use millstream_verify::attempts::{ATTEMPTS, Context, Outcome, extended_stress, faults, named};
use millstream_verify::model::{Probe, ProbeStatus, RoundResult, SiteStatus};
use millstream_verify::plan::{DeviceName, Plan, Silent};

/// The probes of child processes are run here directly and, as processes, by the command line's own tests.
fn child() -> Child {
    Child { program: "false".into(), arguments: Vec::new(), timeout: Duration::from_secs(60) }
}

/// The configurations of a round in a fresh folder.
fn rows(plan: &Plan) -> Rows {
    Rows::next(&plan.device, &Covered::default(), plan.seed)
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
    (entry.run)(&Context { plan: &plan, progress: &Silent, child: &child(), rows: &rows(&plan) })
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

/// What the probes of an attempt saw, one line each.
fn told(outcome: &Outcome) -> String {
    let probes = outcome.attempt.patterns.iter().flat_map(|row| row.probes.iter().map(|probe| (&row.pattern, probe)));
    let line = |(pattern, probe): (&String, &Probe)| {
        format!(
            "{pattern}: {} x{} {} in {:.1?} s: {}",
            probe.name, probe.runs, probe.status, probe.seconds, probe.detail
        )
    };
    probes.map(line).collect::<Vec<_>>().join("\n")
}

/// Runs the attempt `id`, whose probes are all of this process, and looks at its result and at what it claims.
fn is_clean_and_drives_what_it_claims(id: &str) {
    let before = Tally::now();
    let outcome = run(id);
    println!("{}", told(&outcome));
    assert_eq!(outcome.attempt.result, RoundResult::Clean, "{:#?}", outcome.findings);
    let counters = Tally::now().since(&before).of_attempt(named(id).expect("an attempt of that id"), &[]);
    let idle: Vec<_> = counters.iter().filter(|c| c.claimed && c.hits == 0).collect();
    assert!(idle.is_empty(), "{idle:#?}");
}

#[test]
fn hand_over_is_clean_and_drives_what_it_claims() {
    is_clean_and_drives_what_it_claims("hand_over");
}

#[test]
fn memory_is_clean_and_drives_what_it_claims() {
    is_clean_and_drives_what_it_claims("memory");
}

#[test]
fn events_is_clean_and_drives_what_it_claims() {
    is_clean_and_drives_what_it_claims("events");
}

#[test]
fn out_of_memory_is_clean_and_drives_what_it_claims() {
    is_clean_and_drives_what_it_claims("out_of_memory");
}

#[test]
fn oversubscription_is_clean_and_drives_what_it_claims() {
    is_clean_and_drives_what_it_claims("oversubscription");
}

#[test]
fn churn_is_clean_and_drives_what_it_claims() {
    is_clean_and_drives_what_it_claims("churn");
}

#[test]
fn batch_queue_is_clean_and_drives_what_it_claims() {
    is_clean_and_drives_what_it_claims("batch_queue");
}

#[test]
fn configurations_is_clean_and_drives_what_it_claims() {
    is_clean_and_drives_what_it_claims("configurations");
}

#[test]
fn every_step_is_claimed_by_an_attempt_or_must_not_happen() {
    let claimed = |step: Step| ATTEMPTS.iter().any(|entry| entry.claims.contains(&step));
    let open = |step: &Step| !claimed(*step) && !FORBIDDEN.contains(step) && !extended_stress::CLAIMED.contains(step);
    let open: Vec<&str> = Step::ALL.into_iter().filter(open).map(Step::name).collect();
    assert!(open.is_empty(), "no attempt claims to drive: {open:?}");
}

#[test]
fn a_fault_is_an_error_and_never_a_number() {
    passes(faults::SHEET.probes);
}

#[test]
fn a_process_ends_in_order_after_a_kernel_has_panicked_in_it() {
    for run in 0..12 {
        let arguments = ["cpu", "5", &run.to_string()].map(str::to_owned);
        assert_eq!(run_child("fault-and-exit", &arguments), 0, "run {run}");
    }
}

#[test]
fn probes_of_the_child_side_are_fine() {
    let names = ["user-thread-local", "use-in-destructor", "panic-in-flush", "no-shutdown", "forked-child"];
    let further = [
        "shutdown-against-work",
        "shutdown-live-buffers",
        "fork-at-work",
        "fork-and-open",
        "fork-and-go-on",
        "fork-and-drop",
        "shutdown-too-short",
    ];
    for name in names.into_iter().chain(further) {
        for run in ["0", "1"] {
            let arguments = ["cpu", "5", run].map(str::to_owned);
            assert_eq!(run_child(name, &arguments), 0, "{name}, run {run}");
        }
    }
    assert_eq!(run_child("nothing", &[]), 1);
}

#[test]
fn probes_of_this_process_are_fine() {
    passes(&THREAD_LOCAL);
}

/// Runs the probes that need no process of their own.
fn passes(probes: &[Driven]) {
    let plan = Plan::new(DeviceName::Cpu, 3);
    for driven in probes.iter().filter(|d| matches!(d.what, What::Here(_))) {
        let begun = std::time::Instant::now();
        let probe = driven.run(&plan, &child(), &|| false);
        println!("{:60} {:?} {:.2?} {}", driven.name, probe.status, begun.elapsed(), probe.detail);
        assert_eq!(probe.status, ProbeStatus::Passed, "{}: {}", driven.name, probe.detail);
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

#[test]
fn what_a_device_lacks_is_named_with_its_reason_and_not_claimed() {
    let plan = Plan { duration: Duration::ZERO, ..Plan::new(DeviceName::Sim, 11) };
    let entry = named("memory").expect("an attempt of that id");
    let outcome = (entry.run)(&Context { plan: &plan, progress: &Silent, child: &child(), rows: &rows(&plan) });
    println!("{}", told(&outcome));
    assert_eq!(outcome.attempt.result, RoundResult::Clean, "{:#?}", outcome.findings);
    let imports = outcome.attempt.patterns.iter().find(|row| row.pattern == "Imports").expect("a row");
    let left_out = |probe: &Probe| probe.status == ProbeStatus::NotReached && probe.detail.contains("host memory");
    assert!(!imports.probes.is_empty() && imports.probes.iter().all(left_out), "{:#?}", imports.probes);
    assert!(outcome.attempt.patterns.iter().all(|row| row.pattern == "Imports" || !row.probes.iter().any(left_out)));
    assert!(outcome.attempt.safety_properties.iter().all(|text| !text.contains("import")));
    let limits = millstream_verify::attempts::limits::of("memory", &plan);
    let claimed = Tally::now().of_attempt(entry, &limits).into_iter().filter(|counter| counter.claimed);
    assert!(claimed.into_iter().all(|counter| !counter.name.starts_with("import")));
}
