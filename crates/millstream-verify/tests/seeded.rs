//! Scheduled runs on the simulator find the seeded bugs. Run with `--features seeded-bugs`.
#![cfg(feature = "seeded-bugs")]

use std::time::Duration;

use millstream_sync::seeded::{self, Bug};
use millstream_verify::attempts::probes::Child;
use millstream_verify::attempts::{Context, named};
use millstream_verify::model::Finding;
use millstream_verify::plan::{DeviceName, Plan, Silent};
use millstream_verify::sim;

#[test]
fn scheduled_runs_find_the_seeded_bugs() {
    sim::prepare().unwrap();
    let mut survived = Vec::new();
    for bug in Bug::ALL {
        seeded::plant(bug);
        let found = (0..400).find_map(|seed| {
            let run = sim::scheduled(seed);
            run.findings.first().map(|finding| (seed, finding.clone()))
        });
        match found {
            Some((seed, finding)) => println!("{:20} seed {seed:4}  {finding}", bug.id()),
            None => survived.push(bug.id()),
        }
    }
    println!("survived: {survived:?}");
    for must in ["skipped-wait", "lost-second-user", "early-reuse", "stranded-inbox", "flush-after-close"] {
        assert!(!survived.contains(&must), "{must} was not found");
    }
}

fn findings(seed: u64) -> Vec<Finding> {
    let child = Child { program: "false".into(), arguments: Vec::new(), timeout: Duration::ZERO };
    let plan = Plan::new(DeviceName::Cpu, seed);
    let attempt = named("simulated_schedules").expect("an attempt of that id");
    (attempt.run)(&Context { plan: &plan, progress: &Silent, child: &child }).findings
}

#[test]
fn the_command_of_a_finding_runs_its_seed_again() {
    seeded::plant(Bug::SkippedWait);
    let found = findings(1_000);
    let first = found.first().expect("the bug is found");
    let (command, seed) = first.replay.rsplit_once(' ').expect("a command with a seed");
    assert_eq!(command, "millstream verify --attempt simulated_schedules --seed");
    let again = findings(seed.parse().expect("a seed"));
    assert_eq!(again.first().map(|finding| &finding.text), Some(&first.text));
}
