//! Twenty threads at once.

use std::time::Instant;

use millstream::evidence::Step;
use millstream::{Buffer, Device, Rung, RuntimeError};
use millstream_sync::Arc;
use millstream_sync::atomic::{AtomicU64, Ordering};

use super::rungs::judge_refusal;
use crate::attempts::probes::{Verdict, queued, text, threads};
use crate::attempts::stage::{Steps, at_rest, check, filled, fingerprint, spin};
use crate::open;
use crate::plan::Plan;

const THREADS: usize = 20;
const MIB: usize = 1 << 20;

/// All threads ask an empty device for a segment each at one moment; it may give a quarter of them. Repeated until a thread has waited for another's growth.
pub(super) fn raced_growth(plan: &Plan, run: u64) -> Result<String, String> {
    const DEVICES: u64 = 60;
    // From here on a block has a segment of its own size.
    const BLOCK: usize = 8 * MIB;
    const GIVEN: usize = THREADS / 4;
    let mut raced = 0;
    for number in 0..DEVICES {
        let device = open::open(&plan.device, plan.seed ^ (run << 8) ^ number, |options| {
            options.streams = THREADS;
            options.budget_bytes = GIVEN * BLOCK;
        })
        .map_err(text)?;
        let start = Arc::new(Steps::default());
        let refused = Arc::new(AtomicU64::new(0));
        let (d, s, r) = (device.clone(), start.clone(), refused.clone());
        threads(THREADS, move |_| {
            d.current_stream().map_err(text)?;
            s.advance();
            s.wait_for(THREADS as u32)?;
            let made = filled(&d, BLOCK / 4, 1.0);
            // Kept until everybody has asked, so that nobody is served by a block that was given back.
            s.advance();
            s.wait_for(2 * THREADS as u32)?;
            match made {
                Ok(buffer) => drop(buffer),
                Err(error) => {
                    judge_refusal(&error, BLOCK, GIVEN * BLOCK)?;
                    r.fetch_add(1, Ordering::Relaxed);
                }
            }
            Ok(())
        })?;
        let (grown, most) = (device.evidence().count(Step::Growth), device.memory_stats().reserved_bytes_max);
        if most > GIVEN * BLOCK {
            return Err(format!("{most} bytes were taken from a budget of {}", GIVEN * BLOCK));
        }
        let refused = refused.load(Ordering::Relaxed);
        if refused != (THREADS - GIVEN) as u64 || grown != GIVEN as u64 {
            let right = THREADS - GIVEN;
            return Err(format!(
                "{grown} segments were taken and {refused} threads refused, in place of {GIVEN} and {right}"
            ));
        }
        raced += device.evidence().count(Step::RacedGrowth);
        at_rest(&device)?;
        if raced > 0 {
            return Ok(format!(
                "{raced} threads waited for another's growth, device {} of up to {DEVICES}",
                number + 1
            ));
        }
    }
    Ok(format!("no thread met another's growth on {DEVICES} devices"))
}

/// What all threads of the storm count.
#[derive(Default)]
struct Counts {
    compared: AtomicU64,
    refused: AtomicU64,
}

/// Each thread keeps up to three buffers of 64 KiB to 1 MiB; together they ask for three times the budget. A refused thread gives up what it has and goes on.
pub(super) fn storm(plan: &Plan, run: u64) -> Result<String, String> {
    const BUDGET: usize = 12 * MIB;
    let device = open::open(&queued(plan), plan.seed ^ run, |options| {
        options.streams = 12;
        options.budget_bytes = BUDGET;
        options.cache_bytes_max = MIB;
    })
    .map_err(text)?;
    let counts = Arc::new(Counts::default());
    let begun = Instant::now();
    let (d, c) = (device.clone(), counts.clone());
    threads(THREADS, move |thread| weather(&d, &c, thread, run))?;
    let seconds = begun.elapsed().as_secs_f64();
    let most = device.memory_stats().reserved_bytes_max;
    if most > BUDGET {
        return Err(format!("{most} bytes were taken from a budget of {BUDGET}"));
    }
    let stats = device.memory_stats();
    let served = |rung: &Rung| (stats.served(*rung) > 0).then(|| format!("{} {}", rung.name(), stats.served(*rung)));
    let served: Vec<String> = Rung::ALL.iter().filter_map(served).collect();
    at_rest(&device)?;
    let (compared, refused) = (counts.compared.load(Ordering::Relaxed), counts.refused.load(Ordering::Relaxed));
    let served = served.join(", ");
    Ok(format!("{compared} buffers compared, {refused} refusals in {seconds:.1} s; served by {served}"))
}

fn weather(device: &Device, counts: &Counts, thread: usize, run: u64) -> Verdict {
    const ROUNDS: usize = 30;
    let mut kept: Vec<(Buffer, usize, f32)> = Vec::new();
    let mut done = 0;
    for round in 0..ROUNDS * 20 {
        if done == ROUNDS {
            return Ok(());
        }
        let value = (thread * 1_000 + round) as f32;
        let words = (16 << 10) << ((thread + round + run as usize) % 5);
        match one(device, &mut kept, words, value, counts) {
            Ok(()) => done += 1,
            Err(Stop::Refused(error)) => {
                counts.refused.fetch_add(1, Ordering::Relaxed);
                if !matches!(error, RuntimeError::OutOfMemory { .. }) {
                    return Err(format!("thread {thread}: {error}"));
                }
                kept.clear();
                // Others may need what they are waiting for: no round of this one's is due before they had a turn.
                std::thread::yield_now();
            }
            Err(Stop::Wrong(text)) => return Err(format!("thread {thread}: {text}")),
        }
    }
    Err(format!("thread {thread} came to round {done} of {ROUNDS} in {} tries", ROUNDS * 20))
}

enum Stop {
    Refused(RuntimeError),
    Wrong(String),
}

impl From<RuntimeError> for Stop {
    fn from(error: RuntimeError) -> Self {
        Self::Refused(error)
    }
}

/// Makes one buffer more, and looks at the oldest when three are there.
fn one(
    device: &Device,
    kept: &mut Vec<(Buffer, usize, f32)>,
    words: usize,
    value: f32,
    counts: &Counts,
) -> Result<(), Stop> {
    kept.push((filled(device, words, value)?, words, value));
    if kept.len() < 3 {
        return Ok(());
    }
    let (oldest, words, value) = kept.remove(0);
    spin(device, 100)?;
    let hash = fingerprint(device, &oldest, words)?;
    drop(oldest);
    check(device, &hash, words, value, "the fingerprint of its oldest buffer").map_err(Stop::Wrong)?;
    counts.compared.fetch_add(1, Ordering::Relaxed);
    Ok(())
}
