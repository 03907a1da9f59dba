//! A small program on the simulator, with something that goes wrong at a chosen place.

use std::time::Instant;

use millstream::{Device, Error, FaultScope, Generator, Health, RuntimeError, Tensor};
use millstream_sim::{Injections, SimBackend, SimOptions};
use millstream_sync::Arc;

use crate::attempts::probes::{Verdict, text, zero};
use crate::attempts::stage::LONG;
use crate::plan::Plan;

const PRODUCTS: u64 = 4;

pub(super) fn device(seed: u64, injections: Injections) -> Device {
    Device::open(Arc::new(SimBackend::new(SimOptions { injections, ..SimOptions::new(seed) })))
}

fn product(device: &Device, key: u64) -> millstream::Result<Tensor> {
    let a = Tensor::randn(device, &[6, 6], &mut Generator::new(0xfa).split(key))?;
    a.matmul(&a)?.sum()
}

fn expected() -> Result<Vec<u32>, String> {
    let device = device(1, Injections::default());
    let values =
        (0..PRODUCTS).map(|key| product(&device, key)?.item::<f32>().map(f32::to_bits)).collect::<Result<_, _>>();
    device.shutdown(LONG);
    values.map_err(text)
}

fn is_fault<T>(what: &Result<T, Error>) -> bool {
    matches!(what, Err(Error::Runtime(RuntimeError::Fault(_))))
}

/// The device is lost at launch `run + 1`.
pub(super) fn lost(plan: &Plan, run: u64) -> Verdict {
    let injections = Injections { lost_at_launch: Some(run + 1), ..Injections::default() };
    goes_wrong(plan.seed ^ run, injections, FaultScope::Device)
}

/// Launch `run + 1` fails alone.
pub(super) fn failed(plan: &Plan, run: u64) -> Verdict {
    let injections = Injections { fails_at_launch: Some(run + 1), ..Injections::default() };
    goes_wrong(plan.seed ^ run, injections, FaultScope::Stream)
}

/// Every value is right or an error; what was read before can be read again unless the device is lost; the end is in order.
fn goes_wrong(seed: u64, injections: Injections, scope: FaultScope) -> Verdict {
    let expected = expected()?;
    let device = device(seed, injections);
    let (mut read, mut faults) = (Vec::new(), 0);
    for (key, wanted) in expected.iter().enumerate() {
        let tensor = product(&device, key as u64);
        let value = tensor.as_ref().map_err(Clone::clone).and_then(Tensor::item::<f32>);
        match value {
            Ok(found) if found.to_bits() == *wanted => read.extend(tensor.ok().map(|tensor| (tensor, *wanted))),
            Ok(found) => return Err(format!("success with garbage: {found} in place of {}", f32::from_bits(*wanted))),
            Err(_) if is_fault(&value) => faults += 1,
            Err(error) => return Err(format!("expected a fault, got: {error}")),
        }
    }
    match device.health() {
        Health::Faulted(report) if report.first.scope == scope => {
            if !is_fault(&Tensor::zeros(&device, &[4])) {
                return Err("an operation succeeded after the fault".to_owned());
            }
            for (tensor, wanted) in &read {
                match (scope, tensor.item::<f32>()) {
                    (FaultScope::Stream, Ok(found)) if found.to_bits() == *wanted => {}
                    (FaultScope::Device, again) if is_fault(&again) => {}
                    (_, again) => return Err(format!("a value that was read before says {again:?} after the fault")),
                }
            }
        }
        Health::Live if faults == 0 => {}
        other => return Err(format!("health says {other:?} after {faults} faults")),
    }
    drop(read);
    ends(&device, scope)
}

/// Everything was dropped: nothing is live, and the shutdown ends in time; unless the device is lost it leaves nothing.
pub(super) fn ends(device: &Device, scope: FaultScope) -> Verdict {
    zero("live bytes after the drops", device.memory_stats().live_bytes as u64)?;
    let begun = Instant::now();
    let report = device.shutdown(LONG);
    if begun.elapsed() > LONG {
        return Err(format!("the shutdown did not end in time: {report:?}"));
    }
    if scope == FaultScope::Stream && (!report.complete || report.reserved_bytes_left > 0) {
        return Err(format!("the shutdown was not complete: {report:?}"));
    }
    zero("bytes stranded", report.stranded_bytes as u64)?;
    zero("streams claimed", device.leases() as u64)
}

/// The device refuses segment `run + 1`: a typed error that is no fault, and what comes after it is right.
pub(super) fn out_of_memory(plan: &Plan, run: u64) -> Verdict {
    let expected = expected()?;
    let injections = Injections { out_of_memory_at: Some(1 + run % 3), ..Injections::default() };
    let device = device(plan.seed ^ run, injections);
    let mut refused = 0;
    // Each larger than a segment, so that each needs one of its own.
    let large: Vec<Tensor> = (0..3)
        .filter_map(|_| match Tensor::zeros(&device, &[1 << 20]) {
            Ok(tensor) => Some(Ok(tensor)),
            Err(Error::Runtime(RuntimeError::OutOfMemory { .. })) => {
                refused += 1;
                None
            }
            Err(error) => Some(Err(text(error))),
        })
        .collect::<Result<_, _>>()?;
    for (key, wanted) in expected.iter().enumerate() {
        let found = product(&device, key as u64).and_then(|sum| sum.item::<f32>()).map_err(text)?;
        if found.to_bits() != *wanted {
            return Err(format!("{found} in place of {} after a refused segment", f32::from_bits(*wanted)));
        }
    }
    if device.health() != Health::Live || refused + large.len() != 3 {
        return Err(format!("{refused} refused, health {:?}", device.health()));
    }
    drop(large);
    ends(&device, FaultScope::Stream)
}
