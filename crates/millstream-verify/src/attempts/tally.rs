//! Hits of protocol steps, of this process and of its child processes, and what they mean for an attempt.
//!
//! The runtime counts for each device and for the process. A device of a probe is gone when its attempt ends, so an attempt is judged by what the process counted
//! meanwhile; a child process says on a line of its output what it counted.
//!
//! **Invariants**
//! * `forbidden-is-found`: a hit of a step that must never be taken is a finding of the attempt that took it.

use millstream::evidence::{self, Step};
use millstream_sync::atomic::{AtomicU64, Ordering};

use super::Entry;
use super::limits::Limit;
use crate::model::{Counter, Finding};

/// Steps that must never be taken.
pub const FORBIDDEN: [Step; 4] = [Step::DoubleReturn, Step::PutAfterClose, Step::RevokedInside, Step::DropFailed];

/// What child processes have said.
static CHILDREN: [AtomicU64; Step::ALL.len()] = [const { AtomicU64::new(0) }; Step::ALL.len()];

/// Before the counters in a child's output.
const LABEL: &str = "steps:";

/// Hits so far, in the order of [`Step::ALL`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(Vec<u64>);

impl Tally {
    /// What this process and its children have counted so far.
    #[must_use]
    pub fn now() -> Self {
        let children = CHILDREN.iter().map(|count| count.load(Ordering::Relaxed));
        Self(evidence::totals().into_iter().zip(children).map(|(own, theirs)| own + theirs).collect())
    }

    /// What was counted since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.0.iter().chain(std::iter::repeat(&0));
        Self(self.0.iter().zip(before).map(|(now, before)| now.saturating_sub(*before)).collect())
    }

    /// Hits of one step.
    #[must_use]
    pub fn of(&self, step: Step) -> u64 {
        self.0.get(step as usize).copied().unwrap_or(0)
    }

    /// One row for each step, claimed where `claimed` says so.
    #[must_use]
    pub fn counters(&self, claimed: impl Fn(Step) -> bool) -> Vec<Counter> {
        let counter = |step: Step| Counter {
            name: step.name().to_owned(),
            hits: self.of(step),
            claimed: claimed(step),
            forbidden: FORBIDDEN.contains(&step),
        };
        Step::ALL.into_iter().map(counter).collect()
    }

    /// The rows of an attempt: steps that it took or claims. What the device has not (`limits`) is not claimed.
    #[must_use]
    pub fn of_attempt(&self, entry: &Entry, limits: &[&Limit]) -> Vec<Counter> {
        let beyond = |step: &Step| limits.iter().any(|limit| limit.steps.contains(step));
        let mut counters = self.counters(|step| entry.claims.contains(&step) && !beyond(&step));
        counters.retain(|counter| counter.claimed || counter.hits > 0);
        counters
    }

    /// A finding for each step that must not have been taken.
    #[must_use]
    pub fn findings(&self, attempt: &str) -> Vec<Finding> {
        let taken = FORBIDDEN.into_iter().filter(|step| self.of(*step) > 0);
        taken
            .map(|step| Finding {
                attempt: attempt.to_owned(),
                text: format!("{}: {} times, must be 0{}", step.name(), self.of(step), first_drop_error(step)),
                location: "millstream::evidence".to_owned(),
                ..Finding::default()
            })
            .collect()
    }
}

/// The first error of a drop in this process, if that is the step.
fn first_drop_error(step: Step) -> String {
    let errors = evidence::drop_errors();
    let told = step == Step::DropFailed && errors.first.is_some();
    if told { format!("; in this process {errors}") } else { String::new() }
}

/// The line by which a child process tells its counters.
#[must_use]
pub fn line() -> String {
    let hits: Vec<String> = evidence::totals().iter().map(u64::to_string).collect();
    format!("{LABEL} {}", hits.join(" "))
}

/// Adds what a child process said in `output`. A line of another length is of another binary and is left out.
pub fn add_child(output: &str) {
    let Some(words) = output.lines().find_map(|line| line.strip_prefix(LABEL)) else { return };
    let hits: Vec<u64> = words.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    if hits.len() == CHILDREN.len() {
        for (count, hits) in CHILDREN.iter().zip(hits) {
            count.fetch_add(hits, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_adds_what_it_says_and_another_length_adds_nothing() {
        let before = Tally::now();
        add_child("noise\nsteps: 1 2\nprobe: fine");
        let hits: Vec<String> = (0..Step::ALL.len()).map(|i| (1_000_000 * u64::from(i == 3)).to_string()).collect();
        add_child(&format!("steps: {}\nprobe: fine", hits.join(" ")));
        let since = Tally::now().since(&before);
        assert!(since.of(Step::ALL[3]) >= 1_000_000);
        assert!(since.of(Step::ALL[0]) < 1_000_000);
    }

    #[test]
    fn a_forbidden_step_is_a_finding_and_no_other_is() {
        let mut hits = vec![7; Step::ALL.len()];
        FORBIDDEN.iter().for_each(|step| hits[*step as usize] = 0);
        assert!(Tally(hits.clone()).findings("a").is_empty());
        hits[Step::PutAfterClose as usize] = 2;
        let findings = Tally(hits).findings("a");
        assert_eq!(findings.len(), 1);
        assert!(findings[0].text.starts_with("put_after_close: 2 times"), "{}", findings[0].text);
    }
}
