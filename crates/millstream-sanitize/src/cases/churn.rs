//! Threads that come, compute, leave a tensor behind and exit; and threads that exit while the device is shut down.

use millstream::cpu::Mode;
use millstream::{Error, Result, RuntimeError, Tensor};
use millstream_sync::atomic::{AtomicU32, Ordering};
use millstream_sync::{Arc, BoundedQueue, Doorbell, thread};

use crate::crowd::{KEYS, LONG, THREADS, at_rest, crowd, open, references, value};

/// Twelve generations of twenty threads on eight streams.
pub fn generations(mode: Mode) -> Result<()> {
    let device = open(mode, 8, |_| {})?;
    let expected = references()?;
    let left: Arc<BoundedQueue<(usize, Tensor)>> = Arc::new(BoundedQueue::with_capacity(2 * THREADS));
    for generation in 0..12 {
        let (d, expected, shared) = (device.clone(), expected.clone(), left.clone());
        crowd(move |number| {
            let key = (number + generation) % KEYS;
            let mine = value(&d, key)?;
            if let Some((theirs, tensor)) = shared.try_pop() {
                let sums = [mine.sum()?, tensor.sum()?];
                drop(tensor);
                if number % 3 == 0 {
                    let found = [sums[0].item::<f32>()?, sums[1].item()?].map(f32::to_bits);
                    assert_eq!(found, [expected[key], expected[theirs]].map(f32::to_bits), "keys {key}, {theirs}");
                }
            }
            // To the next generation; what finds no room is dropped here.
            let _ = shared.try_push((key, mine));
            Ok(())
        })?;
        assert_eq!(device.leases(), 0, "streams claimed by threads that are gone");
    }
    drop(left);
    at_rest(&device)
}

/// The shutdown begins when some of twenty threads have worked, and comes between their last calls and their exits.
pub fn against_shutdown(mode: Mode) -> Result<()> {
    for run in 0..10 {
        let device = open(mode, 8, |_| {})?;
        let started = Arc::new((AtomicU32::new(0), Doorbell::new()));
        let (d, worked) = (device.clone(), started.clone());
        let threads = thread::spawn(move || {
            crowd(move |number| {
                let outcome = value(&d, number % KEYS).and_then(|made| made.sum()?.item::<f32>());
                worked.0.fetch_add(1, Ordering::Relaxed);
                worked.1.ring();
                match outcome {
                    Ok(_) | Err(Error::Runtime(RuntimeError::Closed)) => Ok(()),
                    Err(error) => Err(error),
                }
            })
        });
        assert!(started.1.wait_until(Some(LONG), || started.0.load(Ordering::Relaxed) >= 2 * run));
        let report = device.shutdown(LONG);
        threads.join().expect("the threads' keeper panicked")?;
        assert!(report.complete && report.stranded_bytes == 0, "{report:?}");
        assert_eq!(device.leases(), 0, "streams claimed after the shutdown");
    }
    Ok(())
}
