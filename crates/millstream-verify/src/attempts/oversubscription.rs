//! A further attempt: 200 threads on six streams under each policy. Values right, nobody starves, no permit is lost, every lease is home at the end.

use std::time::{Duration, Instant};

use millstream::evidence::Step;
use millstream::{Device, Error, RuntimeError, Stream, StreamPolicy};
use millstream_sync::Arc;
use millstream_sync::atomic::{AtomicU64, Ordering};

use super::probes::{Driven, Verdict, What, opened, text, threads, work, zero};
use super::sheet::{Row, Sheet};
use super::stage::{Steps, at_rest};
use crate::open;
use crate::plan::Plan;

mod idle;

/// Steps that the attempt claims to drive.
pub const CLAIMS: [Step; 6] = [
    Step::LeaseClaimed,
    Step::LeaseShared,
    Step::LeaseWait,
    Step::LeaseReturned,
    Step::LeaseRevoked,
    Step::DropDeferred,
];

const THREADS: usize = 200;
const STREAMS: usize = 6;
/// Turns of each thread: in each it claims, computes, compares and leaves.
const TURNS: u64 = 10;
/// What a thread does beside the device in a turn, with its stream in hand: long enough that all streams are taken.
const ASIDE: Duration = Duration::from_micros(500);
/// The longest that a thread may have to wait for its turn. All turns of all threads take a second or two, on a busy machine ten.
const PATIENCE: Duration = Duration::from_secs(30);

const SHARE: &str = "Share";
const WAIT: &str = "Wait";
const FAIL: &str = "Fail";
const IDLE: &str = "Idle lease";

/// The attempt.
pub static SHEET: Sheet = Sheet {
    id: "oversubscription",
    title: "Oversubscription",
    methods: &[
        "200 threads on 6 streams, 10 turns each: claim, compute, compare, leave; from one barrier, under each policy",
        "The longest wait of a turn, and how many turns others had in it, are measured and printed",
        "Waiters that time out as streams are freed; leases that are dropped inside a call of the runtime",
    ],
    rows: &[
        Row {
            pattern: SHARE,
            place: ("crates/millstream-runtime/src/stream/lease.rs", "fn share("),
            mechanism: "the stream with the least recent load; its bit stands while the count of its holders is not zero",
        },
        Row {
            pattern: WAIT,
            place: ("crates/millstream-sync/src/permits.rs", "pub fn claim_waiting"),
            mechanism: "a freed slot is handed to the oldest waiter; one that was granted too late is passed on",
        },
        Row {
            pattern: FAIL,
            place: ("crates/millstream-runtime/src/stream/lease.rs", "StreamPolicy::Fail => return Err"),
            mechanism: "a typed error at once; nothing is kept",
        },
        Row {
            pattern: IDLE,
            place: ("crates/millstream-runtime/src/stream/revoke.rs", "pub(super) fn revoke_idle("),
            mechanism: "when all are taken, the lease of a thread outside of every call is revoked; its cache goes home first",
        },
    ],
    probes: &[
        Driven { pattern: SHARE, name: "200 threads", runs: 2, what: What::Measured(share) },
        Driven {
            pattern: SHARE,
            name: "a lease dropped inside a call of the runtime",
            runs: 3,
            what: What::Here(deferred),
        },
        Driven { pattern: WAIT, name: "200 threads", runs: 2, what: What::Measured(wait) },
        Driven { pattern: WAIT, name: "60 waiters, half of them impatient", runs: 2, what: What::Measured(impatient) },
        Driven { pattern: FAIL, name: "200 threads that come again", runs: 2, what: What::Measured(fail) },
        Driven { pattern: IDLE, name: "24 threads that never leave", runs: 4, what: What::Measured(idle::idle) },
        Driven {
            pattern: IDLE,
            name: "an idle stream rather than a shared one",
            runs: 3,
            what: What::Here(idle::rather_idle),
        },
        Driven {
            pattern: IDLE,
            name: "a thread inside a long call keeps its stream",
            runs: 3,
            what: What::Here(idle::inside),
        },
    ],
    properties: &[
        "Every value equals the sequential one, whatever the policy",
        "No thread waited longer than 30 s for a turn; the longest wait and the progress of the others stand beside the probes",
        "Of those that waited none was overtaken by more than one claim of each other thread; what was measured stands beside the probe",
        "No thread lost its stream inside a call, and what it freed afterwards went home",
        "No permit was lost: with all threads gone every stream could be claimed at once",
    ],
};

fn open_with(plan: &Plan, run: u64, policy: StreamPolicy) -> Result<Device, String> {
    open::open(&plan.device, plan.seed ^ run, |options| {
        options.streams = STREAMS;
        options.policy = policy;
    })
    .map_err(text)
}

/// What the threads of a probe measured.
#[derive(Default)]
struct Measured {
    /// Turns that any thread has ended.
    turns: AtomicU64,
    /// Of all turns: the longest, and the most turns that others ended in it.
    longest_us: AtomicU64,
    overtaken: AtomicU64,
    /// Claims that were refused.
    refused: AtomicU64,
    /// Turns that all had ended when the first thread had ended its last, and the fewest of one then.
    first_done: AtomicU64,
    behind: AtomicU64,
    /// Turns of each thread.
    each: Vec<AtomicU64>,
}

impl Measured {
    fn new() -> Self {
        Self { each: (0..THREADS).map(|_| AtomicU64::new(0)).collect(), ..Self::default() }
    }

    /// Notes a turn of `thread` that began at `begun`, when `before` turns had ended.
    fn turn(&self, thread: usize, begun: Instant, before: u64) {
        let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.longest_us.fetch_max(took, Ordering::Relaxed);
        let others = self.turns.fetch_add(1, Ordering::Relaxed) - before;
        self.overtaken.fetch_max(others, Ordering::Relaxed);
        let mine = self.each[thread].fetch_add(1, Ordering::Relaxed) + 1;
        if mine == TURNS && self.first_done.fetch_add(1, Ordering::Relaxed) == 0 {
            let fewest = self.each.iter().map(|turns| turns.load(Ordering::Relaxed)).min().unwrap_or(0);
            self.behind.store(TURNS - fewest, Ordering::Relaxed);
        }
    }

    /// The figures in words. Errors: a turn that took longer than [`PATIENCE`], or one that is missing.
    fn judge(&self) -> Result<String, String> {
        let read = |word: &AtomicU64| word.load(Ordering::Relaxed);
        let all_of_others = (THREADS as u64 - 1) * TURNS;
        let (longest, overtaken) = (Duration::from_micros(read(&self.longest_us)), read(&self.overtaken));
        if longest > PATIENCE {
            return Err(format!(
                "a thread waited {longest:?}, while others had {overtaken} of their {all_of_others} turns"
            ));
        }
        if read(&self.turns) != THREADS as u64 * TURNS {
            return Err(format!("{} of {} turns were made", read(&self.turns), THREADS as u64 * TURNS));
        }
        let refused = match read(&self.refused) {
            0 => String::new(),
            refused => format!("; {refused} refusals"),
        };
        Ok(format!(
            "longest turn {longest:.1?}, {overtaken} of {all_of_others} turns of others in it; {} of {TURNS} turns behind at most when the first was done{refused}",
            read(&self.behind)
        ))
    }
}

/// Reference values of the probes' work, on a device of their own.
fn references(plan: &Plan) -> Result<Arc<Vec<u32>>, String> {
    let device = opened(&plan.device, plan.seed, 1)?;
    let value = |key: u64| work(&device, key).and_then(|sum| sum.item::<f32>()).map(f32::to_bits);
    (0..16).map(value).collect::<Result<Vec<u32>, Error>>().map(Arc::new).map_err(text)
}

/// Starts the threads from one barrier; each makes its turns and leaves the device after each.
fn crowd(plan: &Plan, device: &Device) -> Result<String, String> {
    let (references, measured) = (references(plan)?, Arc::new(Measured::new()));
    let start = Arc::new(Steps::default());
    let (d, m) = (device.clone(), measured.clone());
    threads(THREADS, move |thread| {
        start.advance();
        start.wait_for(THREADS as u32)?;
        for turn in 0..TURNS {
            let key = (thread as u64 + turn) % references.len() as u64;
            let (begun, before) = (Instant::now(), m.turns.load(Ordering::Relaxed));
            let found = loop {
                match work(&d, key).and_then(|sum| sum.item::<f32>()) {
                    Err(Error::Runtime(RuntimeError::NoStream { .. })) => {
                        m.refused.fetch_add(1, Ordering::Relaxed);
                        if begun.elapsed() > PATIENCE {
                            return Err(format!("thread {thread} was refused for {PATIENCE:?}"));
                        }
                        std::thread::sleep(Duration::from_micros(200));
                    }
                    value => break value.map_err(|error| format!("thread {thread}, turn {turn}: {error}"))?,
                }
            };
            std::thread::sleep(ASIDE);
            d.leave_thread();
            m.turn(thread, begun, before);
            if found.to_bits() != references[key as usize] {
                return Err(format!("thread {thread}, turn {turn}: {found} is not the sequential value"));
            }
        }
        Ok(())
    })?;
    let figures = measured.judge()?;
    all_streams_are_there(device)?;
    at_rest(device)?;
    Ok(figures)
}

/// Every stream can be claimed at once and without a wait: no bit stayed behind, and no permit.
fn all_streams_are_there(device: &Device) -> Verdict {
    zero("threads still waiting for a stream", u64::from(device.stream_waiters()))?;
    zero("streams claimed after all threads ended", device.leases() as u64)?;
    let claimed: Vec<Stream> = (0..STREAMS)
        .map(|_| device.acquire_stream_within(Duration::ZERO))
        .collect::<Result<_, _>>()
        .map_err(|error| format!("a stream is lost: {error}"))?;
    let mut slots: Vec<u16> = claimed.iter().map(|stream| stream.id().0).collect();
    slots.sort_unstable();
    slots.dedup();
    if slots.len() != STREAMS {
        return Err(format!("{} streams in place of {STREAMS}: one was given twice", slots.len()));
    }
    drop(claimed);
    zero("streams claimed after they were given back", device.leases() as u64)
}

fn share(plan: &Plan, run: u64) -> Result<String, String> {
    let device = open_with(plan, run, StreamPolicy::Share)?;
    let figures = crowd(plan, &device)?;
    let (shared, waited) = (device.evidence().count(Step::LeaseShared), device.evidence().count(Step::LeaseWait));
    zero("claims that waited though they may share", waited)?;
    Ok(format!("{figures}; {shared} claims shared"))
}

fn wait(plan: &Plan, run: u64) -> Result<String, String> {
    let device = open_with(plan, run, StreamPolicy::Wait(PATIENCE))?;
    let figures = crowd(plan, &device)?;
    let waited = device.evidence().count(Step::LeaseWait);
    let overtaken = device.stream_overtaken_max();
    if overtaken >= THREADS as u64 {
        return Err(format!("a waiter was overtaken {overtaken} times by claims of {} others", THREADS - 1));
    }
    Ok(format!("{figures}; {waited} claims waited, overtaken by {overtaken} claims at most"))
}

fn fail(plan: &Plan, run: u64) -> Result<String, String> {
    let device = open_with(plan, run, StreamPolicy::Fail)?;
    crowd(plan, &device)
}

/// Half of the waiters give up after a time that is about as long as a turn: a permit that was granted too late must go to somebody else.
fn impatient(plan: &Plan, run: u64) -> Result<String, String> {
    const WAITERS: usize = 60;
    let device = open_with(plan, run, StreamPolicy::Share)?;
    let (served, late) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (d, s, l) = (device.clone(), served.clone(), late.clone());
    threads(WAITERS, move |thread| {
        for turn in 0..10 {
            let patient = (thread + turn) % 2 == 0;
            let limit = if patient { PATIENCE } else { Duration::from_micros(300 + 100 * thread as u64) };
            match d.acquire_stream_within(limit) {
                Ok(stream) => {
                    s.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_micros(400));
                    drop(stream);
                }
                Err(RuntimeError::StreamTimeout { .. }) if !patient => {
                    l.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => return Err(format!("thread {thread}, turn {turn}: {error}")),
            }
        }
        Ok(())
    })?;
    all_streams_are_there(&device)?;
    at_rest(&device)?;
    Ok(format!("{} served, {} timed out", served.load(Ordering::Relaxed), late.load(Ordering::Relaxed)))
}

/// A lease that is dropped where no lock may be taken is given back all the same: the stream is there at the next look.
fn deferred(plan: &Plan, run: u64) -> Verdict {
    let device = open_with(plan, run, StreamPolicy::Fail)?;
    let held: Vec<Stream> = (0..STREAMS).map(|_| device.acquire_stream()).collect::<Result<_, _>>().map_err(text)?;
    if millstream_sync::lock::try_enter(|_| drop(held)).is_none() {
        return Err("the probe could not enter".to_owned());
    }
    if device.evidence().count(Step::DropDeferred) != STREAMS as u64 {
        return Err(format!("{} of {STREAMS} drops were deferred", device.evidence().count(Step::DropDeferred)));
    }
    all_streams_are_there(&device)?;
    at_rest(&device)
}
