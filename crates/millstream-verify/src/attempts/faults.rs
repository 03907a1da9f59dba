//! A further attempt: a device that is lost in the middle, at every place of a small program.
//!
//! Driven on the simulator, which loses the device at a chosen launch. What was read before stands; what depends on lost work is an error; nothing reports success
//! with garbage, and the shutdown ends.

use std::time::{Duration, Instant};

use millstream::{Device, Error, Generator, Health, RuntimeError, Tensor};
use millstream_sim::{Injections, SimBackend, SimOptions};
use millstream_sync::Arc;

use super::{Context, Outcome};
use crate::model::{Attempt, Finding, RoundResult};

/// Launches after which the device is lost, one run each.
const LOST_AT: std::ops::RangeInclusive<u64> = 1..=30;
const PRODUCTS: u64 = 4;

/// Runs the attempt.
#[must_use]
pub fn run(context: &Context<'_>) -> Outcome {
    let begun = Instant::now();
    let mut attempt = Attempt::new("faults", "Faults");
    attempt.methods =
        vec![format!("The simulated device is lost at launch 1 to {}; every value read is compared", LOST_AT.end())];
    attempt.safety_properties = vec![
        "A value that was lost is an error, never a number".to_owned(),
        "After the first fault every operation says so, health tells the truth, and the shutdown ends".to_owned(),
    ];
    let mut findings = Vec::new();
    let mut errors = 0;
    let mut find = |text: String| {
        findings.push(Finding {
            attempt: "faults".to_owned(),
            text,
            location: "millstream_verify::attempts::faults".to_owned(),
            ..Finding::default()
        });
    };
    match expected(context.plan.seed) {
        Err(error) => find(format!("the reference could not be computed: {error}")),
        Ok(expected) => {
            for lost_at in LOST_AT {
                match lose(context.plan.seed, lost_at, &expected) {
                    Ok(seen) => errors += seen,
                    Err(text) => find(format!("lost at launch {lost_at}: {text}")),
                }
            }
        }
    }
    attempt.result = if !findings.is_empty() {
        RoundResult::Findings(findings.len())
    } else if errors == 0 {
        RoundResult::Incomplete("no fault was seen".to_owned())
    } else {
        RoundResult::Clean
    };
    attempt.seconds = begun.elapsed().as_secs_f64();
    Outcome { attempt, findings }
}

fn device(seed: u64, lost_at_launch: Option<u64>) -> Device {
    let injections = Injections { lost_at_launch, ..Injections::default() };
    Device::open(Arc::new(SimBackend::new(SimOptions { injections, ..SimOptions::new(seed) })))
}

fn product(device: &Device, key: u64) -> millstream::Result<Tensor> {
    let a = Tensor::randn(device, &[6, 6], &mut Generator::new(0xfa).split(key))?;
    a.matmul(&a)
}

fn expected(seed: u64) -> millstream::Result<Vec<u32>> {
    let device = device(seed, None);
    (0..PRODUCTS).map(|key| product(&device, key)?.sum()?.item().map(f32::to_bits)).collect()
}

/// One run. Returns how many operations said that the device had failed.
fn lose(seed: u64, lost_at: u64, expected: &[u32]) -> Result<u64, String> {
    let device = device(seed, Some(lost_at));
    let mut faults = 0;
    let note = |error: Error| match error {
        Error::Runtime(RuntimeError::Fault(_)) => Ok(1),
        error => Err(format!("expected a fault, got: {error}")),
    };
    for (key, wanted) in expected.iter().enumerate() {
        match product(&device, key as u64).and_then(|p| p.sum()).and_then(|sum| sum.item::<f32>()) {
            Ok(found) if found.to_bits() == *wanted => {}
            Ok(found) => return Err(format!("success with garbage: {found} in place of {}", f32::from_bits(*wanted))),
            Err(error) => faults += note(error)?,
        }
    }
    if faults > 0 {
        if !matches!(device.health(), Health::Faulted(_)) {
            return Err(format!("health says {:?}", device.health()));
        }
        match Tensor::zeros(&device, &[4]) {
            Ok(_) => return Err("an operation succeeded after the fault".to_owned()),
            Err(error) => faults += note(error)?,
        }
    }
    let begun = Instant::now();
    let report = device.shutdown(Duration::from_secs(5));
    if begun.elapsed() > Duration::from_secs(6) {
        return Err(format!("the shutdown did not end in time: {report:?}"));
    }
    Ok(faults)
}
