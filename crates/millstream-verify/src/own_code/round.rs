//! One round: the sequential run, the threads, the comparison, and what was left.

use std::time::{Duration, Instant};

use millstream::{Device, Health};
use millstream_sync::Arc;

use super::crowd::{self, Done, Values};
use super::report::RoundOfCode;
use super::{Rounds, Workload};
use crate::attempts::configurations::{Covered, Rows};
use crate::attempts::{Context, Entry};
use crate::model::RoundResult;
use crate::plan::{Plan, Silent};
use crate::{Result, open};

/// Findings that a round names one by one; the rest is counted.
const NAMED: usize = 10;

/// Runs round `number`.
pub(super) fn run(rounds: &Rounds, entries: &[&Entry], number: u64) -> Result<RoundOfCode> {
    let begun = Instant::now();
    let seed = rounds.seed ^ (number - 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut round = RoundOfCode::new(number, seed, rounds);
    if let Some(call) = &rounds.workload {
        let device = match &rounds.device {
            Some(device) => device.clone(),
            None => open::open(&rounds.name, seed, |_| {})?,
        };
        exercise(rounds, call, &device, &mut round);
        if rounds.device.is_none() && !round.hung {
            close(&device, &mut round);
        }
    }
    attempt(rounds, entries, &mut round);
    round.seconds = begun.elapsed().as_secs_f64();
    round.result = judge(rounds, &round);
    Ok(round)
}

fn exercise(rounds: &Rounds, call: &Arc<Workload>, device: &Device, round: &mut RoundOfCode) {
    let expected = match crowd::alone(rounds, &**call, device, round.seed) {
        Ok(expected) => expected,
        Err(failure) => return round.find(format!("already on one thread: {failure}")),
    };
    // What the workload keeps for itself it has made by now.
    let live = device.memory_stats().live_bytes;
    let done = crowd::together(rounds, call, device, round.seed);
    round.max_concurrent = done.max_concurrent;
    round.threads_seconds = done.seconds;
    compare(&expected, &done, rounds.deadline, round);
    drop(done);
    if round.hung {
        return;
    }
    let left = device.memory_stats().live_bytes;
    if left > live {
        round.find(format!("{} bytes are live that were not before the threads started", left - live));
    }
    if let Health::Faulted(report) = device.health() {
        round.find(format!("the device is faulted: {report}"));
    }
}

fn compare(expected: &[Vec<Values>], done: &Done, deadline: Duration, round: &mut RoundOfCode) {
    for (thread, worked) in done.workers.iter().enumerate() {
        let Some(worked) = worked else {
            round.hung = true;
            round.find(format!("thread {thread} was not done after {deadline:?}"));
            continue;
        };
        if let Some(failure) = &worked.failure {
            round.find(failure.clone());
        }
        for (iteration, found) in worked.values.iter().enumerate() {
            let wanted = &expected[thread][iteration];
            round.values_compared += wanted.len().min(found.len()) as u64;
            if wanted.len() != found.len() {
                let (found, wanted) = (found.len(), wanted.len());
                round.mismatch(format!("thread {thread}, call {iteration}: {found} tensors, alone {wanted}"));
            }
            for (index, _) in wanted.iter().zip(found).enumerate().filter(|(_, (wanted, found))| wanted != found) {
                round
                    .mismatch(format!("thread {thread}, call {iteration}: tensor {index} has other values than alone"));
            }
        }
        for (maker, iteration, found) in &worked.foreign {
            round.handed_over += 1;
            round.values_compared += 1;
            let wanted = expected.get(*maker).and_then(|calls| calls.get(*iteration as usize)?.first());
            if wanted != Some(found) {
                round.mismatch(format!(
                    "thread {thread} read other values in the tensor that thread {maker} made in call {iteration}"
                ));
            }
        }
    }
}

fn close(device: &Device, round: &mut RoundOfCode) {
    device.leave_thread();
    let report = device.shutdown(Duration::from_secs(30));
    if !report.complete {
        round.find(format!("the shutdown was not complete: {report:?}"));
    }
}

fn attempt(rounds: &Rounds, entries: &[&Entry], round: &mut RoundOfCode) {
    let plan = Plan::new(rounds.name.clone(), round.seed);
    let child = rounds.child();
    let rows = Rows::next(&plan.device, &Covered::default(), plan.seed);
    for entry in entries {
        let outcome = (entry.run)(&Context { plan: &plan, progress: &Silent, child: &child, rows: &rows });
        outcome.findings.iter().for_each(|finding| round.find(format!("{}: {}", entry.id, finding.text)));
        round.attempts.push(outcome.attempt);
    }
}

/// Clean only when something was compared and the threads met.
fn judge(rounds: &Rounds, round: &RoundOfCode) -> RoundResult {
    let incomplete = |why: &str| RoundResult::Incomplete(why.to_owned());
    let ran = round.attempts.iter().find(|attempt| matches!(attempt.result, RoundResult::Incomplete(_)));
    match (round.findings.len() + round.unnamed, &rounds.workload) {
        (found @ 1.., _) => RoundResult::Findings(found),
        (0, None) if round.attempts.is_empty() => incomplete("neither a workload nor an attempt"),
        (0, Some(_)) if round.values_compared == 0 => {
            incomplete("the workload returned no tensor: nothing was compared")
        }
        (0, Some(_)) if round.max_concurrent < 2 => incomplete("never were two threads in the workload at once"),
        _ => ran.map_or(RoundResult::Clean, |attempt| attempt.result.clone()),
    }
}

impl RoundOfCode {
    fn find(&mut self, text: String) {
        if self.findings.len() < NAMED { self.findings.push(text) } else { self.unnamed += 1 }
    }

    fn mismatch(&mut self, text: String) {
        self.mismatches += 1;
        self.find(text);
    }
}
