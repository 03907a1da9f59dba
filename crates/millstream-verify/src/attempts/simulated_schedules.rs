//! A further attempt: scheduled runs on the simulator, one seed each.

use super::{Context, Outcome};
use crate::model::{Attempt, Finding, RoundResult};
use crate::sim::{self, Scheduled};

/// Schedules of one round.
const SEEDS: u64 = 1_000;
/// Findings after which it stops.
const FINDINGS_MAX: usize = 3;

/// The command that runs a seed again: the first of an attempt of its own.
fn replay(seed: u64) -> String {
    format!("millstream verify --attempt simulated_schedules --seed {seed}")
}

/// Runs the attempt.
#[must_use]
pub fn run(context: &Context<'_>) -> Outcome {
    explore(context, sim::scheduled)
}

/// Runs `scheduled` on one seed after another.
fn explore(context: &Context<'_>, scheduled: impl Fn(u64) -> Scheduled) -> Outcome {
    let begun = std::time::Instant::now();
    let mut attempt = Attempt::new("simulated_schedules", "Simulated Schedules");
    let mut findings = Vec::new();
    let (mut ran, mut switches, mut compared) = (0, 0, 0);
    let prepared = sim::prepare();
    for i in 0..SEEDS {
        if prepared.is_err() || context.progress.interrupted() || findings.len() >= FINDINGS_MAX {
            break;
        }
        if i % 16 == 0 {
            context.progress.advance(i, SEEDS);
        }
        let seed = context.plan.seed.wrapping_add(i);
        let run = scheduled(seed);
        ran += 1;
        switches += run.switches;
        compared += run.values_compared;
        findings.extend(run.findings.into_iter().map(|text| Finding {
            attempt: attempt.id.clone(),
            text: format!("seed {seed}: {text}"),
            location: "millstream_verify::sim".to_owned(),
            replay: replay(seed),
            ..Finding::default()
        }));
    }
    attempt.methods = vec![format!(
        "{ran} schedules of real threads on the simulator, one thread at a time, {switches} switches; every access checked for order, {compared} values compared"
    )];
    attempt.safety_properties = vec![format!(
        "no finding in {ran} schedules: failure rate under this scheduler below {:.4} at 95 %",
        3.0 / ran.max(1) as f64
    )];
    attempt.result = if !findings.is_empty() {
        attempt.safety_properties.clear();
        RoundResult::Findings(findings.len())
    } else if ran < SEEDS {
        RoundResult::Incomplete("interrupted".to_owned())
    } else {
        RoundResult::Clean
    };
    attempt.seconds = begun.elapsed().as_secs_f64();
    Outcome { attempt, findings }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::attempts::configurations::Rows;
    use crate::attempts::probes::Child;
    use crate::plan::{DeviceName, Plan, Silent};

    /// One seed in seven fails, each in a way of its own.
    fn findings(seed: u64) -> Vec<Finding> {
        let fails = |seed: u64| if seed % 7 == 3 { vec![format!("digest {}", seed * seed)] } else { Vec::new() };
        let plan = Plan::new(DeviceName::Cpu, seed);
        let child = Child { program: "false".into(), arguments: Vec::new(), timeout: Duration::ZERO };
        let context = Context { plan: &plan, progress: &Silent, child: &child, rows: &Rows::default() };
        explore(&context, |seed| Scheduled { findings: fails(seed), ..Scheduled::default() }).findings
    }

    #[test]
    fn the_command_of_a_finding_runs_its_seed_first() {
        let found = findings(1_000);
        assert_eq!(found.len(), FINDINGS_MAX, "it stops");
        for finding in found {
            let (command, seed) = finding.replay.rsplit_once(' ').expect("a command with a seed");
            // The command line's own tests run it in these words.
            assert_eq!(command, "millstream verify --attempt simulated_schedules --seed");
            let again = findings(seed.parse().expect("a seed"));
            assert_eq!(again.first().map(|first| &first.text), Some(&finding.text));
        }
    }
}
