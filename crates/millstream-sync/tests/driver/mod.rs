//! Runs the cases of a model checker, each in a process of its own.
//!
//! A deadlock under a checker ends its process, and a planted bug stays for the rest of its process: so the test binary starts itself
//! once a case. A run that finds something exits with [`FOUND`]; what is expected decides whether that is good.

use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Exit code of a run that found a broken property.
pub const FOUND: i32 = 3;

/// Schedules begun in this process.
pub static SCHEDULES: AtomicU64 = AtomicU64::new(0);

/// Notes that a schedule begins.
pub fn begin_schedule() {
    SCHEDULES.fetch_add(1, Ordering::Relaxed);
}

/// One run of this binary.
pub struct Run {
    /// Arguments of the child.
    pub arguments: Vec<String>,
}

/// What came of a run.
pub struct Ended {
    /// Exit code; `None`: killed by a signal.
    pub code: Option<i32>,
    /// Schedules that were run.
    pub schedules: u64,
    /// What it printed.
    pub output: String,
    /// Wall-clock time.
    pub time: Duration,
}

impl Run {
    /// Runs the child and waits for it.
    pub fn run(&self) -> Ended {
        let started = Instant::now();
        let this = std::env::current_exe().expect("a running program has a path");
        let output = Command::new(this).args(&self.arguments).output().expect("this program starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let schedules = text.lines().filter_map(|l| l.strip_prefix("schedules ")?.parse().ok()).next_back();
        Ended { code: output.status.code(), schedules: schedules.unwrap_or(0), output: text, time: started.elapsed() }
    }
}

/// Applies `judge` to every job, two at a time, and counts the failures. `judge` returns the line to print, and whether it is as
/// it should be.
pub fn all<T: Send>(jobs: Vec<T>, judge: impl Fn(T) -> (String, bool) + Sync) -> u32 {
    let jobs = Mutex::new(jobs.into_iter());
    let failures = Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(job) = jobs.lock().expect("no judge panics").next() else { return };
                    let (line, good) = judge(job);
                    println!("{} {line}", if good { "ok  " } else { "FAIL" });
                    if !good {
                        *failures.lock().expect("no judge panics") += 1;
                    }
                }
            });
        }
    });
    failures.into_inner().expect("no judge panics")
}

/// The exit code for a number of failures, and the last line.
pub fn verdict(what: &str, failures: u32, started: Instant) -> ExitCode {
    println!("{what}: {failures} failed, {:.1} s", started.elapsed().as_secs_f64());
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
