//! A shutdown whose deadline passes while a stream is at work.

use std::time::{Duration, Instant};

use millstream::{Device, Error, Kernel, RuntimeError, Tensor};

use crate::attempts::probes::{Verdict, opened, text, work, zero};
use crate::attempts::stage::LONG;
use crate::plan::DeviceName;

fn refused<T: std::fmt::Debug>(what: &str, answer: Result<T, Error>) -> Verdict {
    match answer {
        Err(Error::Runtime(RuntimeError::Closed)) => Ok(()),
        other => Err(format!("{what} after the end gave {other:?}")),
    }
}

/// Where work takes its time: on inline streams it is over when the call returns, and the simulator's clock goes on with its calls alone.
fn busy(name: &DeviceName) -> DeviceName {
    match name {
        DeviceName::Cpu | DeviceName::Sim => DeviceName::CpuQueued,
        other => other.clone(),
    }
}

/// How long the stream is at work where the process ends before it.
const LEFT_AT_WORK: Duration = Duration::from_secs(6);

/// The report says what is left, a second call says the same at once, and everything can be dropped. Every other run waits for the work and ends after it.
pub(super) fn passes(name: &DeviceName, seed: u64, run: u64) -> Verdict {
    let device = opened(&busy(name), seed ^ run, 4)?;
    let done = work(&device, 1).map_err(text)?;
    done.item::<f32>().map_err(text)?;
    let waits = run.is_multiple_of(2);
    let at_work = if waits { Duration::from_secs(1) } else { LEFT_AT_WORK };
    device.enqueue(Kernel::Spin { micros: at_work.as_micros() as u32 }).map_err(text)?;
    let behind = work(&device, 2).map_err(text)?;
    let limit = Duration::from_millis(2 + run);
    let begun = Instant::now();
    let first = device.shutdown(limit);
    if first.complete || first.streams_left != 1 || first.waited < limit || begun.elapsed() > LEFT_AT_WORK / 2 {
        return Err(format!("the deadline of {limit:?} passed with a stream at work: {first:?}"));
    }
    let second = device.shutdown(LONG);
    if second != first {
        return Err(format!("a second shutdown says {second:?} after {first:?}"));
    }
    told(&device, &done, &behind)?;
    if waits {
        device.synchronize_all(None).map_err(text)?;
    }
    zero("bytes stranded", first.stranded_bytes as u64)?;
    drop((done, behind));
    zero("live bytes after the last drop", device.memory_stats().live_bytes as u64)?;
    zero("streams claimed", device.leases() as u64)
}

/// Every kind of call is refused, reads of complete values too.
fn told(device: &Device, done: &Tensor, behind: &Tensor) -> Verdict {
    refused("a read of a complete value", done.item::<f32>())?;
    refused("a read of a value at work", behind.item::<f32>())?;
    refused("an operation", done.add(behind))?;
    refused("a claim", device.acquire_stream().map_err(Error::from))
}
