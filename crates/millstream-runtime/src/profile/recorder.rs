//! Rings of records, one for each thread and device.
//!
//! A record costs two reads of the time-stamp counter and five stores, four of them in half a cache line. Old records are overwritten. Rings of threads that ended are kept for a
//! while, so that a trace shows them too. With the profiler off a record costs a look at a flag that never changes.
//!
//! **Locks** `ProfilerSink` guards the list of rings and the samples; it is taken when a thread comes, when memory is sampled and when a trace is read.

use std::panic::Location;

use millstream_sync::Arc;
use millstream_sync::atomic::{AtomicBool, AtomicU32, Ordering};
use millstream_sync::lock::levels::{Nothing, ProfilerSink};
use millstream_sync::lock::{Held, Lock};
use millstream_sync::ring::{Record, Ring};

use super::clock::Clock;
use super::numbers::Numbers;
use super::samples::{MemorySample, Samples};
use super::{Arrow, Span, Stays, Trace};

const RING: usize = 2048;
const ENDED_MAX: usize = 64;

/// Beside the kind in the first word of a record: somebody waited.
const WAITED: u64 = 1 << 24;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Operation = 0,
    HostSync = 1,
    HandOver = 2,
}

/// Why the host waits, and the line that asked for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Why {
    reason: &'static str,
    at: &'static Location<'static>,
    waits_only: bool,
}

impl Why {
    /// For `reason`, asked for by the caller.
    #[track_caller]
    pub(crate) fn here(reason: &'static str) -> Self {
        Self { reason, at: Location::caller(), waits_only: false }
    }

    /// The same for one stream of many: it is recorded only if the host has to wait for it.
    pub(crate) fn of_many(self) -> Self {
        Self { waits_only: true, ..self }
    }
}

/// What the records of all rings refer to by number.
#[derive(Debug)]
struct Referred {
    names: Numbers<str>,
    places: Numbers<Location<'static>>,
}

/// The ring of one thread, on lines of its own.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct ThreadRing {
    ring: Ring,
    on: bool,
    clock: Clock,
    referred: Arc<Referred>,
    thread: u32,
    label: String,
    closed: AtomicBool,
}

impl ThreadRing {
    /// The clock, in its own units.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        if self.on { self.clock.raw() } else { 0 }
    }

    /// Records that the operation at `seq` of stream `slot` lasted from `start` until now.
    #[inline]
    pub(crate) fn operation(&self, name: &'static str, slot: u16, seq: u64, start: u64) {
        if self.on {
            let head = u64::from(Kind::Operation as u8) | u64::from(slot) << 8 | self.referred.names.number(name) << 32;
            self.ring.write([head, start, self.clock.raw(), seq]);
        }
    }

    /// Records that the host asked for position `seq` of stream `slot`, and waited for it from `start` until now. Without a start it found it complete: a span without length, and one reading of
    /// the clock.
    pub(crate) fn host_sync(&self, why: Why, slot: u16, seq: u64, start: Option<u64>) {
        if self.on && (start.is_some() || !why.waits_only) {
            let (name, place) = (self.referred.names.number(why.reason), self.referred.places.number(why.at));
            let head = u64::from(Kind::HostSync as u8) | u64::from(slot) << 8 | name << 32 | place << 48;
            let head = if start.is_some() { head | WAITED } else { head };
            let now = self.clock.raw();
            self.ring.write([head, start.unwrap_or(now), now, seq]);
        }
    }

    /// Records that stream `to` comes after `from` at `from_seq`, by a wait on the device or because that was complete.
    pub(crate) fn hand_over(&self, from: (u16, u64), to: (u16, u64), waits: bool) {
        if self.on {
            let head = u64::from(Kind::HandOver as u8) | u64::from(to.0) << 8 | u64::from(from.0) << 32;
            let head = if waits { head | WAITED } else { head };
            self.ring.write([head, self.clock.raw(), from.1, to.1]);
        }
    }

    /// No more records will come.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

/// What the lock guards.
#[derive(Debug, Default)]
struct Sink {
    rings: Vec<Arc<ThreadRing>>,
    samples: Samples,
}

/// All that is recorded of a device.
#[derive(Debug)]
pub(crate) struct Profiler {
    on: bool,
    clock: Clock,
    opened: u64,
    referred: Arc<Referred>,
    threads: AtomicU32,
    sink: Lock<ProfilerSink, Sink>,
    pub(crate) stays: Stays,
}

impl Profiler {
    pub(crate) fn new(on: bool) -> Self {
        let clock = Clock::new();
        Self {
            on,
            opened: clock.raw(),
            clock,
            referred: Arc::new(Referred { names: Numbers::new(), places: Numbers::new() }),
            threads: AtomicU32::new(0),
            sink: Lock::new(Sink::default()),
            stays: Stays::default(),
        }
    }

    /// The clock, in its own units; `None` while nothing is recorded.
    pub(crate) fn now(&self) -> Option<u64> {
        self.on.then(|| self.clock.raw())
    }

    /// A ring for this thread. Old rings of ended threads make room.
    pub(crate) fn register(&self, held: &mut Held<'_, Nothing>) -> Arc<ThreadRing> {
        let thread = self.threads.fetch_add(1, Ordering::Relaxed) + 1;
        let label = std::thread::current().name().map_or_else(|| format!("thread {thread}"), str::to_owned);
        let ring = Arc::new(ThreadRing {
            ring: Ring::with_capacity(if self.on { RING } else { 1 }),
            on: self.on,
            clock: self.clock.clone(),
            referred: self.referred.clone(),
            thread,
            label,
            closed: AtomicBool::new(false),
        });
        let rings = &mut held.lock(&self.sink).rings;
        let ended = rings.iter().filter(|r| r.closed.load(Ordering::Relaxed)).count();
        if ended > ENDED_MAX
            && let Some(oldest) = rings.iter().position(|r| r.closed.load(Ordering::Relaxed))
        {
            rings.remove(oldest);
        }
        rings.push(ring.clone());
        ring
    }

    /// The clock, in its own units, whether anything is recorded or not.
    pub(crate) fn clock(&self) -> u64 {
        self.clock.raw()
    }

    /// Nanoseconds since the device was opened.
    pub(crate) fn since_opened_ns(&self) -> u64 {
        self.nanos(self.opened, self.clock())
    }

    /// Nanoseconds between two readings.
    pub(crate) fn nanos(&self, from: u64, to: u64) -> u64 {
        self.clock.delta_as_nanos(from, to)
    }

    /// Microseconds from the opening of the device.
    pub(super) fn micros(&self, raw: u64) -> f64 {
        self.clock.delta_as_nanos(self.opened, raw) as f64 / 1000.0
    }

    /// Keeps a sample of the memory that was taken just now.
    pub(crate) fn sample(&self, held: &mut Held<'_, Nothing>, mut sample: MemorySample) {
        if self.on {
            sample.at_us = self.micros(self.clock.raw());
            held.lock(&self.sink).samples.keep(sample);
        }
    }

    /// Everything that is still in the rings, with the samples and the stays in limbo that have ended.
    pub(crate) fn read(&self, held: &mut Held<'_, Nothing>) -> Trace {
        let mut trace = Trace::default();
        let rings = {
            let sink = held.lock(&self.sink);
            trace.memory = sink.samples.all();
            sink.rings.clone()
        };
        for ring in rings {
            trace.threads.push((ring.thread, ring.label.clone()));
            trace.overwritten += ring.ring.overwritten();
            ring.ring.read_from(0, |record| self.add(&mut trace, &ring, record));
        }
        (trace.limbo, trace.limbo_from_us) = self.stays.read(self);
        trace.spans.sort_by(|a, b| a.start_us.total_cmp(&b.start_us));
        trace
    }

    fn add(&self, trace: &mut Trace, ring: &ThreadRing, [head, start, end, seq]: Record) {
        let (stream, waited) = ((head >> 8) as u16, head & WAITED != 0);
        if head as u8 == Kind::HandOver as u8 {
            let (from, to) = (((head >> 32) as u16, end), (stream, seq));
            trace.arrows.push(Arrow { from, to, at_us: self.micros(start), waited });
            return;
        }
        trace.spans.push(Span {
            name: ring.referred.names.value(head >> 32 & 0xffff).unwrap_or("?"),
            thread: ring.thread,
            stream,
            seq,
            start_us: self.micros(start),
            end_us: self.micros(end),
            host_sync: head as u8 == Kind::HostSync as u8,
            waited,
            at: ring.referred.places.value(head >> 48),
        });
    }
}
