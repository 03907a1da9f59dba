//! Leases: churn, more threads than streams under each policy, permits of waiters that time out.

use std::time::{Duration, Instant};

use millstream::evidence::Step;
use millstream::{Device, Error, RuntimeError, StreamPolicy};
use millstream_sync::Arc;

use super::{Verdict, opened, text, threads, work, zero};
use crate::open;
use crate::plan::Plan;

/// Reference values of the probes' work, on a device of their own.
fn references(plan: &Plan, count: usize) -> Result<Arc<Vec<u32>>, String> {
    let device = opened(&plan.device, plan.seed, 1)?;
    let values: Result<Vec<u32>, Error> =
        (0..count).map(|i| work(&device, i as u64)?.item().map(f32::to_bits)).collect();
    values.map(Arc::new).map_err(text)
}

fn same(device: &Device, references: &[u32], i: usize) -> Verdict {
    let found = work(device, i as u64).and_then(|sum| sum.item()).map_err(text)?.to_bits();
    if found == references[i] {
        Ok(())
    } else {
        Err(format!("value {i} is {found:08x}, sequential {:08x}", references[i]))
    }
}

/// Generations of short-lived threads: every lease comes home, memory stays flat.
pub(super) fn churn(plan: &Plan, _run: u64) -> Verdict {
    const WIDTH: usize = 8;
    let device = opened(&plan.device, plan.seed, 8)?;
    let references = references(plan, WIDTH)?;
    let mut flat = 0;
    for generation in 0..25 {
        let (d, r) = (device.clone(), references.clone());
        threads(WIDTH, move |i| same(&d, &r, i))?;
        zero("streams claimed after all threads ended", device.leases() as u64)?;
        let reserved = device.memory_stats().reserved_bytes;
        if generation == 5 {
            flat = reserved;
        }
        if generation > 5 && reserved > flat {
            return Err(format!("memory grew from {flat} to {reserved} bytes by generation {generation}"));
        }
    }
    zero("live bytes at rest", device.memory_stats().live_bytes as u64)?;
    device.trim();
    zero("bytes kept after a trim at rest", device.memory_stats().reserved_bytes as u64)?;
    zero("leases given back twice", device.evidence().count(Step::DoubleReturn))
}

/// 32 threads on 4 streams that they share.
pub(super) fn shared(plan: &Plan, _run: u64) -> Verdict {
    let device = opened(&plan.device, plan.seed, 4)?;
    let references = references(plan, 32)?;
    let d = device.clone();
    threads(32, move |i| (0..20).try_for_each(|_| same(&d, &references, i)))?;
    zero("streams claimed after all threads ended", device.leases() as u64)?;
    zero("leases given back twice", device.evidence().count(Step::DoubleReturn))
}

/// 12 threads take turns on 2 streams; nobody may wait longer than the work of the others.
pub(super) fn waiting(plan: &Plan, _run: u64) -> Verdict {
    let device = open::open(&plan.device, plan.seed, |options| {
        options.streams = 2;
        options.policy = StreamPolicy::Wait(Duration::from_secs(5));
    })
    .map_err(text)?;
    let references = references(plan, 12)?;
    let d = device.clone();
    threads(12, move |i| {
        (0..20).try_for_each(|_| {
            same(&d, &references, i)?;
            d.leave_thread();
            Ok(())
        })
    })?;
    zero("threads still waiting for a stream", u64::from(device.stream_waiters()))?;
    zero("streams claimed after all threads ended", device.leases() as u64)?;
    zero("leases given back twice", device.evidence().count(Step::DoubleReturn))
}

/// One stream, two waiters with the same patience, the second a little later. The holder lets go about when the first one's time is up: if the permit
/// goes down with the first one, the second sleeps on a free stream until its own time is up.
pub(super) fn timing_out(plan: &Plan, run: u64) -> Verdict {
    const PATIENCE: Duration = Duration::from_millis(60);
    const APART: Duration = Duration::from_millis(30);
    let device = open::open(&plan.device, plan.seed, |options| {
        options.streams = 1;
        options.policy = StreamPolicy::Wait(PATIENCE);
    })
    .map_err(text)?;
    let holder = device.acquire_stream().map_err(text)?;
    let waiter = |device: Device| std::thread::spawn(move || (device.acquire_stream().map(drop), Instant::now()));
    let first = waiter(device.clone());
    until(|| device.stream_waiters() == 1)?;
    let begun = Instant::now();
    until(|| begun.elapsed() >= APART)?;
    let second = waiter(device.clone());
    until(|| device.stream_waiters() == 2 || first.is_finished())?;
    // A little before or after the first one's end, from run to run.
    let release_at = PATIENCE - Duration::from_micros(150) + Duration::from_micros(run * 15);
    until(|| begun.elapsed() >= release_at)?;
    let released = Instant::now();
    drop(holder);
    first.join().map_err(|_| "the first waiter panicked".to_owned())?.0.ok();
    let (outcome, at) = second.join().map_err(|_| "the second waiter panicked".to_owned())?;
    // The second one had about 30 ms left when the stream was freed. It must not have needed them.
    let late = at.saturating_duration_since(released);
    if outcome.is_err() && late > Duration::from_millis(5) {
        return Err(format!("a waiter slept on a free stream for {late:?}"));
    }
    zero("streams claimed at the end", device.leases() as u64)
}

/// Yields until `condition`, at most ten seconds.
fn until(condition: impl Fn() -> bool) -> Verdict {
    let begun = Instant::now();
    while !condition() {
        if begun.elapsed() > Duration::from_secs(10) {
            return Err("the probe's threads did not come together within 10 s".to_owned());
        }
        std::thread::yield_now();
    }
    Ok(())
}

/// All streams taken, policy `Fail`: a typed error at once, and none once one is back.
pub(super) fn failing(plan: &Plan, _run: u64) -> Verdict {
    let device = open::open(&plan.device, plan.seed, |options| {
        options.streams = 2;
        options.policy = StreamPolicy::Fail;
    })
    .map_err(text)?;
    let (a, b) = (device.acquire_stream().map_err(text)?, device.acquire_stream().map_err(text)?);
    match device.current_stream() {
        Err(RuntimeError::NoStream { streams: 2 }) => {}
        other => return Err(format!("expected NoStream, got {other:?}")),
    }
    drop((a, b));
    device.current_stream().map(drop).map_err(text)
}
