//! The calls of a backend, as the engine answers them.

use millstream_hal::{self as hal, DevicePtr, Error, EventStatus, Launch, Operand};
use millstream_hal::{RawEvent, RawGraph, RawSegment, RawStaging, RawStream, Result};
use millstream_sync::Arc;

use super::{Engine, EventState, Operation, Slot, Work};
use crate::finding::{Access, Finding};
use crate::memory::Lies;
use crate::options::SimOptions;

impl Engine {
    pub(crate) fn allocate_segment(&mut self, bytes: usize) -> Result<RawSegment> {
        self.drift();
        self.healthy()?;
        self.allocations += 1;
        let injections = &self.options.injections;
        let random = injections.out_of_memory_once_in.is_some_and(|n| self.dice.once_in(n.max(1) as usize));
        if random || injections.out_of_memory_at == Some(self.allocations) {
            self.trace.line(format_args!("out of memory for {bytes} bytes (injected)"));
            return Err(Error::OutOfMemory { requested: bytes, available: self.memory.available() });
        }
        let segment = self.memory.add_segment(bytes)?;
        self.checker.memory(false, segment.base.0, segment.bytes);
        Ok(segment)
    }

    pub(crate) fn release_segment(&mut self, segment: RawSegment) -> Result<()> {
        let base = segment.base.0;
        self.judge_release(false, base);
        if !self.memory.remove_segment(base) {
            self.find(Finding::ReleaseUnknown { base });
        }
        self.drift();
        self.given_back("a segment")
    }

    pub(crate) fn allocate_staging(&mut self, bytes: usize) -> Result<RawStaging> {
        self.drift();
        self.healthy()?;
        let staging = self.memory.add_staging(bytes)?;
        self.checker.memory(true, staging.host, staging.bytes);
        Ok(staging)
    }

    pub(crate) fn release_staging(&mut self, staging: RawStaging) -> Result<()> {
        self.judge_release(true, staging.host);
        if !self.memory.remove_staging(staging.host) {
            self.find(Finding::ReleaseUnknown { base: staging.host });
        }
        self.drift();
        self.given_back("staging memory")
    }

    /// What a give-back answers: it has happened, but for the device where an error is injected.
    fn given_back(&mut self, what: &'static str) -> Result<()> {
        self.given_back += 1;
        if !self.options.injections.give_backs_fail.contains(&self.given_back) {
            return Ok(());
        }
        self.trace.line(format_args!("give-back {} ({what}) fails (injected)", self.given_back));
        Err(Error::Unsupported { what: "a give-back that was told to fail", backend: "sim" })
    }

    fn judge_release(&mut self, staging: bool, base: u64) {
        // On a lost device nothing that is queued will run.
        if !self.is_lost() {
            let queued = (0..self.slots.len()).find(|at| self.queue_names(*at, staging, base));
            self.checker.release(staging, base, queued.map(|at| self.slots[at].generation << 16 | at as u32));
        }
    }

    fn queue_names(&self, at: usize, staging: bool, base: u64) -> bool {
        let in_launch = |launch: &Launch| {
            let mut operands = launch.operands().iter().filter(|o| o.staging == staging);
            operands.any(|o| matches!(self.memory.find(o, 0), Lies::Inside { base: b, .. } if b == base))
        };
        let names = |op: &Operation| match &op.work {
            Work::Launch(launch) => in_launch(launch),
            Work::Graph { launches, .. } => launches.iter().any(in_launch),
            Work::Record { .. } | Work::Wait { .. } => false,
        };
        self.slots[at].queue.iter().any(names)
    }

    pub(crate) fn create_stream(&mut self) -> Result<RawStream> {
        self.healthy()?;
        let limit = self.options.injections.streams_max.unwrap_or(SimOptions::STREAMS_MAX).min(SimOptions::STREAMS_MAX);
        if self.slots.iter().filter(|s| s.alive).count() >= limit {
            return Err(Error::Exhausted { what: "streams", limit });
        }
        let at = self.slots.iter().position(|s| !s.alive).unwrap_or(self.slots.len());
        if at == self.slots.len() {
            self.slots.push(Slot::default());
        }
        let slot = &mut self.slots[at];
        slot.generation = (slot.generation + 1) & 0xffff;
        (slot.alive, slot.last_seq, slot.capturing) = (true, 0, None);
        (slot.poisoned, slot.poisoned_from) = (false, None);
        Ok(RawStream(slot.generation << 16 | at as u32))
    }

    pub(crate) fn destroy_stream(&mut self, stream: RawStream) -> Result<()> {
        let at = self.slot(stream)?;
        let unfinished = !self.slots[at].queue.is_empty() || !self.knows_all_of(at);
        if unfinished && !self.is_lost() {
            self.find(Finding::StreamDestroyedInUse { stream: stream.0 });
        }
        // What is left still runs, so that others who wait for it go on.
        while !self.is_lost() && !self.slots[at].queue.is_empty() && self.step() {}
        let left = std::mem::take(&mut self.slots[at].queue);
        self.queued -= left.len();
        for op in left {
            match op.work {
                Work::Record { mark, .. } | Work::Wait { mark, .. } => self.marks.drop(mark),
                Work::Launch(_) | Work::Graph { .. } => {}
            }
        }
        self.slots[at].alive = false;
        self.given_back("a stream")
    }

    /// Whether the host has seen all that a stream has done, but for marks and waits at its end, which leave nothing behind.
    fn knows_all_of(&self, at: usize) -> bool {
        self.slots[at].last_launch <= self.checker.host.at(at)
    }

    pub(crate) fn launch(&mut self, stream: RawStream, launch: &Launch) -> Result<()> {
        let at = self.enqueues(stream, launch.seq)?;
        if let Some(captured) = &mut self.slots[at].capturing {
            captured.push(*launch);
            return Ok(());
        }
        self.enqueue(at, Work::Launch(*launch));
        self.drift();
        Ok(())
    }

    /// Common beginning of launches: health, life, order of positions, room.
    fn enqueues(&mut self, stream: RawStream, seq: u64) -> Result<usize> {
        self.faultless()?;
        let at = self.slot(stream)?;
        let before = self.slots[at].last_seq;
        if seq <= before && before > 0 {
            self.find(Finding::SeqNotIncreasing { stream: stream.0, before, seq });
        }
        self.slots[at].last_seq = seq;
        self.make_room();
        self.faultless()?;
        Ok(at)
    }

    pub(crate) fn record(&mut self, stream: RawStream, event: RawEvent, seq: u64) -> Result<()> {
        self.healthy()?;
        let at = self.slot(stream)?;
        self.not_capturing(at)?;
        self.make_room();
        let slow = self.dice.below(self.options.injections.slow_events_max as usize + 1) as u32;
        let Some(state) = self.events.get_mut(&event.0) else {
            return self.dead_event(event);
        };
        let mark = self.marks.add(2, slow);
        if let Some(old) = state.mark.replace(mark) {
            self.marks.drop(old);
        }
        self.enqueue(at, Work::Record { event: event.0, mark, seq });
        self.drift();
        Ok(())
    }

    pub(crate) fn wait(&mut self, stream: RawStream, event: RawEvent) -> Result<()> {
        self.healthy()?;
        let at = self.slot(stream)?;
        self.not_capturing(at)?;
        self.make_room();
        let Some(state) = self.events.get(&event.0) else { return self.dead_event(event) };
        let mark = state.mark.ok_or(Error::NotRecorded { event: event.0 })?;
        self.marks.hold(mark);
        self.enqueue(at, Work::Wait { event: event.0, mark });
        self.drift();
        Ok(())
    }

    fn dead_event<T>(&mut self, event: RawEvent) -> Result<T> {
        self.find(Finding::UseOfDeadEvent { event: event.0 });
        Err(Error::NotRecorded { event: event.0 })
    }

    pub(crate) fn create_event(&mut self, timing: bool) -> Result<RawEvent> {
        self.healthy()?;
        let limit = self.options.injections.events_max.unwrap_or(usize::MAX);
        if self.events.len() >= limit {
            return Err(Error::Exhausted { what: "events", limit });
        }
        self.events_made += 1;
        self.events.insert(self.events_made, EventState { timing, ..EventState::default() });
        Ok(RawEvent(self.events_made))
    }

    pub(crate) fn destroy_event(&mut self, event: RawEvent) -> Result<()> {
        let Some(state) = self.events.remove(&event.0) else { return self.dead_event(event) };
        let mut queued = self.slots.iter().flat_map(|s| &s.queue);
        let waits = queued.any(|op| matches!(op.work, Work::Wait { event: e, .. } if e == event.0));
        if !self.is_lost() && (waits || !state.waited.is_known_to(&self.checker.host)) {
            self.find(Finding::EventDestroyedInUse { event: event.0 });
        }
        if let Some(mark) = state.mark {
            self.marks.drop(mark);
        }
        self.drift();
        self.given_back("an event")
    }

    /// Whether the mark was reached; the device moves on a little.
    pub(crate) fn query(&mut self, event: RawEvent) -> Result<EventStatus> {
        let Some(state) = self.events.get(&event.0) else { return self.dead_event(event) };
        let mark = state.mark.ok_or(Error::NotRecorded { event: event.0 })?;
        let steps = self.dice.below(4);
        self.advance(steps);
        let Some((clock, _)) = self.marks.of(mark).reached.clone() else {
            return self.healthy().map(|()| EventStatus::Pending);
        };
        let slow = &mut self.marks.of_mut(mark).slow;
        if *slow > 0 {
            *slow -= 1;
            return Ok(EventStatus::Pending);
        }
        let poisoned = self.marks.of(mark).poisoned;
        self.checker.host_saw(&clock);
        if poisoned { self.faultless().map(|()| EventStatus::Done) } else { Ok(EventStatus::Done) }
    }

    pub(crate) fn read_back(&mut self, from: DevicePtr, to: &mut [u8]) -> Result<()> {
        self.healthy()?;
        let access = Access { stream: u32::MAX, seq: 0, kernel: "read back", operand: 0, write: false };
        let operand = Operand { ptr: from, bytes: to.len(), access: hal::Access::Read, staging: false };
        match self.memory.find(&operand, to.len()) {
            _ if to.is_empty() => {}
            Lies::Inside { base, offset } => {
                self.checker.host_reads(base, offset..offset + to.len(), access);
                to.copy_from_slice(&self.memory.read(false, base, offset, to.len()));
            }
            Lies::Released => self.find(Finding::UseAfterRelease { access, address: from.0 }),
            Lies::Outside => self.find(Finding::OutOfBounds { access, address: from.0, bytes: to.len() }),
        }
        Ok(())
    }

    pub(crate) fn elapsed_ns(&mut self, start: RawEvent, end: RawEvent) -> Result<u64> {
        let mut times = [0; 2];
        for (time, event) in times.iter_mut().zip([start, end]) {
            let Some(state) = self.events.get(&event.0) else { return self.dead_event(event) };
            if !state.timing {
                return Err(Error::Unsupported { what: "elapsed time of an event without timing", backend: "sim" });
            }
            let reached = state.mark.and_then(|m| self.marks.of(m).reached.as_ref());
            *time = reached.ok_or(Error::NotRecorded { event: event.0 })?.1;
        }
        Ok(times[1].saturating_sub(times[0]))
    }

    fn not_capturing(&self, at: usize) -> Result<()> {
        match self.slots[at].capturing {
            None => Ok(()),
            Some(_) => Err(Error::Unsupported { what: "an event inside a capture", backend: "sim" }),
        }
    }

    pub(crate) fn begin_capture(&mut self, stream: RawStream) -> Result<()> {
        self.healthy()?;
        let at = self.slot(stream)?;
        self.slots[at].capturing = Some(Vec::new());
        Ok(())
    }

    pub(crate) fn end_capture(&mut self, stream: RawStream) -> Result<RawGraph> {
        self.healthy()?;
        let at = self.slot(stream)?;
        let captured = self.slots[at].capturing.take();
        let launches = captured.ok_or(Error::Unsupported { what: "the end of no capture", backend: "sim" })?;
        self.graphs_made += 1;
        self.graphs.insert(self.graphs_made, Arc::new(launches));
        Ok(RawGraph(self.graphs_made))
    }

    pub(crate) fn launch_graph(&mut self, stream: RawStream, graph: RawGraph, seq: u64) -> Result<()> {
        let at = self.enqueues(stream, seq)?;
        let dead = Error::Unsupported { what: "a dead graph", backend: "sim" };
        let launches = Arc::clone(self.graphs.get(&graph.0).ok_or(dead)?);
        self.enqueue(at, Work::Graph { launches, seq });
        self.drift();
        Ok(())
    }

    pub(crate) fn destroy_graph(&mut self, graph: RawGraph) -> Result<()> {
        self.graphs.remove(&graph.0);
        self.given_back("a graph")
    }
}
