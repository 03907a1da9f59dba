//! Memory of others: its deleter runs once, after the last stamp.

use millstream::evidence::Step;
use millstream::{Buffer, Device, Stream};
use millstream_sync::Arc;
use millstream_sync::atomic::{AtomicU32, Ordering};

use crate::attempts::probes::{Verdict, opened, queued, text, threads, zero};
use crate::attempts::stage::{LONG, at_rest, check, filled, fingerprint, poisoned, spin};
use crate::plan::Plan;

const WORDS: usize = 1 << 12;

/// Counts the calls of deleters.
type Calls = Arc<AtomicU32>;

/// `WORDS` words of `value` that belong to somebody else. On a device that cannot see the host's memory these probes are not driven: see `limits`.
fn import(device: &Device, value: f32, calls: &Calls) -> Result<Buffer, String> {
    let calls = calls.clone();
    let made = device.import_vec(vec![value; WORDS], move || {
        calls.fetch_add(1, Ordering::Relaxed);
    });
    made.map_err(text)
}

fn called(calls: &Calls, times: u32, when: &str) -> Verdict {
    match calls.load(Ordering::Relaxed) {
        found if found == times => Ok(()),
        found => Err(format!("the deleter was called {found} times {when}, {times} is right")),
    }
}

/// One to four streams read behind long work; the last handle is dropped meanwhile.
pub(super) fn late_users(plan: &Plan, run: u64) -> Verdict {
    let users = 1 + (run % 4) as usize;
    let value = 4.5 + run as f32;
    let device = opened(&queued(plan), plan.seed ^ run, users + 1)?;
    let calls = Calls::default();
    let block = import(&device, value, &calls)?;
    let streams: Vec<Stream> = (0..users).map(|_| device.acquire_stream()).collect::<Result<_, _>>().map_err(text)?;
    let mut hashes = Vec::new();
    for (i, stream) in streams.iter().enumerate() {
        let _on = device.with_stream(stream).map_err(text)?;
        spin(&device, 8_000 + 4_000 * i as u32).map_err(text)?;
        hashes.push(fingerprint(&device, &block, WORDS).map_err(text)?);
    }
    drop(block);
    // In this order: a stream that is at work after the deleter was seen to have run was at work when it ran.
    let ran = calls.load(Ordering::Relaxed) > 0;
    if ran && streams.iter().any(|stream| !stream.is_idle()) {
        return Err("the deleter ran while a user was at work".to_owned());
    }
    drop(poisoned(&device, WORDS).map_err(text)?);
    for (i, hash) in hashes.iter().enumerate() {
        check(&device, hash, WORDS, value, &format!("late user {} of {users}", i + 1))?;
    }
    drop((hashes, streams));
    device.synchronize_all(None).map_err(text)?;
    called(&calls, 1, "after its last user")?;
    zero("bytes of others in live buffers", device.memory_stats().imported_bytes as u64)?;
    at_rest(&device)?;
    called(&calls, 1, "after the shutdown")
}

/// Handles dropped by eight threads at once, by a thread's exit with the work not begun, and after the shutdown.
pub(super) fn dropped_anywhere(plan: &Plan, run: u64) -> Verdict {
    let device = opened(&queued(plan), plan.seed ^ run, 9)?;
    let (shared, left, late) = (Calls::default(), Calls::default(), Calls::default());
    let block = import(&device, 1.0, &shared)?;
    let (d, theirs) = (device.clone(), block.clone());
    threads(8, move |thread| {
        let mine = theirs.clone();
        spin(&d, 100 * thread as u32).map_err(text)?;
        let hash = fingerprint(&d, &mine, WORDS).map_err(text)?;
        drop(mine);
        check(&d, &hash, WORDS, 1.0, "one of eight users")
    })?;
    drop(block);
    let (d, calls) = (device.clone(), left.clone());
    let hash = std::thread::spawn(move || -> Result<Buffer, String> {
        let mine = import(&d, 2.0, &calls)?;
        spin(&d, 3_000).map_err(text)?;
        fingerprint(&d, &mine, WORDS).map_err(text)
    });
    let hash = hash.join().map_err(|_| "the thread panicked".to_owned())??;
    check(&device, &hash, WORDS, 2.0, "a thread that ended at once")?;
    drop(hash);
    device.synchronize_all(None).map_err(text)?;
    called(&shared, 1, "with eight users gone")?;
    called(&left, 1, "with its thread gone")?;
    let kept = import(&device, 3.0, &late)?;
    let report = device.shutdown(LONG);
    if !report.complete {
        return Err(format!("the shutdown was not complete: {report:?}"));
    }
    called(&late, 0, "while a handle is alive after the shutdown")?;
    drop(kept);
    called(&late, 1, "when the last handle drops after the shutdown")
}

/// A deleter may use the device that it is called by, and a panic in it stays inside.
pub(super) fn odd_deleters(plan: &Plan, run: u64) -> Verdict {
    let device = opened(&queued(plan), plan.seed ^ run, 3)?;
    let calls = Calls::default();
    drop(import(&device, 1.0, &calls)?);
    let (d, computed) = (device.clone(), Calls::default());
    let done = computed.clone();
    let computes = device
        .import_vec(vec![1.0; WORDS], move || {
            let hash = filled(&d, 64, 2.0).and_then(|made| fingerprint(&d, &made, 64)).map_err(text);
            if hash.and_then(|hash| check(&d, &hash, 64, 2.0, "a deleter")).is_ok() {
                done.fetch_add(1, Ordering::Relaxed);
            }
        })
        .map_err(text)?;
    let panics = device.import_vec(vec![1.0; WORDS], || std::panic::resume_unwind(Box::new(()))).map_err(text)?;
    drop((computes, panics));
    device.synchronize_all(None).map_err(text)?;
    called(&calls, 1, "for the first import")?;
    called(&computed, 1, "that could compute")?;
    if device.evidence().count(Step::DeleterPanicked) != 1 || device.evidence().count(Step::ImportDeleted) != 3 {
        return Err("a deleter that panicked was not caught and counted".to_owned());
    }
    at_rest(&device)
}
