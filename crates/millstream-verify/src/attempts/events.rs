//! A further attempt: events. Recorded, waited for, asked and waited for on the host from many threads; reused only when done and unreferenced.

use std::time::{Duration, Instant};

use millstream::evidence::Step;
use millstream::{Device, Event, EventState, Kernel, RuntimeError, Stream};
use millstream_sync::Arc;
use millstream_sync::atomic::{AtomicBool, Ordering};

use super::probes::{Driven, Verdict, What, opened, queued, text, threads, work, zero};
use super::sheet::{Row, Sheet};
use super::stage::{LONG, Steps, at_rest, check, filled, fingerprint, spin};
use crate::plan::{DeviceName, Plan};

/// Steps that the attempt claims to drive.
pub const CLAIMS: [Step; 4] = [Step::EventRecorded, Step::EventReused, Step::HostWait, Step::WaitInserted];

const CELL: &str = "Event";
const POOL: &str = "Event pool";
const TIMING: &str = "Timing";
const DEADLINE: &str = "Deadline";

/// The attempt.
pub static SHEET: Sheet = Sheet {
    id: "events",
    title: "Events",
    methods: &[
        "Events that threads share: each waits for its neighbour's and records its own, behind work of 1 to 5 ms",
        "Host waits on short work while native events of long work are recycled; every value is compared",
        "Times of a row of timing events, deadlines that expire, events that were never recorded",
    ],
    rows: &[
        Row {
            pattern: CELL,
            place: ("crates/millstream-runtime/src/event/cell.rs", "pub fn wait("),
            mechanism: "a cell with a stamp; a wait takes the record of the moment, on the device",
        },
        Row {
            pattern: POOL,
            place: ("crates/millstream-runtime/src/event/pool.rs", "fn take("),
            mechanism: "counted; taken again only when its mark was reached and nobody refers to it",
        },
        Row {
            pattern: TIMING,
            place: ("crates/millstream-runtime/src/event/cell.rs", "pub fn elapsed("),
            mechanism: "recorded eagerly; done when its own record is",
        },
        Row {
            pattern: DEADLINE,
            place: ("crates/millstream-runtime/src/stream/order.rs", "fn await_seq"),
            mechanism: "an expired wait is a typed error; the work goes on",
        },
    ],
    probes: &[
        Driven { pattern: CELL, name: "a wait orders what no tensor orders", runs: 20, what: What::Here(ordered) },
        Driven {
            pattern: CELL,
            name: "a ring of eight threads that wait for each other",
            runs: 10,
            what: What::Here(ring),
        },
        Driven { pattern: CELL, name: "recorded again behind a wait", runs: 2, what: What::Here(again) },
        Driven { pattern: CELL, name: "of a thread that has ended", runs: 5, what: What::Here(of_the_gone) },
        Driven { pattern: CELL, name: "an event that was never recorded", runs: 1, what: What::Here(unrecorded) },
        Driven {
            pattern: POOL,
            name: "host waits while the events of long work are recycled",
            runs: 10,
            what: What::Here(recycled),
        },
        Driven { pattern: POOL, name: "one event recorded by six threads at once", runs: 3, what: What::Here(shared) },
        Driven {
            pattern: TIMING,
            name: "times of a row of events rise and add up",
            runs: 3,
            what: What::Here(elapsed),
        },
        Driven { pattern: DEADLINE, name: "expires, and the work goes on", runs: 5, what: What::Here(expires) },
    ],
    properties: &[
        "Work after a wait began after the record, through every chain of waits",
        "No host wait ended before its own work, while native events were recycled",
        "Without a record every question is a typed error; an expired deadline is one too, and the work went on",
    ],
};

/// One stream works for long and records; another waits for it, does nothing else and records: when the second record is reached the first is too.
fn ordered(plan: &Plan, run: u64) -> Verdict {
    let device = opened(&queued(plan), plan.seed ^ run, 3)?;
    let (first, second) = (device.acquire_stream().map_err(text)?, device.acquire_stream().map_err(text)?);
    let (late, after) = (Event::new(&device, false), Event::new(&device, run % 2 == 1));
    on(&device, &first, || {
        spin(&device, 4_000)?;
        late.record()
    })?;
    on(&device, &second, || {
        late.wait()?;
        after.record()
    })?;
    after.synchronize(Some(LONG)).map_err(text)?;
    match late.query().map_err(text)? {
        EventState::Done => {}
        state => return Err(format!("a stream went past its wait while the event was {state:?}")),
    }
    drop((first, second, late, after));
    at_rest(&device)
}

fn on(device: &Device, stream: &Stream, f: impl FnOnce() -> Result<(), RuntimeError>) -> Verdict {
    let _on = device.with_stream(stream).map_err(text)?;
    f().map_err(text)
}

/// Eight threads in a row: each waits for the event of the one before it and records its own. Nobody waits on the host but for the last one.
fn ring(plan: &Plan, run: u64) -> Verdict {
    const THREADS: usize = 8;
    let device = opened(&queued(plan), plan.seed ^ run, THREADS + 1)?;
    let events: Arc<Vec<Event>> = Arc::new((0..THREADS).map(|_| Event::new(&device, false)).collect());
    let steps = Arc::new(Steps::default());
    let (d, shared, turn) = (device.clone(), events.clone(), steps.clone());
    threads(THREADS, move |thread| {
        // The host's turns only see to it that a record is there to be waited for.
        turn.wait_for(thread as u32)?;
        if thread > 0 {
            shared[thread - 1].wait().map_err(text)?;
        }
        spin(&d, if thread == 0 { 5_000 } else { 200 }).map_err(text)?;
        shared[thread].record().map_err(text)?;
        turn.advance();
        turn.wait_for(THREADS as u32)
    })?;
    events[THREADS - 1].synchronize(Some(LONG)).map_err(text)?;
    for (thread, event) in events.iter().enumerate() {
        if event.query().map_err(text)? != EventState::Done {
            return Err(format!("the last of {THREADS} is done and number {} is not", thread + 1));
        }
    }
    drop(events);
    at_rest(&device)
}

/// Without a record there is nothing to wait for, to ask or to measure.
fn unrecorded(plan: &Plan, _run: u64) -> Verdict {
    let device = opened(&queued(plan), plan.seed, 2)?;
    let (plain, timing, recorded) = (Event::new(&device, false), Event::new(&device, true), Event::new(&device, true));
    recorded.record().map_err(text)?;
    let refused = |what: Result<(), RuntimeError>| matches!(what, Err(RuntimeError::NotRecorded));
    for event in [&plain, &timing] {
        let calls = [
            ("wait", refused(event.wait())),
            ("query", refused(event.query().map(drop))),
            ("synchronize", refused(event.synchronize(Some(Duration::ZERO)))),
            ("stamp", refused(event.stamp().map(drop))),
            ("elapsed from", refused(event.elapsed(&recorded).map(drop))),
            ("elapsed to", refused(recorded.elapsed(event).map(drop))),
        ];
        if let Some((name, _)) = calls.iter().find(|(_, refused)| !refused) {
            return Err(format!("{name} of an event that was never recorded is not refused"));
        }
    }
    drop((plain, timing, recorded));
    at_rest(&device)
}

/// Half of the threads wait on the host for short work again and again, half keep long work with events on their streams. A native event that goes to another
/// stream while somebody waits for it ends that wait too early, and a value is read that is not there yet.
fn recycled(plan: &Plan, run: u64) -> Verdict {
    const THREADS: usize = 6;
    const WORDS: usize = 1 << 12;
    let device = opened(&queued(plan), plan.seed ^ run, THREADS)?;
    let d = device.clone();
    threads(THREADS, move |thread| {
        for round in 0..25 {
            let value = (thread * 1_000 + round) as f32;
            if (thread + round) % 3 == 0 {
                spin(&d, 1_500).map_err(text)?;
            }
            let block = filled(&d, WORDS, value).map_err(text)?;
            let hash = fingerprint(&d, &block, WORDS).map_err(text)?;
            if thread % 2 == 1 {
                // An event of its own: asked for, and left behind.
                let event = Event::new(&d, round % 2 == 0);
                event.record().map_err(text)?;
                event.query().map_err(text)?;
            }
            check(&d, &hash, WORDS, value, "a host wait")?;
        }
        Ok(())
    })?;
    at_rest(&device)
}

/// Six threads record, wait for and ask one event; whoever asks gets an answer about a record that was made.
fn shared(plan: &Plan, run: u64) -> Verdict {
    const THREADS: usize = 6;
    // A stream each, the opener's too: two threads on one stream may record in either order.
    let device = opened(&queued(plan), plan.seed ^ run, THREADS + 1)?;
    let event = Arc::new(Event::new(&device, run.is_multiple_of(2)));
    event.record().map_err(text)?;
    let (d, one) = (device.clone(), event.clone());
    threads(THREADS, move |thread| {
        for round in 0..20u64 {
            let sum = work(&d, round).map_err(text)?;
            // Nobody else submits to this stream: a record of it says this position or a later one.
            let tail = d.enqueue(Kernel::Spin { micros: 0 }).map_err(text)?;
            one.record().map_err(text)?;
            let before = one.stamp().map_err(text)?;
            if before.stream == tail.stream && before.seq < tail.seq {
                return Err(format!("thread {thread}: the record says {before:?}, its stream was at {tail:?}"));
            }
            one.wait().map_err(text)?;
            one.query().map_err(text)?;
            one.synchronize(Some(LONG)).map_err(text)?;
            let after = one.stamp().map_err(text)?;
            if before.stream == after.stream && after.seq < before.seq {
                return Err(format!("thread {thread}: the record went back from {before:?} to {after:?}"));
            }
            drop(sum);
        }
        d.synchronize().map_err(text)
    })?;
    drop(event);
    at_rest(&device)
}

/// A thread records behind long work and ends; its stream goes to others, who work on it. Whoever asks or waits later gets the answer about the record.
fn of_the_gone(plan: &Plan, run: u64) -> Verdict {
    let device = opened(&queued(plan), plan.seed ^ run, 2)?;
    let events: Arc<Vec<Event>> = Arc::new((0..4).map(|at| Event::new(&device, at % 2 == 1)).collect());
    for at in 0..events.len() {
        let (d, shared) = (device.clone(), events.clone());
        let recorder = std::thread::spawn(move || -> Verdict {
            spin(&d, 2_000).map_err(text)?;
            shared[at].record().map_err(text)
        });
        recorder.join().map_err(|_| "the recorder panicked".to_owned())??;
    }
    zero("streams claimed by threads that are gone", device.leases() as u64)?;
    let (d, shared) = (device.clone(), events.clone());
    threads(4, move |thread| {
        let event = &shared[(thread + run as usize) % 4];
        event.wait().map_err(text)?;
        let after = Event::new(&d, false);
        after.record().map_err(text)?;
        after.synchronize(Some(LONG)).map_err(text)?;
        // A timing event is done when its own record is, which comes after the work that the stream waited for.
        event.synchronize(Some(if (thread + run as usize) % 2 == 1 { LONG } else { Duration::ZERO })).map_err(text)?;
        match event.query().map_err(text)? {
            EventState::Done => Ok(()),
            state => Err(format!("a stream went past its wait for a thread that is gone, and the event is {state:?}")),
        }
    })?;
    drop(events);
    at_rest(&device)
}

/// The event is recorded again behind long work after a wait for it was enqueued: the wait keeps the record that it took.
fn again(plan: &Plan, run: u64) -> Verdict {
    /// Longer than a busy machine keeps this thread from looking.
    const LATER: u32 = 300_000;
    let device = opened(&queued(plan), plan.seed ^ run, 3)?;
    let (first, second) = (device.acquire_stream().map_err(text)?, device.acquire_stream().map_err(text)?);
    let (event, waited) = (Event::new(&device, run % 2 == 1), Event::new(&device, false));
    on(&device, &first, || event.record())?;
    let early = event.stamp().map_err(text)?;
    on(&device, &second, || {
        event.wait()?;
        waited.record()
    })?;
    on(&device, &first, || {
        spin(&device, LATER)?;
        event.record()
    })?;
    if event.stamp().map_err(text)?.seq <= early.seq {
        return Err("a new record did not replace the one before".to_owned());
    }
    waited.synchronize(Some(LONG)).map_err(text)?;
    // The simulator's device may have done both by now; where time is real the long work is still running.
    if queued(plan) != DeviceName::Sim && event.query().map_err(text)? != EventState::Pending {
        return Err("a wait took a record that was made after it".to_owned());
    }
    event.synchronize(Some(LONG)).map_err(text)?;
    drop((first, second, event, waited));
    at_rest(&device)
}

/// Timing events around pieces of work: the times rise, they are no less than the work, and parts add up to the whole.
fn elapsed(plan: &Plan, run: u64) -> Verdict {
    const PIECE: Duration = Duration::from_micros(1_500);
    let name = queued(plan);
    let device = opened(&name, plan.seed ^ run, 2)?;
    let marks: Vec<Event> = (0..6).map(|_| Event::new(&device, true)).collect();
    for mark in &marks {
        mark.record().map_err(text)?;
        spin(&device, PIECE.as_micros() as u32).map_err(text)?;
    }
    device.synchronize().map_err(text)?;
    let since = |from: usize, to: usize| marks[from].elapsed(&marks[to]).map_err(text);
    // The simulator counts its own steps in place of time.
    let least = if name == DeviceName::Sim { Duration::ZERO } else { PIECE };
    for at in 1..marks.len() {
        let (whole, before, piece) = (since(0, at)?, since(0, at - 1)?, since(at - 1, at)?);
        if whole < before || piece < least {
            return Err(format!("event {at} comes {piece:?} after the one before it, {whole:?} after the first"));
        }
        let sum = before + piece;
        if whole.abs_diff(sum) > Duration::from_micros(1) {
            return Err(format!("{before:?} and {piece:?} are not {whole:?}"));
        }
    }
    drop(marks);
    at_rest(&device)
}

/// Deadlines on an event, a stream and the device expire while work goes on; the event is pending, then done, and the value is right.
fn expires(plan: &Plan, run: u64) -> Verdict {
    const WORDS: usize = 256;
    const SOON: Duration = Duration::from_millis(1);
    let name = queued(plan);
    let device = opened(&name, plan.seed ^ run, 2)?;
    let stream = device.current_stream().map_err(text)?;
    let event = Event::new(&device, false);
    spin(&device, 200_000).map_err(text)?;
    let block = filled(&device, WORDS, 5.0).map_err(text)?;
    let hash = fingerprint(&device, &block, WORDS).map_err(text)?;
    event.record().map_err(text)?;
    let clock = Ticks::start();
    let waits = [
        ("event", event.synchronize(Some(SOON))),
        ("stream", stream.synchronize_until(Some(Instant::now() + SOON))),
        ("device", device.synchronize_all(Some(Instant::now() + SOON))),
    ];
    let ticks = clock.stop();
    // The simulator's work takes no real time. A machine that stood still has let no other thread tick either, and is not judged.
    let took_long = ticks >= 15;
    for (what, outcome) in waits {
        match outcome {
            Err(RuntimeError::Timeout { .. }) if !took_long => {}
            Ok(())
                if name == DeviceName::Sim
                    || (!took_long && event.query().is_ok_and(|state| state == EventState::Done)) => {}
            other => {
                return Err(format!(
                    "{what}: 1 ms for 200 ms of work gave {other:?}, while others had {ticks} turns of 5 ms"
                ));
            }
        }
    }
    event.synchronize(Some(LONG)).map_err(text)?;
    if event.query().map_err(text)? != EventState::Done {
        return Err("the event is not done after a wait that did not expire".to_owned());
    }
    check(&device, &hash, WORDS, 5.0, "work behind an expired deadline")?;
    drop((stream, event, block, hash));
    at_rest(&device)
}

/// Another thread's turns: time as this machine gives it.
struct Ticks {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<u32>,
}

impl Ticks {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut ticks = 0;
            while !seen.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(5));
                ticks += 1;
            }
            ticks
        });
        Self { stop, thread }
    }

    fn stop(self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or(0)
    }
}
