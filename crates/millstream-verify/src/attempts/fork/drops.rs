//! A forked child drops everything that it has of its parent's device, the last handle among it; then the parent goes on.

use millstream::{Device, Error, Event, Health, Kernel, RuntimeError, ShutdownReport, Tensor, evidence};
use millstream_sync::Arc;
use millstream_sync::atomic::{AtomicU32, Ordering};
use millstream_sync::lock::record;

use super::{calls, value};
use crate::attempts::probes::{Verdict, opened, queued_name, text, work, zero};
use crate::attempts::stage::{LONG, at_rest};
use crate::plan::DeviceName;

const KEYS: u64 = 4;

/// What the child found, as the bits of its answer.
fn in_child(device: &Device, tensor: &Tensor, event: &Event) -> u8 {
    let all_refused = calls(device, tensor, event) == 0;
    let closed = device.health() == Health::Closed;
    let untouched = device.shutdown(LONG) == ShutdownReport::default();
    u8::from(!all_refused) | u8::from(!closed) << 1 | u8::from(!untouched) << 2
}

/// Whether the child takes a lock of its parent's, or calls the backend, in `f`.
fn touches(f: impl FnOnce()) -> bool {
    record::clear();
    record::switch(true);
    f();
    record::switch(false);
    !record::rows().is_empty()
}

/// Before the fork the parent's device is at work, or, in every fourth run, shut down.
pub(super) fn everything(name: &DeviceName, seed: u64, run: u64) -> Verdict {
    let device = opened(&queued_name(name), seed ^ run, 4)?;
    let expected: Vec<u32> = (0..KEYS).map(|key| value(&device, key)).collect::<Result<_, _>>()?;
    let kept: Vec<Tensor> = (0..KEYS).map(|key| work(&device, key)).collect::<Result<_, _>>().map_err(text)?;
    let event = Event::new(&device, true);
    event.record().map_err(text)?;
    let stream = device.acquire_stream().map_err(text)?;
    let scope = device.with_stream(&stream).map_err(text)?;
    // The cache of that stream has a block, which the end of the scope flushes in the parent.
    drop(work(&device, KEYS).map_err(text)?);
    let deleted = Arc::new(AtomicU32::new(0));
    let calls = deleted.clone();
    let count = move || {
        calls.fetch_add(1, Ordering::Relaxed);
    };
    // Where the device can see host memory.
    let import = device.info().host_addressable.then(|| device.import_vec(vec![1.0; 64], count));
    let import = import.transpose().map_err(text)?;
    let imports = u32::from(import.is_some());
    device.enqueue(Kernel::Spin { micros: 2_000 }).map_err(text)?;
    let ended = run % 4 == 3;
    if ended {
        device.shutdown(LONG);
    }
    let mut all = Some((device, kept, event, stream, scope, import));
    let in_its_memory = deleted.clone();
    // What the child takes out of `all` is its own copy.
    let answer = evidence::in_forked_child(|| {
        let Some((device, kept, event, stream, scope, import)) = all.take() else { return 1 << 7 };
        let answer = in_child(&device, &kept[0], &event);
        let touched = touches(|| drop((import, scope, stream, event, kept, device)));
        answer | u8::from(in_its_memory.load(Ordering::Relaxed) > 0) << 3 | u8::from(touched) << 4
    });
    match answer {
        Some(0) => {}
        Some(bits) => {
            return Err(format!("in the child, as bits (calls, health, shutdown, deleter, locks): {bits:08b}"));
        }
        None => return Err("the forked child was killed".to_owned()),
    }
    let Some((device, kept, event, stream, scope, import)) = all else {
        return Err("the parent lost its own".to_owned());
    };
    for (key, tensor) in kept.iter().enumerate() {
        match tensor.item::<f32>() {
            Ok(found) if !ended && found.to_bits() == expected[key] => {}
            Err(Error::Runtime(RuntimeError::Closed)) if ended => {}
            other => return Err(format!("the parent reads {other:?} for key {key} after the fork")),
        }
    }
    drop((import, scope, stream, event, kept));
    if ended {
        zero("live bytes after the last drop", device.memory_stats().live_bytes as u64)?;
    } else {
        at_rest(&device)?;
    }
    match deleted.load(Ordering::Relaxed) {
        times if times == imports => Ok(()),
        times => Err(format!("the deleter was called {times} times in the parent, {imports} is right")),
    }
}
