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
    let found = work(device, i as u64).and_then(|sum| sum.item::<f32>()).map_err(text)?.to_bits();
    if found == references[i] {
        Ok(())
    } else {
        Err(format!("value {i} is {found:08x}, sequential {:08x}", references[i]))
    }
}

/// Generations of short-lived threads: every lease comes home, memory stays flat.
pub(super) fn churn(plan: &Plan, _run: u64) -> Verdict {
    const WIDTH: usize = 8;
    const SEGMENT: usize = 2 << 20;
    let device = opened(&plan.device, plan.seed, WIDTH)?;
    let references = references(plan, WIDTH)?;
    for generation in 0..25 {
        let (d, r) = (device.clone(), references.clone());
        threads(WIDTH, move |i| same(&d, &r, i))?;
        zero("streams claimed after all threads ended", device.leases() as u64)?;
        // However the threads overlap, each stream needs one small segment at most.
        let reserved = device.memory_stats().reserved_bytes;
        if reserved > WIDTH * SEGMENT {
            return Err(format!("{reserved} bytes taken from the device by generation {generation}"));
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

/// 12 threads take turns on 2 streams; nobody may wait longer than the work of the others. Idle leases are not looked for: who looks now and then finds a free stream
/// that nobody told it of, and a lost wake-up would only be a delay.
pub(super) fn waiting(plan: &Plan, _run: u64) -> Verdict {
    let device = open::open(&plan.device, plan.seed, |options| {
        options.streams = 2;
        options.policy = StreamPolicy::Wait(Duration::from_secs(5));
        options.lease_idle_window = Duration::MAX;
    })
    .map_err(text)?;
    let references = references(plan, 12)?;
    (0..10).try_for_each(|_| nobody_comes_after(&device, &references))?;
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

/// All streams are held, six threads sleep, and then the streams come back while nobody else asks for one: a thread that comes would look for those that sleep.
fn nobody_comes_after(device: &Device, references: &Arc<Vec<u32>>) -> Verdict {
    const SLEEPERS: usize = 6;
    let held = [device.acquire_stream().map_err(text)?, device.acquire_stream().map_err(text)?];
    let sleepers: Vec<_> = (0..SLEEPERS)
        .map(|i| {
            let (device, references) = (device.clone(), references.clone());
            std::thread::spawn(move || same(&device, &references, i))
        })
        .collect();
    until(|| device.stream_waiters() as usize == SLEEPERS)?;
    drop(held);
    sleepers.into_iter().try_for_each(|s| s.join().map_err(|_| "a sleeper panicked".to_owned())?)
}

/// One stream, an impatient waiter and a patient one behind it. The holder lets go about when the first one's time is up: if the permit goes down with the first one,
/// the second sleeps on a free stream until its own time is up, which is so long that no busy machine is taken for it.
pub(super) fn timing_out(plan: &Plan, run: u64) -> Verdict {
    const IMPATIENT: Duration = Duration::from_millis(15);
    const PATIENT: Duration = Duration::from_secs(6);
    let device = opened(&plan.device, plan.seed, 1)?;
    let holder = device.acquire_stream().map_err(text)?;
    let waiter =
        |device: Device, patience| std::thread::spawn(move || device.acquire_stream_within(patience).map(drop));
    let begun = Instant::now();
    let first = waiter(device.clone(), IMPATIENT);
    until(|| device.stream_waiters() == 1 || first.is_finished())?;
    let second = waiter(device.clone(), PATIENT);
    // From a little before the first one's end to a little after, from run to run.
    let release_at = IMPATIENT - Duration::from_micros(200) + Duration::from_micros(run * 15);
    until(|| begun.elapsed() >= release_at)?;
    drop(holder);
    // Timed out or served: both are right for the first one.
    let _ = first.join().map_err(|_| "the first waiter panicked".to_owned())?;
    let outcome = second.join().map_err(|_| "the second waiter panicked".to_owned())?;
    outcome.map_err(|error| format!("a waiter slept on a free stream: {error}"))?;
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
