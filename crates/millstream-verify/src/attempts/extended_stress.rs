//! Attempt 3: the extended stress: plain on the named device for the figures, then on asynchronous streams with seeded delays and hand-overs, then in the first configurations of the covering table.
//!
//! The hit counters of the second part show which protocol steps the round has driven; one that the attempt claims and that stayed at zero makes the round incomplete.

use std::time::Duration;

use millstream::Device;
use millstream::evidence::Step;

use super::{Context, Outcome, configurations};
use crate::model::{Attempt, Counter, Finding, RoundResult, Stress};
use crate::open;
use crate::plan::{DeviceName, Plan};
use crate::workload::{self, Variant};

/// Steps that the attempt claims to drive.
pub const CLAIMED: [Step; 12] = [
    Step::WaitInserted,
    Step::LateSecondUser,
    Step::LimboEntered,
    Step::LimboLeft,
    Step::InboxHandBack,
    Step::Growth,
    Step::LeaseClaimed,
    Step::LeaseReturned,
    Step::Flush,
    Step::EventRecorded,
    Step::EventReused,
    Step::HostWait,
];

/// Steps that must not happen.
const FORBIDDEN: [Step; 3] = [Step::DoubleReturn, Step::PutAfterClose, Step::FlushPanicked];

/// Runs the attempt.
#[must_use]
pub fn run(context: &Context<'_>) -> Outcome {
    let begun = std::time::Instant::now();
    let plan = context.plan;
    let mut attempt = Attempt::new("extended_stress", "Extended Duration Stress Test");
    attempt.methods = vec![
        format!("{}-thread stress test with {} iterations each, every sum and mean compared with the sequential run", plan.threads, plan.iterations),
        "The same on asynchronous streams with seeded delays: every tenth iteration uses a neighbour's product, a third thread uses it too and drops it".to_owned(),
        format!("{} configurations of the covering table, see below", context.rows.in_stress.len()),
    ];
    let mut findings = Vec::new();
    let mut missing = None;
    match (open::open(&plan.device, plan.seed, |_| {}), open::open(&second_device(plan), plan.seed, |_| {})) {
        (Err(absent), _) | (_, Err(absent)) => missing = Some(absent.to_string()),
        (Ok(plain), Ok(handing)) => {
            let mut figures = workload::stress(&plain, plan, Variant::Plain, context.progress);
            judge("plain", &plain, &figures, &mut findings);
            let small = Plan {
                iterations: plan.iterations.min(100),
                size: plan.size.min(96),
                duration: Duration::ZERO,
                sync_every: plan.sync_every.min(25),
                ..plan.clone()
            };
            let handed = workload::stress(&handing, &small, Variant::HandOver, context.progress);
            judge("with hand-overs", &handing, &handed, &mut findings);
            attempt.counters = counters(&handing, plan.threads > 2 && small.iterations >= 50);
            attempt.safety_properties = vec![
                format!(
                    "{} values equal the sequential run bit for bit",
                    figures.total_values_compared() + handed.total_values_compared()
                ),
                format!(
                    "Hand-over part on {}: {} ops, {} values compared, {} mismatches",
                    handing.info().name,
                    handed.operations,
                    handed.values_compared,
                    handed.mismatches
                ),
            ];
            if plan.threads > 1 && figures.max_concurrent < 2 {
                missing = Some("the threads did not overlap".to_owned());
            }
            let (ran, found) = configurations::drive(context, "extended_stress", &context.rows.in_stress);
            attempt.configurations = ran;
            findings.extend(found);
            // The picture is of the part in which tensors go from stream to stream.
            figures.timeline = handed.timeline;
            attempt.stress = Some(figures);
        }
    }
    attempt.result = match missing {
        _ if !findings.is_empty() => RoundResult::Findings(findings.len()),
        Some(reason) => RoundResult::Incomplete(reason),
        None if context.progress.interrupted() => RoundResult::Incomplete("interrupted".to_owned()),
        None => RoundResult::Clean,
    };
    attempt.seconds = begun.elapsed().as_secs_f64();
    Outcome { attempt, findings }
}

/// Where the hand-overs run: the plan's device, asynchronous.
fn second_device(plan: &Plan) -> DeviceName {
    match &plan.device {
        DeviceName::Cpu => DeviceName::CpuQueued,
        other => other.clone(),
    }
}

fn judge(part: &str, device: &Device, figures: &Stress, findings: &mut Vec<Finding>) {
    let mut find = |text: String| {
        findings.push(Finding {
            attempt: "extended_stress".to_owned(),
            text: format!("{part}: {text}"),
            location: "millstream_verify::workload".to_owned(),
            ..Finding::default()
        });
    };
    if figures.total_errors() > 0 {
        find(format!("{} threads ended with an error", figures.total_errors()));
    }
    if figures.total_mismatches() > 0 {
        find(format!(
            "{} of {} values differ from the sequential run",
            figures.total_mismatches(),
            figures.total_values_compared()
        ));
    }
    device.leave_thread();
    if device.leases() > 0 {
        find(format!("{} streams still claimed after all threads ended", device.leases()));
    }
    let report = device.shutdown(Duration::from_secs(20));
    if !report.complete || report.stranded_bytes > 0 || report.reserved_bytes_left > 0 {
        find(format!(
            "after the shutdown {} bytes are not given back, {} of them stranded ({} streams and {} flushes left)",
            report.reserved_bytes_left, report.stranded_bytes, report.streams_left, report.flushes_in_progress
        ));
    }
    for step in FORBIDDEN {
        if device.evidence().count(step) > 0 {
            find(format!("{}: {}, must be 0", step.name(), device.evidence().count(step)));
        }
    }
}

fn counters(device: &Device, driven: bool) -> Vec<Counter> {
    let counter = |step: Step| Counter {
        name: step.name().to_owned(),
        hits: device.evidence().count(step),
        claimed: driven && CLAIMED.contains(&step),
        forbidden: FORBIDDEN.contains(&step),
    };
    // Steps that this device need not come by are counted over the whole round.
    Step::ALL.into_iter().map(counter).filter(|row| row.claimed || row.forbidden || row.hits > 0).collect()
}
