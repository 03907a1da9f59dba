//! Order between streams: submission, and the waits that it inserts.
//!
//! A launch that reads a value written on another stream makes its own stream wait on the device for the writer's position, unless it is ordered after it already: waited for
//! before (`seen`), or complete. The host never waits here.
//!
//! **Invariants**
//! * `ordered-use`: when an operation is enqueued, every value it reads was written on the same stream, or at a position that is complete or waited for.
//! * `use-noted`: a use of a foreign buffer is in its use set before the submission lock is released.
//!
//! **Locks** `StreamSubmit`, never two: the event that stands for the writer is recorded under the writer's lock, before ours is taken again.
//!
//! **Checked by** specs/stamps_and_reuse, the sim's checker, the hand-over probes.

use std::time::{Duration, Instant};

use millstream_hal::{EventStatus, Kernel, Launch, Launched, Operand, RawStream};
use millstream_sync::Arc;
use millstream_sync::lock::levels::Nothing;
use millstream_sync::lock::record::{self, Boundary};
use millstream_sync::lock::{Held, try_enter};
use millstream_sync::schedule::{self, Point};
use millstream_sync::seeded::{self, Bug};

use crate::device::Shared;
use crate::error::{Error, Result};
use crate::event::NativeEvent;
use crate::evidence::Step;
use crate::memory::Buffer;
use crate::profile::Why;
use crate::stamp::Stamp;
use crate::stream::{Submission, Work};
use crate::thread_state::Here;

/// What was enqueued.
pub(crate) struct Enqueued {
    /// Position of the last operation.
    seq: u64,
    /// How many operations.
    taken: usize,
    /// Whether the only one was kept.
    pub(crate) launched: Launched,
}

impl Shared {
    /// Enqueues `kernel` on the current stream after everything that it depends on. Does not wait for it.
    /// Errors: `Closed`, `Fault`, `MixedDevices`, `Reentered`.
    pub(crate) fn submit(
        self: &Arc<Self>,
        here: &Here,
        kernel: Kernel,
        operands: &[Operand],
        inputs: &[&Buffer],
        after: &[Stamp],
    ) -> Result<Stamp> {
        let mut launch = Launch::new(kernel, 0, operands);
        self.submit_one(here, &mut launch, inputs, after)
    }

    /// The same for a launch whose position is written here.
    #[inline]
    pub(crate) fn submit_one(
        self: &Arc<Self>,
        here: &Here,
        launch: &mut Launch,
        inputs: &[&Buffer],
        after: &[Stamp],
    ) -> Result<Stamp> {
        self.submit_joined(here, std::slice::from_mut(launch), inputs, after).map(|(stamp, _)| stamp)
    }

    /// The same for as many of `launches` from the first on as the backend takes at once: the stamp of the last of them, and how many. Of several launches each has one input.
    /// Errors: as `submit`, and then none of them was enqueued.
    #[inline]
    pub(crate) fn submit_joined(
        self: &Arc<Self>,
        here: &Here,
        launches: &mut [Launch],
        inputs: &[&Buffer],
        after: &[Stamp],
    ) -> Result<(Stamp, usize)> {
        self.check()?;
        inputs.iter().try_for_each(|input| self.check_owner(input))?;
        self.operate(here, Work::Launches(launches), inputs, after)
    }

    /// Enqueues `work`; the stamp of the last operation, and how many. Errors: as [`Shared::submit`].
    #[inline]
    pub(crate) fn operate(
        &self,
        here: &Here,
        mut work: Work<'_>,
        inputs: &[&Buffer],
        after: &[Stamp],
    ) -> Result<(Stamp, usize)> {
        let start = here.ring.now();
        let enqueued = try_enter(|held| self.enqueue(held, here, &mut work, inputs, after));
        let Enqueued { seq, taken, launched } =
            enqueued.ok_or(Error::Reentered)?.inspect_err(|error| self.note_refused(error))?;
        let slot = self.streams.slot(here.slot);
        // With the profiler off there is no reading yet.
        slot.note_used(if start == 0 { self.profiler.clock() } else { start });
        if let Some(raw) = slot.raw() {
            schedule::point(Point::Backend);
            work.drive(&*self.backend, raw, launched);
        }
        for (at, seq) in (seq + 1 - taken as u64..=seq).enumerate() {
            here.ring.operation(work.name(at), here.slot, seq, start);
        }
        if self.options.launch_blocking {
            let why = Why::here("launch");
            try_enter(|held| self.await_seq(held, here.slot, seq, None, why)).ok_or(Error::Reentered)??;
        }
        Ok((Stamp { device: self.id, stream: here.slot, generation: slot.generation(), seq }, taken))
    }

    /// Enqueues as much of `work` from its first operation on as the backend takes at once. The caller then drives the stream, with nothing held.
    pub(crate) fn enqueue(
        &self,
        held: &mut Held<'_, Nothing>,
        here: &Here,
        work: &mut Work<'_>,
        inputs: &[&Buffer],
        after: &[Stamp],
    ) -> Result<Enqueued> {
        let index = here.slot;
        let slot = self.streams.slot(index);
        let raw = slot.raw_or_create(&*self.backend, &self.evidence)?;
        // Limbo wants to see how far this stream has come: an event for it, taken while nothing is held.
        let mut wanted = match slot.is_wanted(&*self.backend) {
            true => Some(self.events.take(held, &*self.backend, false, &self.evidence)?),
            false => None,
        };
        let mut covers: Vec<(Stamp, u64, Arc<NativeEvent>)> = Vec::new();
        let enqueued = loop {
            let mut submission = held.lock(&slot.submit);
            // Closing takes this lock once after it set the state: who is here either sees it or is waited for.
            if !self.gate.is_live() {
                return Err(self.refusal());
            }
            let mut missing: Option<Stamp> = None;
            for stamp in inputs.iter().map(|b| b.last_write()).chain(after.iter().copied()) {
                if stamp.stream == index || stamp.seq == 0 || submission.seen[usize::from(stamp.stream)] >= stamp.seq {
                    continue;
                }
                if seeded::is(Bug::SkippedWait)
                    || covers.iter().any(|(s, seq, _)| s.stream == stamp.stream && *seq >= stamp.seq)
                {
                    continue;
                }
                let completed = self.streams.slot(stamp.stream).completed(&*self.backend);
                if completed >= stamp.seq {
                    self.evidence.hit(Step::WaitElided);
                    here.ring.hand_over((stamp.stream, stamp.seq), (index, submission.seq + 1), false);
                    submission.seen[usize::from(stamp.stream)] = completed;
                    continue;
                }
                missing = Some(stamp);
                break;
            }
            if let Some(stamp) = missing {
                drop(submission);
                let (seq, event) = self.cover(held, stamp.stream, stamp.seq)?;
                covers.push((stamp, seq, event));
                continue;
            }
            let seq = submission.seq + 1;
            let mut enqueue = || {
                for (stamp, at, event) in &covers {
                    record::boundary(Boundary::Enqueue);
                    self.backend.wait(raw, event.raw()).map_err(Error::backend("making a stream wait"))?;
                    self.evidence.hit(Step::WaitInserted);
                    here.ring.hand_over((stamp.stream, stamp.seq), (index, seq), true);
                    submission.seen[usize::from(stamp.stream)] = *at;
                }
                record::boundary(Boundary::Enqueue);
                // A mark for limbo may come after it.
                work.enqueue(&*self.backend, raw, seq, wanted.is_none()).map_err(Error::backend("launching a kernel"))
            };
            let (taken, launched) = match enqueue() {
                Ok(enqueued) => enqueued,
                Err(error) => {
                    // The waits are enqueued and no position comes after them: nobody can see them over.
                    submission.unseen.extend(covers.into_iter().map(|(_, _, event)| event));
                    return Err(error);
                }
            };
            let mut tail = seq;
            for at in 0..taken {
                tail = submission.advance(work.name(at));
            }
            let used = if work.is_one() { inputs } else { &inputs[..taken] };
            for input in used {
                input.note_use(index, tail);
            }
            slot.publish(tail);
            // Limbo wants this stream's progress and no event stands for it yet: its owner enters the lock again.
            let covered = submission.recorded.back().is_some_and(|(at, _)| *at >= slot.wanted());
            if let (Some(event), false) = (&wanted, covered)
                && let Ok(mut again) = submission.again(&slot.submit)
                && self.record_tail(raw, &mut again, event).is_ok()
            {
                self.evidence.hit(Step::WantedRecorded);
                wanted = None;
            }
            break Enqueued { seq: tail, taken, launched };
        };
        drop(covers);
        if let Some(unused) = wanted {
            self.events.give_back(held, vec![unused]);
        }
        Ok(enqueued)
    }

    /// Records `fresh` at the stream's tail. The caller holds the submission lock, once or again.
    fn record_tail(
        &self,
        raw: RawStream,
        submission: &mut Submission,
        fresh: &Arc<NativeEvent>,
    ) -> Result<(u64, Arc<NativeEvent>)> {
        let tail = submission.seq;
        record::boundary(Boundary::Enqueue);
        self.backend.record(raw, fresh.raw(), tail).map_err(Error::backend("recording an event"))?;
        self.evidence.hit(Step::EventRecorded);
        submission.recorded.push_back((tail, fresh.clone()));
        Ok((tail, fresh.clone()))
    }

    /// An event of stream `index` that stands for `seq` or a later position; recorded now if there is none. Nothing is held.
    pub(crate) fn cover(&self, held: &mut Held<'_, Nothing>, index: u16, seq: u64) -> Result<(u64, Arc<NativeEvent>)> {
        let slot = self.streams.slot(index);
        let raw = slot.raw_or_create(&*self.backend, &self.evidence)?;
        let fresh = self.events.take(held, &*self.backend, false, &self.evidence)?;
        let mut done = Vec::new();
        let found = {
            let mut submission = held.lock(&slot.submit);
            let completed = slot.completed(&*self.backend);
            while submission.recorded.front().is_some_and(|(at, _)| *at <= completed) {
                done.extend(submission.recorded.pop_front().map(|(_, event)| event));
            }
            match submission.recorded.iter().find(|(at, _)| *at >= seq) {
                Some((at, event)) => Ok((*at, event.clone())),
                None => self.record_tail(raw, &mut submission, &fresh),
            }
        };
        let unused = !found.as_ref().is_ok_and(|(_, event)| Arc::ptr_eq(event, &fresh));
        if unused || seeded::is(Bug::EventReuse) {
            done.push(fresh);
        }
        self.events.give_back(held, done);
        self.backend.drive(raw);
        found
    }

    /// Asks the recorded events of stream `index` in order how far it has come. Calls the driver with nothing held.
    pub(crate) fn poll(&self, held: &mut Held<'_, Nothing>, index: u16) -> u64 {
        let slot = self.streams.slot(index);
        loop {
            let front = held.lock(&slot.submit).recorded.front().cloned();
            let Some((seq, event)) = front else { break };
            if slot.completed(&*self.backend) < seq {
                record::boundary(Boundary::DriverCall);
                if self.mark_status(self.backend.query(event.raw())) != Ok(EventStatus::Done) {
                    break;
                }
                slot.note_done(seq);
            }
            let mut done = Vec::new();
            {
                let mut submission = held.lock(&slot.submit);
                while submission.recorded.front().is_some_and(|(at, _)| *at <= seq) {
                    done.extend(submission.recorded.pop_front().map(|(_, event)| event));
                }
            }
            self.events.give_back(held, done);
        }
        slot.completed(&*self.backend)
    }

    /// Blocks the host until stream `index` has completed `seq`, or `deadline`. Nothing is held, as the token shows.
    /// Errors: `Timeout`; `Fault` when what is at `seq` is lost, but for the device itself only after it was reached.
    #[track_caller]
    pub(crate) fn await_seq(
        &self,
        held: &mut Held<'_, Nothing>,
        index: u16,
        seq: u64,
        deadline: Option<Instant>,
        why: Why,
    ) -> Result<()> {
        let slot = self.streams.slot(index);
        if seeded::is(Bug::SuccessAfterFault) && self.backend.fault().is_some() {
            return Ok(());
        }
        if slot.completed(&*self.backend) < seq {
            let start = crate::thread_state::now(self);
            let _inside = crate::thread_state::begin_if_any(self);
            let (at, event) = self.cover(held, index, seq)?;
            let timeout = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            self.evidence.hit(Step::HostWait);
            record::boundary(Boundary::HostWait);
            let status = match self.backend.synchronize(event.raw(), timeout) {
                Err(_) if seeded::is(Bug::SuccessAfterFault) => EventStatus::Done,
                status => self.mark_status(status).map_err(Error::backend("waiting for the device"))?,
            };
            crate::thread_state::note_host_sync(self, why, index, seq, start);
            if status == EventStatus::Pending {
                return Err(Error::Timeout { waited: timeout.unwrap_or(Duration::MAX) });
            }
            slot.note_done(at);
            self.poll(held, index);
        } else {
            crate::thread_state::note_host_sync(self, why, index, seq, None);
        }
        self.settled_fault(index, seq)
    }
}
