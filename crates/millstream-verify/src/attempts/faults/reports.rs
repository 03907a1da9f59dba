//! What a failed device says about itself: the same to everybody, and with the names of what it did not do.

use millstream::{
    Backend, DType, Device, DeviceOptions, FaultReport, FaultScope, Health, Kernel, RuntimeError, StreamPolicy,
};
use millstream_sim::{Injections, SimBackend, SimOptions};
use millstream_sync::{Arc, BoundedQueue};

use super::places::ends;
use crate::attempts::probes::{Verdict, text, threads};
use crate::plan::Plan;

const FILL: Kernel = Kernel::Fill { elements: 4, dtype: DType::F32, value: millstream::Scalar::F64(1.0) };

/// Lost in even runs; in odd ones one launch fails alone.
fn opened(seed: u64, run: u64, at: u64, adjust: impl FnOnce(&mut DeviceOptions)) -> (Device, FaultScope) {
    let (scope, injections) = match run % 2 {
        0 => (FaultScope::Device, Injections { lost_at_launch: Some(at), ..Injections::default() }),
        _ => (FaultScope::Stream, Injections { fails_at_launch: Some(at), ..Injections::default() }),
    };
    let sim = Arc::new(SimBackend::new(SimOptions { injections, ..SimOptions::new(seed ^ run) }));
    let mut options = DeviceOptions::of(sim.info());
    adjust(&mut options);
    (Device::open_with(sim, options), scope)
}

fn report(device: &Device) -> Result<Box<FaultReport>, String> {
    match device.health() {
        Health::Faulted(report) => Ok(report),
        other => Err(format!("health says {other:?} after a fault")),
    }
}

/// Twenty threads work, in their own streams and in shared ones, until each has met the fault in its own call.
pub(super) fn twenty_threads(plan: &Plan, run: u64) -> Verdict {
    let adjust = |options: &mut DeviceOptions| (options.streams, options.policy) = (8, StreamPolicy::Share);
    let (device, scope) = opened(plan.seed, run, 10 + run * 3, adjust);
    let errors = Arc::new(BoundedQueue::with_capacity(32));
    let (d, met) = (device.clone(), errors.clone());
    threads(20, move |thread| {
        let step = |round: usize| -> Result<(), RuntimeError> {
            let filled = d.launch(FILL, 16, &[])?;
            match (thread + round) % 3 {
                0 => d.download(&[(&filled, 16)]).map(drop),
                1 => d.synchronize(),
                _ => Ok(()),
            }
        };
        let error = (0..10_000).find_map(|round| step(round).err()).ok_or("no thread met the fault")?;
        let RuntimeError::Fault(first) = error else { return Err(format!("expected a fault, got: {error}")) };
        met.try_push(first.to_string()).map_err(|_| "more errors than threads".to_owned())
    })?;
    let first = report(&device)?.first.error().to_string();
    while let Some(error) = errors.try_pop() {
        if error != first {
            return Err(format!("two first errors: {first:?} and {error:?}"));
        }
    }
    ends(&device, scope)
}

/// The culprit is among the suspects, by name, and no suspect is missing.
pub(super) fn suspects(plan: &Plan, run: u64) -> Verdict {
    let at = 20 + run;
    let (device, scope) = opened(plan.seed, run, at, |options| options.streams = 2);
    if (0..10_000).all(|_| device.launch(FILL, 16, &[]).is_ok()) {
        return Err("no launch was refused".to_owned());
    }
    let _ = device.synchronize_all(None);
    let report = report(&device)?;
    let stream = report.streams.first().ok_or("the report names no stream")?;
    let named = report.suspects.iter().any(|suspect| suspect.seq == at && suspect.kernel == "fill");
    let first = report.suspects.first().map_or(stream.enqueued + 1, |suspect| suspect.seq);
    if !named && first <= at || report.first.kernel != "fill" || report.first.seq != at {
        return Err(format!("operation {at} failed and is not named: {report}"));
    }
    if report.suspects.len() as u64 + stream.suspects_unnamed != stream.enqueued - stream.completed {
        return Err(format!("of {} enqueued {} were done: {report}", stream.enqueued, stream.completed));
    }
    ends(&device, scope)
}

/// With `launch_blocking` the call that failed says so, and it alone is suspected.
pub(super) fn blocking(plan: &Plan, run: u64) -> Verdict {
    let at = 2 + run;
    let (device, scope) = opened(plan.seed, run, at, |options| options.launch_blocking = true);
    let refused = (1..=at + 1).find(|_| device.launch(FILL, 16, &[]).is_err());
    if refused != Some(at) {
        return Err(format!("operation {at} failed and call {refused:?} said so"));
    }
    let report = report(&device)?;
    match report.suspects.as_slice() {
        [one] if one.seq == at && one.kernel == "fill" => ends(&device, scope),
        others => Err(format!("operation {at} alone is to be suspected: {others:?}")),
    }
    .map_err(text)
}
