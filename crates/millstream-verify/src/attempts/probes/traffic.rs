//! Blocks, events and traces that go between threads.

use std::time::Duration;

use millstream::evidence::Step;
use millstream::{Event, Generator, Kernel, Tensor};
use millstream_sync::atomic::{AtomicBool, Ordering};
use millstream_sync::lock::try_enter;
use millstream_sync::{Arc, BoundedQueue};

use super::{Verdict, opened, queued, text, threads, work, zero};
use crate::plan::Plan;
use crate::sim;

const SIDE: usize = 64;

/// Each product is used by two other streams behind long work and dropped by a third thread, while its maker goes on allocating: a block that is reused too early, or a
/// wait that is missing, gives a wrong sum every time.
pub(super) fn hand_around(plan: &Plan, _run: u64) -> Verdict {
    const THREADS: usize = 4;
    const ROUNDS: u64 = 12;
    let device = opened(&queued(plan), plan.seed, THREADS + 1)?;
    let reference = opened(&plan.device, plan.seed, 1)?;
    let expected: Vec<u32> = (0..THREADS as u64 * ROUNDS)
        .map(|key| filled(&reference, key)?.sum()?.item().map(f32::to_bits))
        .collect::<Result<_, _>>()
        .map_err(text)?;
    let expected = Arc::new(expected);
    let mail: Arc<Vec<BoundedQueue<(u64, Tensor)>>> =
        Arc::new((0..THREADS).map(|_| BoundedQueue::with_capacity(64)).collect());
    let (d, box_of) = (device.clone(), mail.clone());
    let checks = expected.clone();
    threads(THREADS, move |i| {
        let mut sums = Vec::new();
        for round in 0..ROUNDS {
            let key = i as u64 * ROUNDS + round;
            // Late producer: the tensor is handed over long before it is written.
            d.enqueue(Kernel::Spin { micros: 300 }).map_err(text)?;
            let made = filled(&d, key).map_err(text)?;
            for other in [1, 2] {
                let _ = box_of[(i + other) % THREADS].try_push((key, made.clone()));
            }
            drop(made);
            while let Some((key, theirs)) = box_of[i].try_pop() {
                // Late user: its read waits behind this.
                d.enqueue(Kernel::Spin { micros: 200 }).map_err(text)?;
                sums.push((key, theirs.sum().map_err(text)?));
                drop(theirs);
            }
        }
        check(&sums, &checks)
    })?;
    let mut rest = Vec::new();
    for queue in mail.iter() {
        while let Some((key, tensor)) = queue.try_pop() {
            rest.push((key, tensor.sum().map_err(text)?));
        }
    }
    check(&rest, &expected)?;
    drop(rest);
    // What still lies in inboxes goes its way.
    device.trim();
    let report = device.shutdown(Duration::from_secs(20));
    zero("bytes stranded", report.stranded_bytes as u64)?;
    zero("bytes not given back", report.reserved_bytes_left as u64)?;
    zero("blocks left in limbo", report.limbo_blocks_left as u64)?;
    // Last: a probe that did not drive its path has shown nothing.
    let evidence = device.evidence();
    for step in [Step::WaitInserted, Step::InboxHandBack, Step::LimboEntered] {
        if evidence.count(step) == 0 {
            return Err(format!("the probe did not drive {}", step.name()));
        }
    }
    Ok(())
}

fn filled(device: &millstream::Device, key: u64) -> millstream::Result<Tensor> {
    Tensor::randn(device, &[SIDE, SIDE], &mut Generator::new(0x7a).split(key))
}

fn check(sums: &[(u64, Tensor)], expected: &[u32]) -> Verdict {
    for (key, sum) in sums {
        let found = sum.item::<f32>().map_err(text)?.to_bits();
        let wanted = expected[*key as usize];
        if found != wanted {
            return Err(format!("the sum of tensor {key} is {found:08x}, sequential {wanted:08x}"));
        }
    }
    Ok(())
}

/// Events are recorded, waited for and queried, and the profiler is read, from all threads at once.
pub(super) fn events_and_traces(plan: &Plan, _run: u64) -> Verdict {
    const THREADS: usize = 8;
    let device = opened(&queued(plan), plan.seed, THREADS)?;
    let events: Arc<Vec<Event>> = Arc::new((0..THREADS).map(|_| Event::new(&device, false)).collect());
    let stop = Arc::new(AtomicBool::new(false));
    let reader = {
        let (device, stop) = (device.clone(), stop.clone());
        std::thread::spawn(move || {
            let mut spans = 0;
            while !stop.load(Ordering::Relaxed) {
                let trace = device.trace();
                spans = spans.max(trace.spans.len());
                if let Some(bad) = trace.spans.iter().find(|s| s.end_us < s.start_us || s.name == "?") {
                    return Err(format!("a torn record: {bad:?}"));
                }
                if trace.write_chrome(std::io::sink()).is_err() {
                    return Err("the trace could not be written".to_owned());
                }
            }
            if spans == 0 { Err("no span was read".to_owned()) } else { Ok(()) }
        })
    };
    let d = device.clone();
    let worked = threads(THREADS, move |i| {
        for round in 0..30u64 {
            let sum = work(&d, round).map_err(text)?;
            events[i].record().map_err(text)?;
            let other = &events[(i + 1) % THREADS];
            if other.stamp().is_ok() {
                other.wait().map_err(text)?;
                other.query().map_err(text)?;
                other.synchronize(Some(Duration::from_secs(20))).map_err(text)?;
            }
            drop(sum);
        }
        d.synchronize().map_err(text)
    });
    stop.store(true, Ordering::Relaxed);
    reader.join().map_err(|_| "the reading thread panicked".to_owned())??;
    worked?;
    if device.evidence().count(Step::EventReused) == 0 {
        return Err("the probe reused no event".to_owned());
    }
    zero("streams claimed at the end", device.leases() as u64)
}

/// The token's flag: one root at a time, given back on unwind too.
pub(super) fn second_root(_plan: &Plan, _run: u64) -> Verdict {
    threads(8, |_| {
        if try_enter(|_| try_enter(|_| ()).is_some()) != Some(false) {
            return Err("a second root was given while the first was held".to_owned());
        }
        let unwound = std::thread::spawn(|| {
            let _ = std::panic::catch_unwind(|| try_enter(|_| std::panic::resume_unwind(Box::new(()))));
            try_enter(|_| ()).is_some()
        });
        if unwound.join().unwrap_or(false) { Ok(()) } else { Err("the flag stayed behind after an unwind".to_owned()) }
    })
}

/// A scheduled run: each of its threads takes and leaves a seat.
pub(super) fn scheduled_run(plan: &Plan, run: u64) -> Verdict {
    sim::prepare().map_err(text)?;
    let findings = sim::scheduled(plan.seed.wrapping_add(run)).findings;
    if findings.is_empty() { Ok(()) } else { Err(findings.join("; ")) }
}
