//! Twenty threads on a third of the memory that they ask for: every rung of the ladder, refusals, and a reclaimer.

use millstream::cpu::Mode;
use millstream::{Buffer, Device, Result, RuntimeError};
use millstream_sync::{Arc, BoundedQueue, thread};

use crate::crowd::{THREADS, at_rest, check, crowd, filled, open};

const BUDGET: usize = 6 << 20;
const ROUNDS: usize = 8;

type Stash = Arc<BoundedQueue<(Buffer, usize, f32)>>;

/// Each thread keeps up to three buffers; a refused one gives up what it has and goes on.
pub fn storm(mode: Mode) -> Result<()> {
    let device = open(mode, 12, |options| {
        options.budget_bytes = BUDGET;
        options.cache_bytes_max = 1 << 20;
    })?;
    let stash: Stash = Arc::new(BoundedQueue::with_capacity(THREADS));
    let kept = stash.clone();
    let reclaimer = device.register_reclaimer(move |_| kept.try_pop().map_or(0, |(buffer, ..)| buffer.bytes()))?;
    let (d, shared) = (device.clone(), stash.clone());
    crowd(move |number| weather(&d, &shared, number))?;
    drop((reclaimer, stash));
    assert!(device.memory_stats().reserved_bytes_max <= BUDGET, "{:?}", device.memory_stats());
    at_rest(&device)
}

fn weather(device: &Device, stash: &Stash, number: usize) -> Result<()> {
    let mut kept = Vec::new();
    let mut done = 0;
    while done < ROUNDS {
        let value = (number * ROUNDS + done) as f32;
        let words = (8 << 10) << ((number + done) % 5);
        match filled(device, words, value) {
            Ok(buffer) => {
                kept.push((buffer, words, value));
                done += 1;
            }
            Err(RuntimeError::OutOfMemory { .. }) => {
                kept.clear();
                thread::yield_now();
            }
            Err(error) => return Err(error.into()),
        }
        if kept.len() == 3 {
            let (oldest, words, value) = kept.remove(0);
            looked_at(device, &oldest, words, value)?;
            let _ = stash.try_push((oldest, words, value));
        }
    }
    Ok(())
}

/// The look needs a few bytes too: without them nothing is compared.
fn looked_at(device: &Device, buffer: &Buffer, words: usize, value: f32) -> Result<()> {
    match check(device, buffer, words, value) {
        Err(millstream::Error::Runtime(RuntimeError::OutOfMemory { .. })) => Ok(()),
        other => other,
    }
}
