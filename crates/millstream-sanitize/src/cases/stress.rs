//! Twenty threads on shared weights, while another looks at everything that can be looked at.

use std::time::Duration;

use millstream::cpu::Mode;
use millstream::{Device, Health, Result, StreamPolicy};
use millstream_sync::atomic::{AtomicBool, Ordering};
use millstream_sync::{Arc, thread};

use crate::crowd::{KEYS, THREADS, at_rest, crowd, open, references, value};

const ROUNDS: usize = 12;

/// A stream for each thread.
pub fn watched(mode: Mode) -> Result<()> {
    on(&open(mode, THREADS + 1, |_| {})?)
}

/// Three streams, which idle threads lose and others wait for.
pub fn more_threads_than_streams(mode: Mode) -> Result<()> {
    let policies = [StreamPolicy::Share, StreamPolicy::Wait(crate::crowd::LONG)];
    for policy in policies {
        on(&open(mode, 3, |options| {
            options.policy = policy;
            options.lease_idle_window = Duration::from_micros(200);
        })?)?;
    }
    Ok(())
}

fn on(device: &Device) -> Result<()> {
    let expected = references()?;
    let weights = value(device, 0)?;
    device.leave_thread();
    let done = Arc::new(AtomicBool::new(false));
    let (d, over) = (device.clone(), done.clone());
    let watcher = thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            watch(&d);
        }
    });
    let (d, shared) = (device.clone(), weights.clone());
    crowd(move |number| {
        for round in 0..ROUNDS {
            let key = (number + round) % KEYS;
            let mine = value(&d, key)?;
            assert_eq!(mine.sum()?.item::<f32>()?.to_bits(), expected[key].to_bits(), "thread {number}, key {key}");
            // Enqueued and dropped: the weights have a user that nobody waits for.
            drop(mine.matmul(&shared)?);
            if round % 4 == number % 4 {
                d.synchronize()?;
                // Idle for longer than a lease may be.
                thread::sleep(Duration::from_micros(400));
            }
        }
        Ok(())
    })?;
    done.store(true, Ordering::Relaxed);
    watcher.join().expect("the watcher panicked");
    drop(weights);
    at_rest(device)
}

/// What a service's monitoring would ask for, and a trim.
fn watch(device: &Device) {
    let stats = device.memory_stats();
    assert!(stats.reserved_bytes >= stats.live_bytes, "{stats:?}");
    assert_eq!(device.health(), Health::Live);
    device.sample_memory();
    assert!(device.memory_snapshot().is_ok());
    drop(device.trace());
    device.trim();
    thread::sleep(Duration::from_millis(1));
}
