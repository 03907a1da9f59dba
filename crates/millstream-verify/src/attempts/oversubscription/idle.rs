//! Idle leases: streams of threads that do nothing on the device are revoked for those that want one, and never inside a call.

use std::time::{Duration, Instant};

use millstream::evidence::Step;
use millstream::{Error, Kernel, RuntimeError, StreamPolicy};
use millstream_sync::Arc;
use millstream_sync::atomic::{AtomicU64, Ordering};

use super::{PATIENCE, STREAMS, all_streams_are_there, references};
use crate::attempts::probes::{Verdict, text, threads, work, zero};
use crate::attempts::stage::{Steps, at_rest};
use crate::open;
use crate::plan::Plan;

/// For how long a stream must be unused in the probes of idle leases.
const WINDOW: Duration = Duration::from_millis(1);

/// Threads that never leave the device and pause between their turns for longer than the window: each turn needs a stream that an idle one has. A block of the turn before is dropped after
/// the pause, when the stream may be another's.
pub(super) fn idle(plan: &Plan, run: u64) -> Result<String, String> {
    const THREADS: usize = 24;
    const TURNS: u64 = 8;
    let policy = [StreamPolicy::Wait(PATIENCE), StreamPolicy::Fail][run as usize % 2];
    let device = open::open(&plan.device, plan.seed ^ run, |options| {
        (options.streams, options.policy, options.lease_idle_window) = (STREAMS, policy, WINDOW);
    })
    .map_err(text)?;
    let (references, longest) = (references(plan)?, Arc::new(AtomicU64::new(0)));
    let (d, l) = (device.clone(), longest.clone());
    threads(THREADS, move |thread| {
        let mut kept = None;
        for turn in 0..TURNS {
            let key = (thread as u64 + turn) % references.len() as u64;
            let begun = Instant::now();
            let (sum, found) = loop {
                // Longer than the window: whoever looks at the time alone takes the stream away from under it.
                let step = d.enqueue(Kernel::Spin { micros: 2_000 }).map_err(Error::from).and_then(|_| work(&d, key));
                match step.and_then(|sum| sum.item::<f32>().map(|found| (sum, found))) {
                    Err(Error::Runtime(RuntimeError::NoStream { .. })) if begun.elapsed() < PATIENCE => {
                        std::thread::sleep(WINDOW);
                    }
                    step => break step.map_err(|error| format!("thread {thread}, turn {turn}: {error}"))?,
                }
            };
            l.fetch_max(begun.elapsed().as_micros() as u64, Ordering::Relaxed);
            if found.to_bits() != references[key as usize] {
                return Err(format!("thread {thread}, turn {turn}: {found} is not the sequential value"));
            }
            std::thread::sleep(2 * WINDOW);
            drop(kept.replace(sum));
        }
        Ok(())
    })?;
    let count = |step| device.evidence().count(step);
    zero("streams that were taken inside a call", count(Step::RevokedInside))?;
    let (revoked, longest) = (count(Step::LeaseRevoked), Duration::from_micros(longest.load(Ordering::Relaxed)));
    if revoked == 0 {
        return Err("24 threads had 6 streams and none was revoked".to_owned());
    }
    all_streams_are_there(&device)?;
    at_rest(&device)?;
    Ok(format!("{policy:?}: {revoked} leases revoked, longest turn {longest:.1?}"))
}

/// All streams are held by threads that do nothing; as many others come, and each finds one for itself.
pub(super) fn rather_idle(plan: &Plan, run: u64) -> Verdict {
    let device = open::open(&plan.device, plan.seed ^ run, |options| {
        (options.streams, options.policy, options.lease_idle_window) = (STREAMS, StreamPolicy::Share, WINDOW);
    })
    .map_err(text)?;
    let (d, steps) = (device.clone(), Arc::new(Steps::default()));
    threads(2 * STREAMS, move |thread| {
        let late = thread >= STREAMS;
        if late {
            steps.wait_for(STREAMS as u32)?;
            std::thread::sleep(4 * WINDOW);
        }
        work(&d, thread as u64).and_then(|sum| sum.item::<f32>()).map_err(text)?;
        steps.advance();
        steps.wait_for(2 * STREAMS as u32)
    })?;
    zero("streams that were shared while others were idle", device.evidence().count(Step::LeaseShared))?;
    if device.evidence().count(Step::LeaseRevoked) < STREAMS as u64 {
        return Err(format!("{} of {STREAMS} were revoked", device.evidence().count(Step::LeaseRevoked)));
    }
    all_streams_are_there(&device)?;
    at_rest(&device)
}

/// One stream, and a thread inside a call that is longer than the window: who wants the stream gets it only afterwards.
pub(super) fn inside(plan: &Plan, run: u64) -> Verdict {
    let device = open::open(&plan.device, plan.seed ^ run, |options| {
        (options.streams, options.policy, options.lease_idle_window) = (1, StreamPolicy::Fail, Duration::ZERO);
    })
    .map_err(text)?;
    let (at_work, steps) = (device.clone(), Arc::new(Steps::default()));
    let ready = steps.clone();
    let worker = std::thread::spawn(move || -> Verdict {
        ready.advance();
        // Two waits of the host and a long kernel: on an inline stream the kernel runs inside the call, on any other the host waits for it.
        for _ in 0..3 {
            at_work.enqueue(Kernel::Spin { micros: 5_000 }).map_err(text)?;
            at_work.synchronize().map_err(text)?;
        }
        Ok(())
    });
    steps.wait_for(1)?;
    while !worker.is_finished() {
        match work(&device, 3).and_then(|sum| sum.item::<f32>()) {
            Ok(_) | Err(Error::Runtime(RuntimeError::NoStream { .. })) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    match worker.join().map_err(|_| "the worker panicked".to_owned())? {
        // The two take the stream from each other; the worker may be told so as well.
        Ok(()) => {}
        Err(error) if error.contains("stream") => {}
        Err(error) => return Err(error),
    }
    zero("streams that were taken inside a call", device.evidence().count(Step::RevokedInside))?;
    at_rest(&device)
}
