//! Blocks until the time is over, and the figures of them all.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use millstream::Device;
use sha2::{Digest, Sha256};

use super::block::{self, BlockValues, Done};
use super::timeline::timeline;
use crate::model::{Blocks, DriverCalls, Latency, Stress, Timeline};
use crate::plan::{Plan, Progress};

/// Which stress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Each thread on its own tensors.
    Plain,
    /// Every tenth iteration uses a neighbour's product and leaves it to a third thread to drop.
    HandOver,
}

/// Runs as many whole blocks on `device` as fit into the plan's duration, and one in any case: a block is never cut, so one that takes longer than the duration is the only
/// one. The comparison with the sequential run is outside the timing. An operation that fails is counted, not returned.
pub fn stress(device: &Device, plan: &Plan, variant: Variant, progress: &dyn Progress) -> Stress {
    let mut figures: Option<Stress> = None;
    let mut blocks = Blocks::default();
    let begun = Instant::now();
    loop {
        let number = blocks.count;
        let done = block::run_parallel(device, plan, variant, number, progress);
        let timeline = (number == 0).then(|| timeline(device));
        let errors = done.workers.iter().filter(|w| w.error.is_some()).count() as u64;
        let (compared, mismatches) = if plan.compare && !progress.interrupted() {
            compare(device, plan, variant, number, &done, progress)
        } else {
            (0, 0)
        };
        blocks.count += 1;
        blocks.operations += operations(&done);
        blocks.seconds += done.seconds;
        blocks.errors += errors;
        blocks.values_compared += compared;
        blocks.mismatches += mismatches;
        if figures.is_none() {
            figures = Some(first(plan, &done, errors, compared, mismatches, timeline));
        }
        let over = errors > 0 || begun.elapsed() > plan.duration * 12;
        if over || !another_fits(&blocks, plan.duration) || progress.interrupted() {
            break;
        }
    }
    let mut figures = figures.unwrap_or_default();
    if blocks.count > 1 {
        figures.blocks = Some(blocks);
    }
    figures
}

/// Whether a block of the length of those before it ends within `duration`.
fn another_fits(blocks: &Blocks, duration: Duration) -> bool {
    let one = blocks.seconds / blocks.count.max(1) as f64;
    blocks.seconds + one <= duration.as_secs_f64()
}

fn operations(done: &Done) -> u64 {
    done.workers.iter().map(|w| w.nanoseconds.len() as u64).sum()
}

/// Compares with the sequential run. Returns values compared and values that differ; one that is missing differs.
fn compare(
    device: &Device,
    plan: &Plan,
    variant: Variant,
    number: u64,
    done: &Done,
    progress: &dyn Progress,
) -> (u64, u64) {
    let of = plan.threads as u64;
    let reference = block::run_sequential(device, plan, variant, number, |thread| {
        progress.advance(thread, of);
        !progress.interrupted()
    });
    let Ok(reference) = reference else {
        // Without a reference nothing was compared, and that is not a match.
        return (0, 1);
    };
    let (mut compared, mut mismatches) = (0, 0);
    for (expected, worked) in reference.iter().zip(&done.workers) {
        let BlockValues { scalars, fingerprints } = &worked.values;
        compared += (expected.scalars.len() + expected.fingerprints.len()) as u64;
        mismatches += differing(&expected.scalars, scalars) + differing(&expected.fingerprints, fingerprints);
    }
    (compared, mismatches)
}

fn differing<T: PartialEq>(expected: &[T], found: &[T]) -> u64 {
    let pairs = expected.iter().zip(found).filter(|(e, f)| e != f).count();
    (pairs + expected.len().abs_diff(found.len())) as u64
}

fn first(plan: &Plan, done: &Done, errors: u64, compared: u64, mismatches: u64, timeline: Option<Timeline>) -> Stress {
    let mut samples: Vec<u64> = done.workers.iter().flat_map(|w| w.nanoseconds.iter().copied()).collect();
    samples.sort_unstable();
    let percentile = |p: usize| samples.get((samples.len() * p / 100).min(samples.len().saturating_sub(1))).copied();
    let micros = |p: usize| percentile(p).unwrap_or(0) as f64 / 1000.0;
    Stress {
        threads: plan.threads as u64,
        iterations_per_thread: plan.iterations,
        sync_every: plan.sync_every,
        size: plan.size as u64,
        operations: operations(done),
        seconds: done.seconds,
        ops_per_second: if done.seconds > 0.0 { operations(done) as f64 / done.seconds } else { 0.0 },
        errors,
        values_compared: compared,
        mismatches,
        values_digest: digest(done),
        max_concurrent: done.max_concurrent,
        p50_us: micros(50),
        p99_us: micros(99),
        driver_calls: done.driver_calls.map(|calls| DriverCalls {
            enqueues: calls.enqueues,
            questions: calls.questions,
            others: calls.others,
        }),
        asked_seconds: (!plan.duration.is_zero()).then_some(plan.duration.as_secs_f64()),
        latency: Latency::of_nanoseconds(&samples),
        timeline,
        ..Stress::default()
    }
}

/// SHA-256 over all values of the block in the order of threads and iterations.
fn digest(done: &Done) -> String {
    let mut hash = Sha256::new();
    for worked in &done.workers {
        for scalar in &worked.values.scalars {
            hash.update(scalar.to_le_bytes());
        }
        for fingerprint in &worked.values.fingerprints {
            hash.update(fingerprint.to_le_bytes());
        }
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_block_is_begun_that_would_end_after_the_duration() {
        let blocks = |count, seconds| Blocks { count, seconds, ..Blocks::default() };
        let five = Duration::from_secs(5);
        assert!(another_fits(&blocks(1, 1.0), five) && another_fits(&blocks(4, 4.0), five));
        assert!(!another_fits(&blocks(4, 4.1), five), "a fifth would end at 5.1 s");
        assert!(!another_fits(&blocks(1, 800.0), five) && !another_fits(&blocks(1, 0.1), Duration::ZERO));
    }
}
