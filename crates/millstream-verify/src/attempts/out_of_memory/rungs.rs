//! One rung at a time: the memory is in one place alone, and the device's figures must say that this rung served.

use std::time::Duration;

use millstream::{Buffer, Device, DeviceOptions, Rung, RuntimeError, Stream};
use millstream_sync::{Arc, BoundedQueue};

use crate::attempts::probes::{Verdict, queued, text};
use crate::attempts::stage::{Steps, at_rest, check, filled, fingerprint, spin};
use crate::open;
use crate::plan::Plan;

/// A block that has a segment of its own.
const BLOCK: usize = 2 << 20;
const WORDS: usize = BLOCK / 4;
/// Blocks of the budget.
const BLOCKS: usize = 4;
/// A segment for the eight bytes of fingerprints, where a probe needs them.
const SMALL: usize = 2 << 20;

fn device(plan: &Plan, run: u64, adjust: impl FnOnce(&mut DeviceOptions)) -> Result<Device, String> {
    let name = queued(plan);
    open::open(&name, plan.seed ^ run, |options| {
        options.streams = 4;
        options.budget_bytes = BLOCKS * BLOCK;
        adjust(options);
    })
    .map_err(text)
}

/// All of the budget.
fn fill(device: &Device) -> Result<Vec<Buffer>, String> {
    (0..BLOCKS).map(|i| filled(device, WORDS, i as f32)).collect::<Result<_, _>>().map_err(text)
}

/// `words` words more must be found, by `rung` and within the budget, and hold what is written to them.
fn found(device: &Device, rung: Rung, words: usize) -> Verdict {
    const VALUE: f32 = 8.5;
    let before = device.memory_stats().served(rung);
    let block = filled(device, words, VALUE).map_err(|error| format!("the block was not found: {error}"))?;
    let stats = device.memory_stats();
    if stats.served(rung) != before + 1 {
        let served =
            |rung: &Rung| (stats.served(*rung) > 0).then(|| format!("{} {}", rung.name(), stats.served(*rung)));
        let all: Vec<String> = Rung::ALL.iter().filter_map(served).collect();
        return Err(format!("the rung {} did not serve; served: {}", rung.name(), all.join(", ")));
    }
    if stats.reserved_bytes_max > stats.budget_bytes {
        return Err(format!("{} bytes were taken from a budget of {}", stats.reserved_bytes_max, stats.budget_bytes));
    }
    let bytes = device.download(&[(&block, words * 4)]).map_err(text)?;
    let wrong = bytes.as_chunks::<4>().0.iter().position(|word| f32::from_le_bytes(*word) != VALUE);
    wrong.map_or(Ok(()), |at| Err(format!("word {at} of the block that was found has another value")))
}

/// The first block of an empty device, then one that its thread has just dropped.
pub(super) fn grow_and_cache(plan: &Plan, run: u64) -> Verdict {
    let device = device(plan, run, |_| {})?;
    found(&device, Rung::Grow, WORDS)?;
    found(&device, Rung::Cache, WORDS)?;
    at_rest(&device)
}

/// Another thread dropped the block: it lies in our stream's inbox.
pub(super) fn inbox(plan: &Plan, run: u64) -> Verdict {
    let device = device(plan, run, |_| {})?;
    let mut kept = fill(&device)?;
    let given = kept.swap_remove(1);
    std::thread::spawn(move || drop(given)).join().map_err(|_| "the dropping thread panicked".to_owned())?;
    found(&device, Rung::Inbox, WORDS)?;
    drop(kept);
    at_rest(&device)
}

/// The thread left the device and came back to the only stream: its cache went to the stream's pool.
pub(super) fn own_pool(plan: &Plan, run: u64) -> Verdict {
    let device = device(plan, run, |options| options.streams = 1)?;
    let mut kept = fill(&device)?;
    kept.pop();
    device.leave_thread();
    found(&device, Rung::OwnPool, WORDS)?;
    drop(kept);
    at_rest(&device)
}

/// A block that another stream has used: freed, and the use is over.
pub(super) fn limbo(plan: &Plan, run: u64) -> Verdict {
    after_use(plan, run, Rung::Limbo)
}

/// The same while the other stream is still at work: the allocation waits, and gets the block.
pub(super) fn wait(plan: &Plan, run: u64) -> Verdict {
    after_use(plan, run, Rung::Wait)
}

/// Fills the budget, lets another stream read the last block behind long work, frees it and asks for one more. What was read is checked.
fn after_use(plan: &Plan, run: u64, rung: Rung) -> Verdict {
    let device = device(plan, run, |options| options.budget_bytes += SMALL)?;
    let home = device.current_stream().map_err(text)?;
    let other = device.acquire_stream().map_err(text)?;
    let mut kept = fill(&device)?;
    let last = kept.pop().ok_or("the budget has no block")?;
    let hash = {
        let _on = device.with_stream(&other).map_err(text)?;
        spin(&device, 25_000).map_err(text)?;
        fingerprint(&device, &last, WORDS).map_err(text)?
    };
    if rung == Rung::Limbo {
        other.synchronize().map_err(text)?;
    }
    drop(last);
    found(&device, rung, WORDS)?;
    check(&device, &hash, WORDS, (BLOCKS - 1) as f32, "the last user before the reuse")?;
    drop((kept, hash, other, home));
    at_rest(&device)
}

/// A thread ended and left its blocks in the pool of a stream that nobody holds.
pub(super) fn idle_pool(plan: &Plan, run: u64) -> Verdict {
    let device = device(plan, run, |_| {})?;
    let _mine = device.current_stream().map_err(text)?;
    let d = device.clone();
    std::thread::spawn(move || fill(&d).map(drop)).join().map_err(|_| "the thread panicked".to_owned())??;
    device.synchronize_all(None).map_err(text)?;
    found(&device, Rung::IdlePools, WORDS)?;
    at_rest(&device)
}

/// The blocks are in the pool of a stream that is held and at rest; no cache keeps any.
pub(super) fn other_pool(plan: &Plan, run: u64) -> Verdict {
    held_pool(plan, run, Rung::OtherPools)
}

/// The same while that stream is at work for longer: ours waits for it on the device, the host does not.
pub(super) fn busy_pool(plan: &Plan, run: u64) -> Verdict {
    held_pool(plan, run, Rung::BusyPools)
}

fn held_pool(plan: &Plan, run: u64, rung: Rung) -> Verdict {
    let device = device(plan, run, |options| options.cache_bytes_max = 0)?;
    let _mine = device.current_stream().map_err(text)?;
    let other: Stream = device.acquire_stream().map_err(text)?;
    {
        let _on = device.with_stream(&other).map_err(text)?;
        let blocks = fill(&device)?;
        if rung == Rung::BusyPools {
            spin(&device, 25_000).map_err(text)?;
        }
        drop(blocks);
    }
    if rung == Rung::OtherPools {
        other.synchronize().map_err(text)?;
    }
    found(&device, rung, WORDS)?;
    drop(other);
    at_rest(&device)
}

/// Eight small blocks in the own cache make a large one in the pool.
pub(super) fn own_cache(plan: &Plan, run: u64) -> Verdict {
    let device = device(plan, run, |options| options.budget_bytes = BLOCK)?;
    small_blocks(&device)?;
    found(&device, Rung::OwnCache, WORDS)?;
    at_rest(&device)
}

fn small_blocks(device: &Device) -> Verdict {
    let small: Vec<Buffer> =
        (0..8).map(|i| filled(device, WORDS / 8, i as f32)).collect::<Result<_, _>>().map_err(text)?;
    drop(small);
    device.synchronize().map_err(text)
}

/// The same in the cache of a thread that is alive and idle.
pub(super) fn idle_cache(plan: &Plan, run: u64) -> Verdict {
    let device = device(plan, run, |options| options.budget_bytes = BLOCK)?;
    let _mine = device.current_stream().map_err(text)?;
    let steps = Arc::new(Steps::default());
    let idle = {
        let (device, steps) = (device.clone(), steps.clone());
        std::thread::spawn(move || -> Verdict {
            small_blocks(&device)?;
            steps.advance();
            steps.wait_for(2)
        })
    };
    let outcome = steps.wait_for(1).and_then(|()| found(&device, Rung::IdleCaches, WORDS));
    steps.advance();
    idle.join().map_err(|_| "the idle thread panicked".to_owned())??;
    outcome?;
    at_rest(&device)
}

/// Empty segments that are too small go back to the device for a larger one.
pub(super) fn release(plan: &Plan, run: u64) -> Verdict {
    let device = device(plan, run, |options| options.cache_bytes_max = 0)?;
    drop(fill(&device)?);
    device.synchronize().map_err(text)?;
    found(&device, Rung::Release, 3 * WORDS)?;
    at_rest(&device)
}

/// Nothing is free, but somebody has registered that he can do without.
pub(super) fn reclaim(plan: &Plan, run: u64) -> Verdict {
    let device = device(plan, run, |options| options.cache_bytes_max = 0)?;
    let store: Arc<BoundedQueue<Buffer>> = Arc::new(BoundedQueue::with_capacity(BLOCKS));
    for block in fill(&device)? {
        let _ = store.try_push(block);
    }
    device.synchronize().map_err(text)?;
    let kept = store.clone();
    let guard = device.register_reclaimer(move |_| kept.try_pop().map_or(0, |block| block.bytes())).map_err(text)?;
    found(&device, Rung::Reclaim, WORDS)?;
    if store.len() != BLOCKS - 1 {
        return Err(format!("{} of {BLOCKS} blocks are left of what one of had to go", store.len()));
    }
    drop(guard);
    let kept = fill_up(&device)?;
    match filled(&device, WORDS, 1.0) {
        Ok(_) => return Err("a block was found without a reclaimer to free one".to_owned()),
        Err(error) => judge_refusal(&error, BLOCK, BLOCKS * BLOCK)?,
    }
    while store.try_pop().is_some() {}
    drop(kept);
    at_rest(&device)
}

/// Takes what is free, block by block.
fn fill_up(device: &Device) -> Result<Vec<Buffer>, String> {
    let mut kept = Vec::new();
    while kept.len() < BLOCKS {
        match filled(device, WORDS, 1.0) {
            Ok(block) => kept.push(block),
            Err(RuntimeError::OutOfMemory { .. }) => break,
            Err(error) => return Err(text(error)),
        }
    }
    Ok(kept)
}

/// Whether `error` is a refusal of `bytes` with a figure for every rung, in their order.
pub(super) fn judge_refusal(error: &RuntimeError, bytes: usize, budget: usize) -> Verdict {
    let RuntimeError::OutOfMemory { requested, budget: said, ladder } = error else {
        return Err(format!("expected a refusal, got: {error}"));
    };
    if (*requested, *said) != (bytes, budget) {
        return Err(format!(
            "{bytes} bytes of a budget of {budget} were refused, the error says {requested} of {said}"
        ));
    }
    let rungs: Vec<Rung> = ladder.rows().iter().map(|(rung, _)| *rung).collect();
    if rungs != Rung::ALL {
        return Err(format!("the error does not name every rung once and in order: {error}"));
    }
    Ok(())
}

/// Nothing is free anywhere.
pub(super) fn refusal(plan: &Plan, run: u64) -> Verdict {
    let device = device(plan, run, |_| {})?;
    let kept = fill(&device)?;
    for bytes in [BLOCK, 256, 100 * BLOCK] {
        match filled(&device, bytes / 4, 1.0) {
            Ok(_) => return Err(format!("{bytes} bytes were found on a device without a free byte")),
            Err(error) => judge_refusal(&error, bytes, BLOCKS * BLOCK)?,
        }
    }
    drop(kept);
    at_rest(&device)
}

/// After a refusal what was there is as it was, what fits is found, and the device is live.
pub(super) fn goes_on(plan: &Plan, run: u64) -> Verdict {
    let device = device(plan, run, |options| options.budget_bytes += SMALL)?;
    let mut kept = fill(&device)?;
    // The segment that is left over is for fingerprints: it is taken before.
    let small = filled(&device, 64, 1.0).map_err(text)?;
    if filled(&device, WORDS, 1.0).is_ok() {
        return Err("a block was found on a device without one".to_owned());
    }
    kept.pop();
    found(&device, Rung::Cache, WORDS)?;
    for (i, block) in kept.iter().enumerate() {
        let hash = fingerprint(&device, block, WORDS).map_err(text)?;
        check(&device, &hash, WORDS, i as f32, "a buffer from before the refusal")?;
    }
    let health = device.health();
    if health != millstream::Health::Live {
        return Err(format!("health says {health:?} after a refusal"));
    }
    drop((kept, small));
    device.shutdown(Duration::from_secs(1));
    Ok(())
}
