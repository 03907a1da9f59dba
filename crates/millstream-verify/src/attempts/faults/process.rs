//! A child process on the CPU in which a kernel panics while threads work. It must say its word and end in order.

use millstream::{DType, Device, Error, FaultScope, Health, Kernel, RuntimeError, Tensor};
use millstream_sync::Arc;

use super::places::ends;
use crate::attempts::probes::{Verdict, opened, text, work};
use crate::attempts::stage::Steps;
use crate::plan::DeviceName;

const THREADS: u64 = 8;
const KEYS: u64 = 16;

/// The child's side. `None`: no probe of this attempt.
pub(in crate::attempts) fn in_child(name: &str, seed: u64, run: u64) -> Option<Verdict> {
    (name == "fault-and-exit").then(|| fault_and_exit(seed, run))
}

/// What a thread has when it was told: its values with their keys, and the error.
type Told = (Vec<(u64, Tensor)>, String);

fn until_fault(device: &Device, thread: u64, steps: &Steps) -> Result<Told, String> {
    let mut kept = Vec::new();
    for round in 0.. {
        let key = (thread * 5 + round) % KEYS;
        let made = work(device, key).and_then(|sum| {
            if round % 3 == 0 {
                sum.item::<f32>()?;
            }
            Ok(sum)
        });
        steps.advance();
        match made {
            Ok(sum) if kept.len() < 32 => kept.push((key, sum)),
            Ok(_) => {}
            Err(Error::Runtime(RuntimeError::Fault(first))) => return Ok((kept, first.to_string())),
            Err(error) => return Err(format!("thread {thread}, round {round}: {error}")),
        }
    }
    Err("the rounds ended".to_owned())
}

/// Inline and queued in turn. A third of the runs ends without a shutdown and with tensors alive.
fn fault_and_exit(seed: u64, run: u64) -> Verdict {
    let name = [DeviceName::Cpu, DeviceName::CpuQueued][run as usize % 2].clone();
    let device = opened(&name, seed ^ run, 6)?;
    let expected: Vec<u32> = (0..KEYS)
        .map(|key| work(&device, key).and_then(|sum| sum.item::<f32>()).map(f32::to_bits))
        .collect::<Result<_, _>>()
        .map_err(text)?;
    let steps = Arc::new(Steps::default());
    let workers: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (device, steps) = (device.clone(), steps.clone());
            std::thread::spawn(move || until_fault(&device, thread, &steps))
        })
        .collect();
    steps.wait_for((run % 20) as u32)?;
    // An output that is too small for its kernel: our own checks refuse to run it, by a panic.
    let fails = Kernel::Fill { elements: 1 << 12, dtype: DType::F32, value: 1.0f32.into() };
    let lost = device.launch(fails, 4, &[]).map_err(text)?;
    let mut kept = Vec::new();
    let mut errors = Vec::new();
    for worker in workers {
        let (values, error) = worker.join().map_err(|_| "a worker panicked".to_owned())??;
        kept.extend(values);
        errors.push(error);
    }
    let Health::Faulted(report) = device.health() else { return Err(format!("health says {:?}", device.health())) };
    let first = report.first.error().to_string();
    if let Some(other) = errors.iter().find(|error| **error != first) {
        return Err(format!("two first errors: {first:?} and {other:?}"));
    }
    if device.download(&[(&lost, 4)]).is_ok() {
        return Err("the output of the kernel that panicked can be read".to_owned());
    }
    for (key, tensor) in &kept {
        match tensor.item::<f32>() {
            Ok(found) if found.to_bits() == expected[*key as usize] => {}
            Ok(found) => return Err(format!("success with garbage: {found} for key {key}")),
            // On the stream that failed, or after it by a shared stream or a wait.
            Err(Error::Runtime(RuntimeError::Fault(_))) => {}
            Err(error) => return Err(text(error)),
        }
    }
    if run % 3 == 2 {
        // Left to a thread that never ends.
        std::thread::spawn(move || {
            let _kept = (kept, lost);
            std::thread::sleep(crate::attempts::stage::LONG);
        });
        return Ok(());
    }
    drop((kept, lost));
    device.leave_thread();
    ends(&device, FaultScope::Stream)
}
