//! Scheduled runs on the simulator find the seeded bugs. Run with `--features seeded-bugs`.
#![cfg(feature = "seeded-bugs")]

use millstream_sync::seeded::{self, Bug};
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
