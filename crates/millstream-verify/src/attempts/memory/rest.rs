//! What is left when work is over, and whether the figures say so.

use millstream::evidence::Step;
use millstream::{BlockState, Buffer, Tensor};
use millstream_sync::{Arc, BoundedQueue};

use crate::attempts::probes::{Verdict, opened, queued, text, threads, work, zero};
use crate::attempts::stage::{Steps, at_rest, check, filled, fingerprint};
use crate::plan::Plan;

/// A thread sits idle with a full cache; another one's trim gives all of it back to the device.
pub(super) fn idle_cache(plan: &Plan, run: u64) -> Verdict {
    let device = opened(&queued(plan), plan.seed ^ run, 4)?;
    let steps = Arc::new(Steps::default());
    let idle = {
        let (device, steps) = (device.clone(), steps.clone());
        std::thread::spawn(move || -> Verdict {
            let made: Vec<Buffer> =
                (0..8).map(|i| filled(&device, 1 << (10 + i), 1.0)).collect::<Result<_, _>>().map_err(text)?;
            drop(made);
            device.synchronize().map_err(text)?;
            steps.advance();
            steps.wait_for(2)
        })
    };
    steps.wait_for(1)?;
    let before = device.memory_stats();
    let released = device.trim();
    let after = device.memory_stats();
    steps.advance();
    idle.join().map_err(|_| "the idle thread panicked".to_owned())??;
    if before.cached_bytes == 0 {
        return Err("the idle thread had nothing in its cache".to_owned());
    }
    zero("bytes left in the cache of an idle thread", after.cached_bytes as u64)?;
    zero("bytes left with the device's streams", after.reserved_bytes as u64)?;
    if released != before.reserved_bytes {
        return Err(format!("trim says {released} bytes, {} were reserved", before.reserved_bytes));
    }
    if device.evidence().count(Step::IdleCacheReclaim) == 0 {
        return Err("no idle cache was taken".to_owned());
    }
    at_rest(&device)
}

/// A scope on another stream leaves nothing in the thread's cache of that stream, on unwind neither, and its values stay.
pub(super) fn scope_ends(plan: &Plan, run: u64) -> Verdict {
    const WORDS: usize = 1 << 11;
    let device = opened(&queued(plan), plan.seed ^ run, 4)?;
    let own = filled(&device, WORDS, 1.0).map_err(text)?;
    let other = device.acquire_stream().map_err(text)?;
    for unwinds in [false, true] {
        let before = device.memory_stats().cached_bytes;
        let mut inside = 0;
        let scope = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| -> Result<Buffer, String> {
            let _guard = device.with_stream(&other).map_err(text)?;
            let kept = filled(&device, WORDS, 2.0).map_err(text)?;
            drop((0..4).map(|_| filled(&device, WORDS, 3.0)).collect::<Result<Vec<_>, _>>().map_err(text)?);
            inside = device.memory_stats().cached_bytes;
            if unwinds {
                std::panic::resume_unwind(Box::new("the scope is left by this"));
            }
            Ok(kept)
        }));
        let after = device.memory_stats().cached_bytes;
        if inside <= before {
            return Err("nothing was cached inside the scope".to_owned());
        }
        if after > before {
            return Err(format!(
                "{} bytes stayed in the cache of a stream that is not current any more",
                after - before
            ));
        }
        if let Ok(kept) = scope {
            let kept = kept?;
            let hash = fingerprint(&device, &kept, WORDS).map_err(text)?;
            check(&device, &hash, WORDS, 2.0, "a buffer of the scope")?;
        }
    }
    drop((own, other));
    at_rest(&device)
}

/// Every second buffer stays while its neighbours are dropped and the device is trimmed: its values too.
pub(super) fn live_across_trim(plan: &Plan, run: u64) -> Verdict {
    const WORDS: usize = 1 << 12;
    let device = opened(&queued(plan), plan.seed ^ run, 4)?;
    let d = device.clone();
    threads(3, move |thread| {
        let value = |i: usize| (thread * 100 + i) as f32;
        let mut kept: Vec<Option<Buffer>> =
            (0..24).map(|i| filled(&d, WORDS, value(i)).map(Some)).collect::<Result<_, _>>().map_err(text)?;
        kept.iter_mut().skip(thread % 2).step_by(2).for_each(|buffer| *buffer = None);
        d.trim();
        let more: Vec<Buffer> =
            (0..12).map(|i| filled(&d, WORDS, 7.0 + i as f32)).collect::<Result<_, _>>().map_err(text)?;
        for (i, buffer) in kept.iter().enumerate() {
            let Some(buffer) = buffer else { continue };
            let hash = fingerprint(&d, buffer, WORDS).map_err(text)?;
            check(&d, &hash, WORDS, value(i), "a live buffer after a trim")?;
        }
        drop(more);
        Ok(())
    })?;
    at_rest(&device)
}

/// Threads hand tensors around, drop those of others and leave, some with work in flight.
pub(super) fn nothing_left(plan: &Plan, run: u64) -> Verdict {
    const THREADS: usize = 8;
    let device = opened(&queued(plan), plan.seed ^ run, 6)?;
    let mail: Arc<BoundedQueue<Tensor>> = Arc::new(BoundedQueue::with_capacity(1024));
    let (d, queue) = (device.clone(), mail.clone());
    threads(THREADS, move |thread| {
        for round in 0..10u64 {
            let mine = work(&d, round * 31 + thread as u64).map_err(text)?;
            let _ = queue.try_push(mine.clone());
            if let Some(theirs) = queue.try_pop() {
                let sum = mine.add(&theirs).map_err(text)?;
                if round % 3 == 0 {
                    sum.item::<f32>().map_err(text)?;
                }
            }
        }
        Ok(())
    })?;
    while mail.try_pop().is_some() {}
    at_rest(&device)
}

/// At rest every byte is in one place: live, in a cache, in a pool, or in a segment at rest.
pub(super) fn adds_up(plan: &Plan, run: u64) -> Verdict {
    let device = opened(&queued(plan), plan.seed ^ run, 4)?;
    // Powers of two from the smallest block up: their blocks have exactly their size.
    let sizes: Vec<usize> = (0..12).map(|i| 64usize << i).collect();
    let (d, made) = (device.clone(), sizes.clone());
    let left = std::thread::spawn(move || -> Result<Vec<Buffer>, String> {
        let all: Vec<Buffer> =
            made.iter().map(|words| filled(&d, *words, 2.0)).collect::<Result<_, _>>().map_err(text)?;
        // Half stays, half goes home with the thread.
        Ok(all.into_iter().step_by(2).collect())
    });
    let kept = left.join().map_err(|_| "the thread panicked".to_owned())??;
    // Once through the cache: in and out again.
    drop(sizes.iter().map(|words| filled(&device, *words, 3.0)).collect::<Result<Vec<_>, _>>().map_err(text)?);
    let mine: Vec<Buffer> =
        sizes.iter().map(|words| filled(&device, *words, 3.0)).collect::<Result<_, _>>().map_err(text)?;
    let live: usize = kept.iter().chain(&mine).map(Buffer::bytes).sum();
    drop(mine.iter().map(Buffer::clone).collect::<Vec<_>>());
    device.synchronize_all(None).map_err(text)?;
    let stats = device.memory_stats();
    if stats.live_bytes != live {
        return Err(format!("{} bytes are said to be live, {live} are", stats.live_bytes));
    }
    let free = stats.cached_bytes + stats.inbox_bytes + stats.pooled_bytes + stats.empty_segment_bytes;
    let parts = stats.live_bytes + free;
    if parts != stats.reserved_bytes || stats.limbo_blocks != 0 {
        return Err(format!("the parts are {parts} bytes of {} reserved: {stats:?}", stats.reserved_bytes));
    }
    let snapshot = device.memory_snapshot().map_err(text)?;
    let (seen, reserved) = (snapshot.bytes(BlockState::Live), snapshot.reserved_bytes());
    if seen != live || reserved != stats.reserved_bytes {
        return Err(format!(
            "the snapshot shows {seen} live bytes of {reserved}, {live} of {} are",
            stats.reserved_bytes
        ));
    }
    let blocks: usize = snapshot.segments.iter().flat_map(|s| &s.blocks).map(|block| block.bytes).sum();
    if blocks != reserved {
        return Err(format!("the blocks of the snapshot are {blocks} bytes in segments of {reserved}"));
    }
    drop((kept, mine));
    at_rest(&device)
}
