//! What is run and what is expected of it.

use std::process::ExitCode;
use std::time::Instant;

use millstream_sync::seeded::{self, Bug};
use shuttle::scheduler::{PctScheduler, RandomScheduler, UrwRandomScheduler};
use shuttle::{Config, FailurePersistence, Runner};

use crate::driver::{self, FOUND, Run};
use crate::subsystems;

/// A program that must hold in every schedule.
pub struct Case {
    /// `subsystem/what_holds`.
    pub name: &'static str,
    /// A bug that makes it fail.
    pub bug: Option<Bug>,
    /// The program.
    pub body: fn(),
}

/// Schedules of a case under one scheduler.
const SCHEDULES: usize = 20_000;
const SCHEDULERS: [&str; 6] = ["random", "urw", "pct-2", "pct-3", "pct-4", "pct-5"];
const SEED: u64 = 20_250_101;

pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--case", name, scheduler, seed, bug] => {
            if let Some(bug) = Bug::named(bug) {
                seeded::plant(bug);
            }
            child(name, scheduler, seed.parse().expect("a seed is a number"))
        }
        ["--seed", seed] => drive("", seed.parse().expect("a seed is a number")),
        ["--seed", seed, only] => drive(only, seed.parse().expect("a seed is a number")),
        [only] => drive(only, SEED),
        [] => drive("", SEED),
        _ => ExitCode::FAILURE,
    }
}

fn child(name: &str, scheduler: &str, seed: u64) -> ExitCode {
    let case = subsystems::all().into_iter().find(|case| case.name == name).expect("a case of this binary");
    let body = case.body;
    let program = move || {
        driver::begin_schedule();
        body();
    };
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::Print;
    let run =
        std::panic::catch_unwind(move || match scheduler.strip_prefix("pct-").map(|depth| depth.parse::<usize>()) {
            Some(depth) => {
                let depth = depth.expect("a depth is a number");
                Runner::new(PctScheduler::new_from_seed(seed, depth, SCHEDULES), config).run(program);
            }
            None if scheduler == "urw" => {
                Runner::new(UrwRandomScheduler::new_from_seed(seed, SCHEDULES), config).run(program);
            }
            None => {
                Runner::new(RandomScheduler::new_from_seed(seed, SCHEDULES), config).run(program);
            }
        });
    println!("schedules {}", driver::SCHEDULES.load(std::sync::atomic::Ordering::Relaxed));
    std::process::exit(if run.is_ok() { 0 } else { FOUND })
}

fn drive(only: &str, seed: u64) -> ExitCode {
    let started = Instant::now();
    println!("seed {seed}, {SCHEDULES} schedules a case and scheduler");
    let cases: Vec<Case> = subsystems::all().into_iter().filter(|case| case.name.contains(only)).collect();
    let mut failures = driver::all(cases.iter().collect(), |case| holds(case, seed));
    let bugs: Vec<(&Case, Bug)> = cases.iter().filter_map(|case| Some((case, case.bug?))).collect();
    println!("{} seeded bugs", bugs.len());
    failures += driver::all(bugs, |(case, bug)| finds(case, bug, seed));
    driver::verdict("shuttle", failures, started)
}

fn run(case: &Case, scheduler: &str, seed: u64, bug: &str) -> driver::Ended {
    let arguments = ["--case", case.name, scheduler, &seed.to_string(), bug].map(str::to_owned).to_vec();
    Run { arguments }.run()
}

fn holds(case: &Case, seed: u64) -> (String, bool) {
    let (mut schedules, mut seconds) = (0, 0.0);
    for scheduler in SCHEDULERS {
        let ended = run(case, scheduler, seed, "none");
        if ended.code != Some(0) {
            return (format!("{} under {scheduler}, seed {seed}:\n{}", case.name, ended.output), false);
        }
        schedules += ended.schedules;
        seconds += ended.time.as_secs_f64();
    }
    let rate = schedules as f64 / seconds / 1_000.0;
    (format!("{schedules:>8} schedules {seconds:>6.2} s {rate:>5.0} k/s  {}", case.name), true)
}

fn finds(case: &Case, bug: Bug, seed: u64) -> (String, bool) {
    let found: Vec<String> = SCHEDULERS
        .into_iter()
        .map(|scheduler| (scheduler, run(case, scheduler, seed, bug.id())))
        .filter(|(_, ended)| ended.code == Some(FOUND))
        .map(|(scheduler, ended)| format!("{scheduler} after {}", ended.schedules))
        .collect();
    let how = if found.is_empty() { "NOT FOUND".to_owned() } else { format!("found: {}", found.join(", ")) };
    (format!("{} in {}: {how}", bug.id(), case.name), !found.is_empty())
}
