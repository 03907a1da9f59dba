//! Thread exits: against a shutdown, after it, and with work in flight.

use std::time::Duration;

use millstream::evidence::Step;
use millstream::{Error, Kernel, RuntimeError, Tensor};
use millstream_sync::atomic::{AtomicU32, Ordering};
use millstream_sync::{Arc, Doorbell};

use super::{Verdict, opened, queued, text, threads, work, zero};
use crate::plan::Plan;

const LONG: Duration = Duration::from_secs(20);

/// Twenty threads work and exit while the device is shut down: 50 runs make 1,000 exits.
pub(super) fn against_shutdown(plan: &Plan, run: u64) -> Verdict {
    const THREADS: usize = 20;
    let device = opened(&plan.device, plan.seed ^ run, 8)?;
    let started = Arc::new((AtomicU32::new(0), Doorbell::new()));
    let (d, s) = (device.clone(), started.clone());
    let exits = std::thread::spawn(move || {
        threads(THREADS, move |i| {
            let outcome = work(&d, i as u64).and_then(|sum| sum.item::<f32>());
            s.0.fetch_add(1, Ordering::Relaxed);
            s.1.ring();
            match outcome {
                Ok(_) | Err(Error::Runtime(RuntimeError::Closed)) => Ok(()),
                Err(error) => Err(text(error)),
            }
        })
    });
    // Some threads have worked, none need have: a little later from run to run.
    let wanted = (run % THREADS as u64) as u32;
    started.1.wait_until(Some(LONG), || started.0.load(Ordering::Relaxed) >= wanted);
    let report = device.shutdown(LONG);
    exits.join().map_err(|_| "the threads' keeper panicked".to_owned())??;
    if !report.complete {
        return Err(format!("the shutdown was not complete: {report:?}"));
    }
    zero("flushes in progress at the end", u64::from(device.flushes_in_progress()))?;
    zero("blocks put into a closed pool", device.evidence().count(Step::PutAfterClose))?;
    zero("streams claimed at the end", device.leases() as u64)?;
    zero("leases given back twice", device.evidence().count(Step::DoubleReturn))
}

/// A thread holds tensors while the device is shut down, drops them and exits after.
pub(super) fn after_close(plan: &Plan, run: u64) -> Verdict {
    let device = opened(&plan.device, plan.seed ^ run, 4)?;
    let step = Arc::new((AtomicU32::new(0), Doorbell::new()));
    let holding = {
        let (device, step) = (device.clone(), step.clone());
        std::thread::spawn(move || -> Verdict {
            let kept: Vec<Tensor> = (0..4).map(|i| work(&device, i)).collect::<Result<_, _>>().map_err(text)?;
            let value = kept[0].item::<f32>().map_err(text)?;
            step.0.store(1, Ordering::Relaxed);
            step.1.ring();
            step.1.wait_until(Some(LONG), || step.0.load(Ordering::Relaxed) == 2);
            match kept[0].add(&kept[0]) {
                Err(Error::Runtime(RuntimeError::Closed)) => {}
                other => return Err(format!("an operation after the close: {other:?}")),
            }
            drop(kept);
            if value.is_nan() { Err("the value is not a number".to_owned()) } else { Ok(()) }
        })
    };
    step.1.wait_until(Some(LONG), || step.0.load(Ordering::Relaxed) == 1);
    let report = device.shutdown(LONG);
    step.0.store(2, Ordering::Relaxed);
    step.1.ring();
    holding.join().map_err(|_| "the holding thread panicked".to_owned())??;
    if report.live_bytes == 0 || !report.complete {
        return Err(format!("the report does not show the live tensors: {report:?}"));
    }
    if device.evidence().count(Step::FlushRefused) == 0 {
        return Err("no flush found the gate closed".to_owned());
    }
    zero("blocks put into a closed pool", device.evidence().count(Step::PutAfterClose))?;
    zero("streams claimed at the end", device.leases() as u64)
}

/// A thread leaves long work behind and exits without a sync; its blocks are used again at once by others, with the right values.
pub(super) fn work_in_flight(plan: &Plan, run: u64) -> Verdict {
    let device = opened(&queued(plan), plan.seed ^ run, 4)?;
    let expected = work(&opened(&plan.device, plan.seed, 1)?, 7).and_then(|sum| sum.item::<f32>()).map_err(text)?;
    let d = device.clone();
    let left: Tensor = std::thread::spawn(move || {
        d.enqueue(Kernel::Spin { micros: 2_000 })?;
        let sum = work(&d, 7)?;
        // Freed at once, while the device has not begun.
        drop(work(&d, 8)?);
        Ok::<_, Error>(sum)
    })
    .join()
    .map_err(|_| "the thread panicked".to_owned())?
    .map_err(text)?;
    let d = device.clone();
    threads(6, move |i| work(&d, i as u64).and_then(|sum| sum.item::<f32>()).map(drop).map_err(text))?;
    let found = left.item::<f32>().map_err(text)?;
    if found.to_bits() != expected.to_bits() {
        return Err(format!("the value left in flight is {found}, sequential {expected}"));
    }
    drop(left);
    device.leave_thread();
    zero("streams claimed at the end", device.leases() as u64)?;
    let report = device.shutdown(LONG);
    zero("bytes stranded", report.stranded_bytes as u64)?;
    zero("bytes not given back", report.reserved_bytes_left as u64)
}
