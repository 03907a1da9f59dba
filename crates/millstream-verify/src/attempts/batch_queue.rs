//! A further attempt: requests joined into batches. Every caller is answered, whatever becomes of its batch, of the queue or of its own patience.
//!
//! What is batched is a small product on the device, so no weights are needed.

use std::time::{Duration, Instant};

use millstream::evidence::{self, Step};
use millstream_sync::atomic::{AtomicU32, Ordering};
use millstream_sync::batch_queue::{BatchError, BatchOptions, Call, Pending};
use millstream_sync::{Arc, thread};

use self::crowd::{KEYS, PATIENCE, Stage, block_on, callers, options};
use super::probes::{Driven, Verdict, What, text, zero};
use super::sheet::{Row, Sheet};
use super::stage::at_rest;
use crate::plan::Plan;

mod crowd;

/// Steps that the attempt claims to drive: the queue counts for itself.
pub const CLAIMS: [Step; 0] = [];

/// Callers of a probe.
const CALLERS: usize = 12;

const ANSWERS: &str = "Answers";
const FAILURES: &str = "Failures";
const PRESSURE: &str = "Back-pressure";
const DELAY: &str = "Delay";
const END: &str = "End";
const FORK: &str = "Fork";

/// The attempt.
pub static SHEET: Sheet = Sheet {
    id: "batch_queue",
    title: "Batch Queue",
    methods: &[
        "12 threads and tasks ask at once for values that are known; some cancel, some run out of time; nobody may be left waiting after 10 s",
        "Batches with errors and panics in them; a full queue; a worker beside a busy one",
        "Drains, aborts and dropped handles while callers come in",
    ],
    rows: &[
        Row {
            pattern: ANSWERS,
            place: ("crates/millstream-sync/src/batch_queue/answer.rs", "fn give("),
            mechanism: "given once under the lock of the answer, then its thread or task is woken with nothing held",
        },
        Row {
            pattern: FAILURES,
            place: ("crates/millstream-sync/src/batch_queue/worker.rs", "fn run("),
            mechanism: "a batch that fails or panics is run again one by one; its drop answers who is left",
        },
        Row {
            pattern: PRESSURE,
            place: ("crates/millstream-sync/src/batch_queue/requests.rs", "fn take_in("),
            mechanism: "room is looked for under the lock; a typed refusal; a dropped request leaves its place",
        },
        Row {
            pattern: DELAY,
            place: ("crates/millstream-sync/src/batch_queue/requests.rs", "fn when("),
            mechanism: "at once while no worker is at work or a share waits, else when the oldest has waited long enough",
        },
        Row {
            pattern: END,
            place: ("crates/millstream-sync/src/batch_queue.rs", "fn close("),
            mechanism: "nothing new; what waits is worked off or refused; the last worker leaves nobody behind",
        },
        Row {
            pattern: FORK,
            place: ("crates/millstream-sync/src/batch_queue.rs", "fn is_elsewhere"),
            mechanism: "the process of the workers is known: in another one nothing is queued, waited for or locked",
        },
    ],
    probes: &[
        Driven {
            pattern: ANSWERS,
            name: "threads and tasks are all answered",
            runs: 5,
            what: What::Measured(answered),
        },
        Driven {
            pattern: FAILURES,
            name: "an error and a panic are those of one request",
            runs: 5,
            what: What::Here(fail_alone),
        },
        Driven {
            pattern: PRESSURE,
            name: "a full queue refuses, and has room again",
            runs: 5,
            what: What::Here(overloaded),
        },
        Driven {
            pattern: DELAY,
            name: "at once beside nobody, within the delay beside a busy worker",
            runs: 3,
            what: What::Here(delayed),
        },
        Driven { pattern: END, name: "drains, aborts and drops against callers", runs: 12, what: What::Here(ends) },
        Driven {
            pattern: FORK,
            name: "a forked child is refused, its parent goes on",
            runs: 3,
            what: What::Here(forked),
        },
    ],
    properties: &[
        "Every thread and task that asked was answered: with its own value, or with a typed error",
        "No request of a batch had the error or the panic of another",
        "The queue was bounded, and refused what it had no room for",
        "A forked child was refused at once, and its parent went on",
        "After the end of a queue its workers had left, and nothing of theirs was left on the device",
    ],
};

/// Threads and tasks, patient and impatient ones and such that cancel.
fn answered(plan: &Plan, run: u64) -> Result<String, String> {
    let stage = Stage::new(plan, run, options(1 + run as usize % 3))?;
    let (queue, values) = (stage.queue.clone(), Arc::clone(&stage.values));
    callers(CALLERS, move |number| {
        for round in 0..20 {
            let key = (number + round) as u64 % KEYS;
            let impatient = round % 5 == 4;
            let call = Call { timeout: impatient.then_some(Duration::from_micros(400)), ..Call::default() };
            let pending = queue.submit(&key, call).map_err(text)?;
            let outcome = match (number + round) % 3 {
                0 => pending.wait(),
                1 => block_on(pending).ok_or("a task was left waiting")?,
                _ if round % 2 == 0 => continue, // dropped
                _ => queue.call(&key),
            };
            match outcome {
                Ok(value) if value == values[key as usize] => {}
                Ok(value) => return Err(format!("{value:x} in place of {:x}", values[key as usize])),
                Err(BatchError::Expired) if impatient => {}
                Err(error) => return Err(text(error)),
            }
        }
        Ok(())
    })?;
    let figures = stage.queue.figures().unwrap_or_default();
    stage.at_rest()?;
    Ok(format!("{} requests in {} batches, {} given up", figures.requests, figures.batches, figures.given_up))
}

fn fail_alone(plan: &Plan, run: u64) -> Verdict {
    let stage = Stage::new(plan, run, options(1))?;
    let holder = stage.held()?;
    let submit = |key: u64| stage.queue.submit(&key, Call::default()).map_err(text);
    let (first, error) = (submit(1)?, submit(100)?);
    let (panic, last) = (submit(101)?, submit(2)?);
    stage.open();
    let held = block_on(holder).ok_or("the batch before was left waiting")?.map_err(text)?;
    let of = |pending| block_on(pending).ok_or("a request of a failed batch was left waiting");
    let found = (of(first)?, of(error)?, of(panic)?, of(last)?);
    let wanted = (held == stage.values[102 % KEYS as usize])
        && found.0 == Ok(stage.values[1])
        && matches!(&found.1, Err(BatchError::Work(text)) if text.contains("error that was asked for"))
        && matches!(&found.2, Err(BatchError::Panicked(text)) if text.contains("panic that was asked for"))
        && found.3 == Ok(stage.values[2]);
    if !wanted {
        return Err(format!("not each its own: {found:?}"));
    }
    stage.at_rest()
}

fn overloaded(plan: &Plan, run: u64) -> Verdict {
    const CAPACITY: usize = 4;
    let stage = Stage::new(plan, run, BatchOptions { capacity: CAPACITY, ..options(1) })?;
    let holder = stage.held()?;
    let mut waiting = Vec::new();
    for _ in 0..CAPACITY {
        waiting.push(stage.queue.submit(&3, Call::default()).map_err(text)?);
    }
    match stage.queue.submit(&3, Call::default()) {
        Err(BatchError::Overloaded { capacity: CAPACITY }) => {}
        other => return Err(format!("a full queue says {other:?}")),
    }
    // Who gives up leaves its place to another.
    waiting.pop();
    waiting.push(stage.queue.submit(&3, Call::default()).map_err(text)?);
    stage.open();
    for pending in waiting.into_iter().chain([holder]) {
        block_on(pending).ok_or("a request of a full queue was left waiting")?.map_err(text)?;
    }
    if stage.queue.figures().is_none_or(|figures| figures.overloaded != 1 || figures.given_up != 1) {
        return Err(format!("one was refused and one gave up: {:?}", stage.queue.figures()));
    }
    stage.at_rest()
}

fn delayed(plan: &Plan, run: u64) -> Verdict {
    // Far longer than any caller waits: at an idle queue it must not count.
    let stage = Stage::new(plan, run, BatchOptions { max_delay: 10 * PATIENCE, ..options(2) })?;
    let call = Call { timeout: Some(PATIENCE), ..Call::default() };
    let ask = |stage: &Stage| stage.queue.submit(&1, call).and_then(Pending::wait).map(drop);
    ask(&stage).map_err(|error| format!("at an idle queue: {error}"))?;
    stage.at_rest()?;
    let delay = Duration::from_millis(20);
    let stage = Stage::new(plan, run, BatchOptions { max_delay: delay, ..options(2) })?;
    let holder = stage.held()?;
    // Less than a share of what is under way: it waits for company, which does not come.
    let begun = Instant::now();
    ask(&stage).map_err(|error| format!("beside a busy worker: {error}"))?;
    let waited = begun.elapsed();
    stage.open();
    block_on(holder).ok_or("a request was left waiting")?.map_err(text)?;
    if waited < delay {
        return Err(format!("it went alone after {waited:?}, without a wait for company"));
    }
    stage.at_rest()
}

/// The child has the queue and the lock as they were, and no worker.
fn forked(plan: &Plan, run: u64) -> Verdict {
    let stage = Stage::new(plan, run, options(1))?;
    let holder = stage.held()?;
    let submit = || stage.queue.submit(&1, Call::default()).map_err(text);
    let (mut waits, mut dropped) = (Some(submit()?), Some(submit()?));
    let answer = evidence::in_forked_child(|| {
        let refused = |outcome: Option<Result<u32, BatchError<String>>>| outcome == Some(Err(BatchError::Forked));
        let refusals = [
            refused(Some(stage.queue.call(&1))),
            refused(waits.take().map(Pending::wait)),
            !stage.queue.drain(None) && !stage.queue.abort(None) && stage.queue.figures().is_none(),
        ];
        drop((dropped.take(), stage.queue.clone()));
        refusals.iter().filter(|refused| **refused).count() as u8
    });
    if answer != Some(3) {
        return Err(format!("the child said {answer:?}, 3 refusals were to come"));
    }
    stage.open();
    for pending in [Some(holder), waits, dropped].into_iter().flatten() {
        block_on(pending).ok_or("the parent's request was left waiting")?.map_err(text)?;
    }
    stage.at_rest()
}

/// Callers come in while the queue ends, in one of four ways.
fn ends(plan: &Plan, run: u64) -> Verdict {
    let stage = Stage::new(plan, run, options(1 + run as usize % 2))?;
    let Stage { device, queue, values, runs, .. } = stage;
    let left = Arc::new(AtomicU32::new(0));
    let (asking, refused) = (queue.clone(), Arc::clone(&left));
    let ending = thread::spawn(move || {
        let begun = Instant::now();
        while runs.load(Ordering::Relaxed) < 3 && begun.elapsed() < PATIENCE {
            thread::yield_now();
        }
        match run % 3 {
            0 => queue.drain(Some(PATIENCE)),
            1 => queue.abort(Some(PATIENCE)),
            // The callers have the last handles.
            _ => true,
        }
    });
    callers(CALLERS, move |number| {
        for round in 0..30 {
            let key = (number + round) as u64 % KEYS;
            let outcome = match asking.submit(&key, Call::default()) {
                Ok(pending) if round % 2 == 0 => pending.wait(),
                Ok(pending) => block_on(pending).ok_or("a task was left waiting at the end of its queue")?,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(value) if value == values[key as usize] => {}
                Err(BatchError::Closed) if run % 3 < 2 => {
                    refused.fetch_add(1, Ordering::Relaxed);
                }
                other => return Err(format!("{other:?} at the end of the queue")),
            }
        }
        Ok(())
    })?;
    match ending.join() {
        Ok(true) => {}
        Ok(false) => return Err("the workers have not left".to_owned()),
        Err(_) => return Err("the end of the queue panicked".to_owned()),
    }
    if run % 3 < 2 {
        // Their threads have been waited for.
        return at_rest(&device);
    }
    zero("requests refused before the last handle was dropped", left.load(Ordering::Relaxed))
}
