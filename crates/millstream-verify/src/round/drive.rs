//! Running the attempts, one after another, and making one list of what they found.

use std::time::Instant;

use millstream::evidence::Step;

use super::panics;
use crate::attempts::tally::Tally;
use crate::attempts::{Context, Entry, Outcome, limits};
use crate::model::{Attempt, Counter, Finding, Note, RoundResult};

/// What the attempts of a round gave.
#[derive(Debug, Default)]
pub(super) struct Driven {
    pub(super) attempts: Vec<Attempt>,
    pub(super) findings: Vec<Finding>,
    pub(super) notes: Vec<Note>,
    /// Protocol steps of all attempts together.
    pub(super) counters: Vec<Counter>,
    pub(super) interrupted: bool,
}

/// Runs `entries` in order. What the user's ^C cut short says nothing: its findings become a note.
pub(super) fn drive(entries: &[&Entry], context: &Context<'_>) -> Driven {
    let mut driven = Driven::default();
    let before = Tally::now();
    for (index, entry) in entries.iter().enumerate() {
        if context.progress.interrupted() {
            driven.interrupted = true;
            driven.attempts.push(skipped(entry, "interrupted"));
            continue;
        }
        context.progress.stage(&format!("attempt {} of {}: {}", index + 1, entries.len(), entry.title));
        let Outcome { mut attempt, mut findings } = one(entry, context);
        if context.progress.interrupted() {
            driven.interrupted = true;
            attempt.result = RoundResult::Incomplete("interrupted".to_owned());
            driven.notes.extend(findings.drain(..).map(|finding| cut(entry, &finding)));
        }
        driven.attempts.push(attempt);
        driven.findings.extend(findings);
    }
    for (index, finding) in driven.findings.iter_mut().enumerate() {
        finding.id = format!("F{}", index + 1);
    }
    let claimed = |step: Step| {
        let mut rows = driven.attempts.iter().flat_map(|attempt| &attempt.counters);
        rows.any(|counter| counter.claimed && counter.name == step.name())
    };
    driven.counters = Tally::now().since(&before).counters(claimed);
    driven
}

/// An attempt that did not run, for this reason.
pub(super) fn skipped(entry: &Entry, reason: &str) -> Attempt {
    let mut attempt = Attempt::new(entry.id, entry.title);
    attempt.result = RoundResult::Incomplete(reason.to_owned());
    attempt
}

fn one(entry: &Entry, context: &Context<'_>) -> Outcome {
    let begun = Instant::now();
    let before = Tally::now();
    let mut outcome = panics::caught(|| (entry.run)(context)).unwrap_or_else(|panic| {
        let mut attempt = Attempt::new(entry.id, entry.title);
        attempt.summary = "The attempt panicked.".to_owned();
        attempt.seconds = begun.elapsed().as_secs_f64();
        let finding = Finding { text: format!("the attempt panicked: {panic}"), ..Finding::default() };
        Outcome { attempt, findings: vec![finding] }
    });
    let tally = Tally::now().since(&before);
    outcome.findings.extend(tally.findings(entry.id));
    if outcome.attempt.counters.is_empty() {
        outcome.attempt.counters = tally.of_attempt(entry, &limits::of(entry.id, context.plan));
    }
    settle(entry, &mut outcome);
    outcome
}

/// Result and findings agree, and a counter at zero is no clean result.
fn settle(entry: &Entry, outcome: &mut Outcome) {
    let Outcome { attempt, findings } = outcome;
    if let (RoundResult::Findings(count), true) = (&attempt.result, findings.is_empty()) {
        findings.push(Finding { text: format!("{count} findings without a text"), ..Finding::default() });
    }
    for finding in findings.iter_mut() {
        finding.attempt = entry.id.to_owned();
        if finding.location.is_empty() {
            finding.location = entry.id.to_owned();
        }
    }
    if !findings.is_empty() {
        attempt.result = RoundResult::Findings(findings.len());
    }
    let idle = attempt.counters.iter().filter(|counter| counter.claimed && counter.hits == 0);
    let idle: Vec<&str> = idle.map(|counter| counter.name.as_str()).collect();
    if attempt.result.is_clean() && !idle.is_empty() {
        attempt.result = RoundResult::Incomplete(format!("counter at zero: {}", idle.join(", ")));
    }
}

fn cut(entry: &Entry, finding: &Finding) -> Note {
    Note { kind: "INTERRUPTED".to_owned(), text: format!("{} was cut short and had said: {}", entry.id, finding.text) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::attempts::configurations::Rows;
    use crate::attempts::probes::Child;
    use crate::model::Counter;
    use crate::plan::{DeviceName, Plan, Progress, Silent};

    fn clean(id: &str) -> Outcome {
        let mut attempt = Attempt::new(id, "A");
        attempt.result = RoundResult::Clean;
        Outcome { attempt, findings: Vec::new() }
    }

    const CLEAN: Entry = Entry { id: "clean", title: "A", default: true, claims: &[], run: |_| clean("clean") };
    const PANICS: Entry = Entry { id: "panics", title: "A", default: true, claims: &[], run: |_| panic!("on purpose") };
    const IDLE: Entry =
        Entry { id: "idle", title: "A", default: true, claims: &[Step::WaitInserted], run: |_| clean("idle") };
    const BUSY: Entry = Entry {
        id: "busy",
        title: "A",
        default: true,
        claims: &[Step::OutOfMemory],
        run: |_| {
            let device =
                millstream::cpu::open_with(millstream::cpu::CpuOptions::inline(), |o| o.budget_bytes = 1 << 20);
            let refused = device.map(|device| millstream::Tensor::zeros(&device, &[1 << 20]).is_err());
            assert!(refused.unwrap());
            clean("busy")
        },
    };

    fn run(entries: &[&Entry], progress: &dyn Progress) -> Driven {
        let child = Child { program: "true".into(), arguments: Vec::new(), timeout: Duration::from_secs(1) };
        let plan = Plan::new(DeviceName::Cpu, 1);
        drive(entries, &Context { plan: &plan, progress, child: &child, rows: &Rows::default() })
    }

    #[test]
    fn panic_of_an_attempt_is_a_finding_and_the_next_attempt_runs() {
        let driven = run(&[&PANICS, &CLEAN], &Silent);
        assert_eq!(driven.findings.len(), 1);
        assert_eq!((driven.findings[0].id.as_str(), driven.findings[0].attempt.as_str()), ("F1", "panics"));
        assert!(driven.findings[0].text.contains("on purpose"), "{}", driven.findings[0].text);
        assert_eq!(driven.attempts[0].result, RoundResult::Findings(1));
        assert_eq!(driven.attempts[1].result, RoundResult::Clean);
    }

    #[test]
    fn claimed_counter_at_zero_is_incomplete() {
        let driven = run(&[&IDLE], &Silent);
        let expected = RoundResult::Incomplete("counter at zero: wait_inserted".to_owned());
        assert_eq!(driven.attempts[0].result, expected);
    }

    #[test]
    fn what_a_device_of_an_attempt_counted_is_the_attempts_and_the_rounds() {
        let driven = run(&[&BUSY], &Silent);
        assert_eq!(driven.attempts[0].result, RoundResult::Clean);
        let row = |counters: &[Counter]| counters.iter().find(|c| c.name == "out_of_memory").cloned().unwrap();
        let (of_attempt, of_round) = (row(&driven.attempts[0].counters), row(&driven.counters));
        assert!(of_attempt.claimed && of_round.claimed && of_attempt.hits > 0 && of_round.hits >= of_attempt.hits);
        assert_eq!(driven.counters.len(), Step::ALL.len(), "a step that nobody took has its row too");
    }

    #[test]
    fn after_a_stop_nothing_runs_any_more() {
        struct Stopped;
        impl Progress for Stopped {
            fn stage(&self, _text: &str) {}
            fn advance(&self, _done: u64, _of: u64) {}
            fn interrupted(&self) -> bool {
                true
            }
        }
        let driven = run(&[&PANICS, &CLEAN], &Stopped);
        assert!(driven.interrupted && driven.findings.is_empty());
        assert!(driven.attempts.iter().all(|attempt| attempt.result.to_string() == "INCOMPLETE interrupted"));
    }
}
