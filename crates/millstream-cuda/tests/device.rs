//! What only a device can show, through the front: values against a double-precision reference and the CPU, a real fault and real lack of memory in child processes, copies between two devices.
//!
//! A harness of its own, as for the conformance suite: where no device is, it says "not run", and why. Arguments name cases (`values`, `fault`, `memory`, `peers`).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode};

use millstream_cuda::{CudaBackend, CudaOptions, OpenError};
use millstream_hal::Backend;
use millstream_runtime::{Device, DeviceOptions};
use millstream_sync::Arc;

#[path = "device/astray.rs"]
mod astray;
#[path = "device/fault.rs"]
mod fault;
#[path = "device/memory.rs"]
mod memory;
#[path = "device/peers.rs"]
mod peers;
#[path = "device/values.rs"]
mod values;

/// A case: its name, what it does, and whether that happens in a process of its own.
type Case = (&'static str, fn(), bool);

const CASES: [Case; 4] = [
    ("values", values::run, false),
    ("peers", peers::run, false),
    ("memory", memory::run, true),
    ("fault", fault::run, true),
];

/// In a child process: the case to run.
const CHILD: &str = "MILLSTREAM_DEVICE_CASE";

/// Device `index`.
fn open(index: u32) -> Result<Device, OpenError> {
    let backend = CudaBackend::open(&CudaOptions { index, ..CudaOptions::default() })?;
    Ok(over(Arc::new(backend)))
}

fn over(backend: Arc<dyn Backend>) -> Device {
    let options = DeviceOptions::of(backend.info());
    Device::open_with(backend, options)
}

fn main() -> ExitCode {
    if let Ok(name) = std::env::var(CHILD) {
        let (_, run, _) = CASES.iter().find(|(case, ..)| *case == name).unwrap();
        run();
        return ExitCode::SUCCESS;
    }
    match open(0) {
        Err(reason) => {
            println!("{} cases on a device: not run: no device: {reason}", CASES.len());
            return ExitCode::SUCCESS;
        }
        Ok(device) => println!("{}, {}", device.info().model, device.info().numeric_class),
    }
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let mut failed = Vec::new();
    for (name, run, apart) in CASES.iter().filter(|(name, ..)| chosen.is_empty() || chosen.iter().any(|c| c == name)) {
        println!("case {name}");
        let passed = if *apart {
            let child = Command::new(std::env::current_exe().unwrap()).env(CHILD, name).status().unwrap();
            println!("its process ended with {child}");
            child.success()
        } else {
            catch_unwind(AssertUnwindSafe(run)).is_ok()
        };
        if !passed {
            failed.push(*name);
        }
    }
    println!("failed cases: {failed:?}");
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
