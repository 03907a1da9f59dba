//! When memory is written again.

use millstream::evidence::Step;
use millstream::{Buffer, Stream, Tensor};

use crate::attempts::probes::{Verdict, opened, queued, text};
use crate::attempts::stage::{at_rest, check, filled, fingerprint, poisoned, spin};
use crate::plan::Plan;

/// Words of a block: a shared segment, its largest size, and a segment of its own.
const SIZES: [usize; 3] = [1 << 10, 1 << 16, 1 << 19];

/// Two to five streams read a block behind long work; it is freed meanwhile, and poison is written over the allocator's next blocks of its size.
pub(super) fn late_users(plan: &Plan, run: u64) -> Verdict {
    let users = 2 + (run % 4) as usize;
    let words = SIZES[(run / 4) as usize % SIZES.len()];
    let value = 1.5 + run as f32;
    let device = opened(&queued(plan), plan.seed ^ run, users + 1)?;
    let home = device.current_stream().map_err(text)?;
    let streams: Vec<Stream> = (0..users).map(|_| device.acquire_stream()).collect::<Result<_, _>>().map_err(text)?;
    let block = filled(&device, words, value).map_err(text)?;
    // The producer is done: what is looked at here is reuse alone.
    home.synchronize().map_err(text)?;
    let mut hashes = Vec::new();
    for (i, stream) in streams.iter().enumerate() {
        let _on = device.with_stream(stream).map_err(text)?;
        spin(&device, 3_000 + 2_000 * i as u32).map_err(text)?;
        hashes.push(fingerprint(&device, &block, words).map_err(text)?);
    }
    drop(block);
    let poison: Vec<Buffer> = (0..4).map(|_| poisoned(&device, words)).collect::<Result<_, _>>().map_err(text)?;
    home.synchronize().map_err(text)?;
    for (i, hash) in hashes.iter().enumerate() {
        check(&device, hash, words, value, &format!("late user {} of {users}", i + 1))?;
    }
    let (entered, late) = (device.evidence().count(Step::LimboEntered), device.evidence().count(Step::LateSecondUser));
    drop((poison, hashes, streams, home));
    at_rest(&device)?;
    if entered == 0 || late == 0 {
        return Err(format!("the block met {entered} times limbo and {late} times a second user, neither may be 0"));
    }
    Ok(())
}

/// After its users have completed the block is there again: the device is not asked for more.
pub(super) fn comes_back(plan: &Plan, run: u64) -> Verdict {
    let words = SIZES[run as usize % SIZES.len()];
    let device = opened(&queued(plan), plan.seed ^ run, 3)?;
    let home = device.current_stream().map_err(text)?;
    let other = device.acquire_stream().map_err(text)?;
    let all = |value: f32| -> Result<Vec<Buffer>, String> {
        (0..4).map(|i| filled(&device, words, value + i as f32)).collect::<Result<_, _>>().map_err(text)
    };
    let blocks = all(1.0)?;
    let hashes: Vec<Buffer> = {
        let _on = device.with_stream(&other).map_err(text)?;
        spin(&device, 2_000).map_err(text)?;
        blocks.iter().map(|block| fingerprint(&device, block, words)).collect::<Result<_, _>>().map_err(text)?
    };
    drop(blocks);
    other.synchronize().map_err(text)?;
    let before = device.memory_stats().reserved_bytes;
    let again = all(9.0)?;
    let after = device.memory_stats().reserved_bytes;
    if after != before {
        return Err(format!("{} bytes more were taken while {} freed blocks were ready", after - before, again.len()));
    }
    for (i, hash) in hashes.iter().enumerate() {
        check(&device, hash, words, 1.0 + i as f32, "the user before the reuse")?;
    }
    drop((again, hashes, other, home));
    at_rest(&device)
}

/// The thread cache gives a block out again at once: in stream order its reader comes before the poison.
pub(super) fn same_stream(plan: &Plan, run: u64) -> Verdict {
    let device = opened(&queued(plan), plan.seed ^ run, 2)?;
    let words = SIZES[0];
    let mut hashes = Vec::new();
    for i in 0..20 {
        if i % 5 == 0 {
            spin(&device, 500).map_err(text)?;
        }
        let block = filled(&device, words, i as f32).map_err(text)?;
        hashes.push(fingerprint(&device, &block, words).map_err(text)?);
        drop(block);
        drop(poisoned(&device, words).map_err(text)?);
    }
    for (i, hash) in hashes.iter().enumerate() {
        check(&device, hash, words, i as f32, "a reader on the block's own stream")?;
    }
    let hits = device.memory_stats().cache_hits;
    drop(hashes);
    at_rest(&device)?;
    if hits < 20 { Err(format!("only {hits} of 39 blocks came from the cache")) } else { Ok(()) }
}

/// Uploads wait in the stream while the host goes on writing others: more of them than there are places. Then many are read back at once.
pub(super) fn staging(plan: &Plan, run: u64) -> Verdict {
    const UPLOADS: usize = 100;
    const ELEMENTS: usize = 600;
    let device = opened(&queued(plan), plan.seed ^ run, 4)?;
    let data = |i: usize| -> Vec<f32> { (0..ELEMENTS).map(|at| (i * ELEMENTS + at) as f32).collect() };
    spin(&device, 10_000).map_err(text)?;
    let made: Vec<Tensor> = (0..UPLOADS)
        .map(|i| Tensor::from_slice(&device, &data(i), &[ELEMENTS]))
        .collect::<Result<_, _>>()
        .map_err(text)?;
    for (i, tensor) in made.iter().enumerate() {
        if tensor.to_vec::<f32>().map_err(text)? != data(i) {
            return Err(format!("upload {} of {UPLOADS} came with the values of another", i + 1));
        }
    }
    let device_of = device.clone();
    let shared = millstream_sync::Arc::new(made);
    let theirs = shared.clone();
    crate::attempts::probes::threads(3, move |thread| {
        for i in (thread..24).step_by(3) {
            spin(&device_of, 300).map_err(text)?;
            if theirs[i].to_vec::<f32>().map_err(text)? != data(i) {
                return Err(format!("download {i} came with the values of another"));
            }
        }
        Ok(())
    })?;
    drop(shared);
    at_rest(&device)
}
