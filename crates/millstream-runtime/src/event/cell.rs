//! An event as a caller sees it: a cell that holds a stamp, sharable between threads.
//!
//! Recording costs a store; a native event is made only when somebody waits on the host or wants the time.
//!
//! **Locks** `EventPool`-level lock of its own, taken alone.

use std::time::{Duration, Instant};

use millstream_hal::EventStatus;
use millstream_sync::Arc;
use millstream_sync::lock::record::{self, Boundary};
use millstream_sync::lock::{Lock, levels, try_enter};

use super::NativeEvent;
use crate::device::{Device, Shared};
use crate::error::{Error, Result};
use crate::profile::Why;
use crate::stamp::Stamp;
use crate::thread_state;

#[derive(Debug, Default)]
struct Mark {
    stamp: Option<Stamp>,
    native: Option<Arc<NativeEvent>>,
}

/// A position in a stream that threads can share. `Send + Sync`.
#[derive(Debug)]
pub struct Event {
    shared: Arc<Shared>,
    timing: bool,
    mark: Lock<levels::EventPool, Mark>,
}

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventState {
    /// Reached.
    Done,
    /// Not reached yet.
    Pending,
    /// The device failed before.
    Failed,
}

impl Event {
    /// An event that was not recorded yet. With `timing` it can be used in [`Event::elapsed`].
    #[must_use]
    pub fn new(device: &Device, timing: bool) -> Self {
        Self { shared: device.shared().clone(), timing, mark: Lock::new(Mark::default()) }
    }

    /// Marks the tail of this thread's current stream. A new record replaces the one before. Never waits for the device.
    pub fn record(&self) -> Result<()> {
        let here = thread_state::begin(&self.shared)?;
        let slot = self.shared.streams.slot(here.slot);
        let (seq, native) = match self.timing {
            true => self.record_native(here.slot).map(|(seq, native)| (seq, Some(native)))?,
            false => (slot.published(), None),
        };
        let stamp = Stamp { device: self.shared.id, stream: here.slot, generation: slot.generation(), seq };
        let old = self.locked(|mark| std::mem::replace(mark, Mark { stamp: Some(stamp), native }))?;
        self.give_back(old)
    }

    /// Later work of this thread's current stream starts after the record that the event has now. The wait is on the device.
    /// Errors: `NotRecorded`.
    pub fn wait(&self) -> Result<()> {
        let stamp = self.stamp()?;
        let here = thread_state::begin(&self.shared)?;
        if stamp.stream == here.slot {
            return Ok(());
        }
        self.shared.submit(&here, millstream_hal::Kernel::Spin { micros: 0 }, &[], &[], &[stamp]).map(|_| ())
    }

    /// Whether the record was reached. Never waits. Errors: `NotRecorded`.
    pub fn query(&self) -> Result<EventState> {
        let stamp = self.stamp()?;
        let shared = &self.shared;
        if shared.settled_fault(stamp.stream, stamp.seq).is_err() {
            return Ok(EventState::Failed);
        }
        if let Some(native) = self.locked(|mark| mark.native.clone())? {
            // A timing event is done when its own record is, which comes after the work.
            record::boundary(Boundary::DriverCall);
            let status = shared.mark_status(shared.backend.query(native.raw()));
            return match status.map_err(Error::backend("asking an event")) {
                Ok(EventStatus::Pending) => Ok(EventState::Pending),
                Ok(EventStatus::Done) => Ok(self.verdict(stamp)),
                Err(Error::Fault(_)) => Ok(EventState::Failed),
                Err(error) => Err(error),
            };
        }
        let reached = shared.streams.slot(stamp.stream).completed(&*shared.backend) >= stamp.seq;
        let polled = || {
            try_enter(|held| {
                shared.cover(held, stamp.stream, stamp.seq)?;
                Ok::<_, Error>(shared.poll(held, stamp.stream) >= stamp.seq)
            })
            .ok_or(Error::Reentered)?
        };
        match if reached { Ok(true) } else { polled() } {
            Ok(false) => Ok(EventState::Pending),
            Ok(true) => Ok(self.verdict(stamp)),
            Err(Error::Fault(_)) => Ok(EventState::Failed),
            Err(error) => Err(error),
        }
    }

    /// What a record that was reached stands for: asked after it was seen reached, when the answer is final.
    fn verdict(&self, stamp: Stamp) -> EventState {
        match self.shared.settled_fault(stamp.stream, stamp.seq) {
            Ok(()) => EventState::Done,
            Err(_) => EventState::Failed,
        }
    }

    /// Blocks the host until the record is reached or `timeout` has passed (`None`: for ever). Errors: `NotRecorded`, `Timeout`, `Fault`.
    #[track_caller]
    pub fn synchronize(&self, timeout: Option<Duration>) -> Result<()> {
        let stamp = self.stamp()?;
        let deadline = timeout.and_then(|t| Instant::now().checked_add(t));
        let why = Why::here("event");
        try_enter(|held| self.shared.await_seq(held, stamp.stream, stamp.seq, deadline, why))
            .ok_or(Error::Reentered)??;
        if let Some(native) = self.locked(|mark| mark.native.clone())? {
            record::boundary(Boundary::HostWait);
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            let status = self.shared.mark_status(self.shared.backend.synchronize(native.raw(), left));
            if status.map_err(Error::backend("waiting for an event"))? == EventStatus::Pending {
                return Err(Error::Timeout { waited: timeout.unwrap_or(Duration::MAX) });
            }
        }
        Ok(())
    }

    /// Device time between the records of two timing events that were reached. Errors: `NotRecorded` (also for events without timing).
    pub fn elapsed(&self, end: &Self) -> Result<Duration> {
        let start = self.locked(|mark| mark.native.clone())?.ok_or(Error::NotRecorded)?;
        let end = end.locked(|mark| mark.native.clone())?.ok_or(Error::NotRecorded)?;
        let ns = self
            .shared
            .backend
            .elapsed_ns(start.raw(), end.raw())
            .map_err(Error::backend("reading the time of events"))?;
        Ok(Duration::from_nanos(ns))
    }

    /// The record. Errors: `NotRecorded`.
    pub fn stamp(&self) -> Result<Stamp> {
        self.shared.check_process()?;
        self.locked(|mark| mark.stamp)?.ok_or(Error::NotRecorded)
    }

    /// Records a native event at the tail. Returns the tail with it.
    fn record_native(&self, index: u16) -> Result<(u64, Arc<NativeEvent>)> {
        let shared = &self.shared;
        let slot = shared.streams.slot(index);
        let raw = slot.raw_or_create(&*shared.backend, &shared.evidence)?;
        let recorded = try_enter(|held| {
            let native = shared.events.take(held, &*shared.backend, true, &shared.evidence)?;
            let submission = held.lock(&slot.submit);
            record::boundary(Boundary::Enqueue);
            shared.backend.record(raw, native.raw(), submission.seq).map_err(Error::backend("recording an event"))?;
            Ok::<_, Error>((submission.seq, native))
        })
        .ok_or(Error::Reentered)??;
        shared.backend.drive(raw);
        Ok(recorded)
    }

    fn locked<R>(&self, f: impl FnOnce(&mut Mark) -> R) -> Result<R> {
        try_enter(|held| f(&mut held.lock(&self.mark))).ok_or(Error::Reentered)
    }

    fn give_back(&self, old: Mark) -> Result<()> {
        if let Some(native) = old.native {
            try_enter(|held| self.shared.events.give_back(held, vec![native])).ok_or(Error::Reentered)?;
        }
        Ok(())
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let shared = &self.shared;
        // In a forked child the locks may be those of threads that are not there.
        if shared.check_process().is_err() {
            return;
        }
        // A drop that cannot take the token leaves the native event to the backend's end.
        let _ = try_enter(|held| {
            let native = held.lock(&self.mark).native.take();
            if let Some(native) = native {
                shared.events.give_back(held, vec![native]);
            }
        });
    }
}
