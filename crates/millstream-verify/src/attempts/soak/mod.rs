//! A further attempt: a soak. The same mixed load for as long as is asked for; every value compared; memory and latency looked at in windows, and nothing may grow.
//!
//! **Checked by**: the tests of `judge.rs`; `tests/soak.rs`, which plants leaks.

mod judge;
mod load;

use std::time::{Duration, Instant};

use judge::{RESERVED_GROWTH_MAX, RESIDENT_GROWTH_MAX, WINDOWS};
pub use load::Beside;
use load::{Load, THREADS};
use millstream::evidence::Step;

use super::probes::{opened, queued};
use super::stage::at_rest;
use super::{Context, Outcome};
use crate::model::{Attempt, Calibration, Finding, RoundResult, Soak};
use crate::plan::{Plan, Progress};
use crate::round::calibrate;

/// Steps that the attempt claims to drive.
pub const CLAIMS: [Step; 6] =
    [Step::LeaseClaimed, Step::LeaseReturned, Step::Flush, Step::WaitInserted, Step::InboxHandBack, Step::HostWait];

/// Runs the attempt.
#[must_use]
pub fn run(context: &Context<'_>) -> Outcome {
    let begun = Instant::now();
    let mut attempt = Attempt::new("soak", "Soak");
    attempt.methods = vec![
        format!(
            "{THREADS} threads at a time for {:.0?} in {WINDOWS} windows, on asynchronous streams: products of four sizes, hand-overs, waits; with each window all threads end, some in the middle of their work",
            context.plan.soak
        ),
        "Every sum and every eighth product is compared with a sequential run".to_owned(),
        format!(
            "With all threads gone live bytes must be 0; from the second quarter to the last, reserved bytes may grow by {} MiB, the process by {} MiB, processor time for an operation may not double; p99 may not be three times as long throughout",
            RESERVED_GROWTH_MAX >> 20,
            RESIDENT_GROWTH_MAX >> 20
        ),
    ];
    let (soak, found) = soak(context.plan, context.progress, Box::new(|_| {}));
    let findings: Vec<Finding> = found.into_iter().map(finding).collect();
    attempt.result = if !findings.is_empty() {
        RoundResult::Findings(findings.len())
    } else if context.progress.interrupted() {
        RoundResult::Incomplete("interrupted".to_owned())
    } else {
        attempt.safety_properties = vec![
            format!("{} values equal the sequential run bit for bit", soak.values_compared),
            format!("Over {} operations nothing stayed live, and memory and processor time were flat", soak.operations),
        ];
        RoundResult::Clean
    };
    attempt.soak = Some(soak);
    attempt.seconds = begun.elapsed().as_secs_f64();
    Outcome { attempt, findings }
}

fn finding(text: String) -> Finding {
    Finding {
        attempt: "soak".to_owned(),
        text,
        location: "crates/millstream-verify/src/attempts/soak/load.rs".to_owned(),
        ..Finding::default()
    }
}

/// The windows of a soak with `beside` done in each iteration, and what must not be. Blocks the host for as long as the plan says.
#[must_use]
pub fn soak(plan: &Plan, progress: &dyn Progress, beside: Box<Beside>) -> (Soak, Vec<String>) {
    let mut soak = Soak::default();
    let before_s = calibrate::seconds();
    let ran = windows(plan, progress, beside, &mut soak);
    let calibration = Calibration { before_s, after_s: calibrate::seconds() };
    let mut found: Vec<String> = ran.err().into_iter().collect();
    // Windows that the user cut short are judged too: what stayed live did so before.
    found.extend(judge::judge(&soak, calibration));
    (soak, found)
}

fn windows(plan: &Plan, progress: &dyn Progress, beside: Box<Beside>, soak: &mut Soak) -> Result<(), String> {
    let device = opened(&queued(plan), plan.seed, THREADS)?;
    let reference = opened(&plan.device, plan.seed, 1)?;
    let load = Load::new(&device, &reference, plan.seed, beside)?;
    let length = (plan.soak / WINDOWS as u32).max(Duration::from_millis(20));
    for window in 0..WINDOWS {
        if progress.interrupted() {
            break;
        }
        progress.advance(window as u64, WINDOWS as u64);
        load.window(length, soak)?;
    }
    drop(load);
    // What stayed live is in the windows.
    if soak.windows.iter().any(|window| window.live_bytes > 0) { Ok(()) } else { at_rest(&device) }
}
