//! Rings of records, one for each thread and device, and the names that records refer to.
//!
//! A record costs two reads of the time-stamp counter and eight relaxed stores. Old records are overwritten. Rings of threads that ended are kept for a
//! while, so that a trace shows them too.
//!
//! **Locks** `ProfilerSink` guards the list of rings; it is taken when a thread comes and when a trace is read.

use millstream_sync::atomic::{AtomicBool, AtomicU32, Ordering};
use millstream_sync::lock::levels::{Nothing, ProfilerSink};
use millstream_sync::lock::{Held, Lock};
use millstream_sync::ring::Ring;
use millstream_sync::{Arc, OnceLock};
use quanta::Clock;

const RING: usize = 2048;
const ENDED_MAX: usize = 64;
const NAMES: usize = 256;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Operation = 0,
    HostWait = 1,
    HandOver = 2,
}

/// Names by number: statics of the binary, found by address.
#[derive(Debug)]
struct Names {
    names: [OnceLock<&'static str>; NAMES],
}

impl Names {
    /// The number of a name. The last number stands for all names that found no place.
    fn number(&self, name: &'static str) -> u64 {
        let place = self.names.iter().position(|n| {
            let kept: &'static str = n.get_or_init(|| name);
            std::ptr::eq(kept.as_ptr(), name.as_ptr()) && kept.len() == name.len()
        });
        place.unwrap_or(NAMES - 1) as u64
    }

    fn name(&self, number: u64) -> &'static str {
        self.names.get(number as usize).and_then(OnceLock::get).copied().unwrap_or("?")
    }
}

/// The ring of one thread.
#[derive(Debug)]
pub(crate) struct ThreadRing {
    ring: Ring,
    clock: Clock,
    names: Arc<Names>,
    thread: u32,
    label: String,
    closed: AtomicBool,
}

impl ThreadRing {
    /// The clock, in its own units.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        self.clock.raw()
    }

    /// Records that something on stream `slot` lasted from `start` until now.
    #[inline]
    pub(crate) fn span(&self, kind: Kind, name: &'static str, slot: u16, seq: u64, start: u64, extra: u64) {
        let head = u64::from(kind as u8) | u64::from(slot) << 8 | self.names.number(name) << 32;
        self.ring.write([head, start, self.clock.raw(), seq, extra, 0]);
    }

    /// Records that stream `to` was made to wait for `from` at `from_seq`.
    pub(crate) fn hand_over(&self, from: u16, from_seq: u64, to: u16, to_seq: u64) {
        let head = u64::from(Kind::HandOver as u8) | u64::from(to) << 8;
        let now = self.clock.raw();
        self.ring.write([head, now, now, to_seq, u64::from(from), from_seq]);
    }

    /// No more records will come.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

/// Something that lasted.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Kernel, or reason of a host wait.
    pub name: &'static str,
    /// Number of the thread, from 1, in order of first use of the device.
    pub thread: u32,
    /// Slot of the stream.
    pub stream: u16,
    /// Position in the stream.
    pub seq: u64,
    /// Start, in microseconds from the opening of the device.
    pub start_us: f64,
    /// End, likewise. For inline streams it is the end of the work, otherwise of the submission.
    pub end_us: f64,
    /// Whether the host waited.
    pub host_wait: bool,
}

/// A wait of one stream for another.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrow {
    /// Slot and position that was waited for.
    pub from: (u16, u64),
    /// Slot that waits, and the position that starts after.
    pub to: (u16, u64),
    /// When it was enqueued, in microseconds from the opening of the device.
    pub at_us: f64,
}

/// All rings of a device.
#[derive(Debug)]
pub(crate) struct Profiler {
    clock: Clock,
    opened: u64,
    names: Arc<Names>,
    threads: AtomicU32,
    rings: Lock<ProfilerSink, Vec<Arc<ThreadRing>>>,
}

impl Profiler {
    pub(crate) fn new() -> Self {
        let clock = Clock::new();
        let names = Arc::new(Names { names: [const { OnceLock::new() }; NAMES] });
        Self { opened: clock.raw(), clock, names, threads: AtomicU32::new(0), rings: Lock::new(Vec::new()) }
    }

    /// A ring for this thread. Old rings of ended threads make room.
    pub(crate) fn register(&self, held: &mut Held<'_, Nothing>) -> Arc<ThreadRing> {
        let thread = self.threads.fetch_add(1, Ordering::Relaxed) + 1;
        let label = std::thread::current().name().map_or_else(|| format!("thread {thread}"), str::to_owned);
        let ring = Arc::new(ThreadRing {
            ring: Ring::with_capacity(RING),
            clock: self.clock.clone(),
            names: self.names.clone(),
            thread,
            label,
            closed: AtomicBool::new(false),
        });
        let mut rings = held.lock(&self.rings);
        let ended = rings.iter().filter(|r| r.closed.load(Ordering::Relaxed)).count();
        if ended > ENDED_MAX
            && let Some(oldest) = rings.iter().position(|r| r.closed.load(Ordering::Relaxed))
        {
            rings.remove(oldest);
        }
        rings.push(ring.clone());
        ring
    }

    fn micros(&self, raw: u64) -> f64 {
        self.clock.delta_as_nanos(self.opened, raw) as f64 / 1000.0
    }

    /// Everything that is still in the rings.
    pub(crate) fn read(&self, held: &mut Held<'_, Nothing>) -> super::Trace {
        let rings = held.lock(&self.rings).clone();
        let mut trace = super::Trace::default();
        for ring in rings {
            trace.threads.push((ring.thread, ring.label.clone()));
            ring.ring.read_from(0, |[head, start, end, seq, a, b]| {
                let stream = (head >> 8) as u16;
                if head as u8 == Kind::HandOver as u8 {
                    trace.arrows.push(Arrow { from: (a as u16, b), to: (stream, seq), at_us: self.micros(start) });
                    return;
                }
                trace.spans.push(Span {
                    name: self.names.name(head >> 32),
                    thread: ring.thread,
                    stream,
                    seq,
                    start_us: self.micros(start),
                    end_us: self.micros(end),
                    host_wait: head as u8 == Kind::HostWait as u8,
                });
            });
        }
        trace.spans.sort_by(|a, b| a.start_us.total_cmp(&b.start_us));
        trace
    }
}
