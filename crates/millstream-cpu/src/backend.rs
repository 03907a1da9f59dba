//! The device: streams, events and memory of one CPU behind the contract of a backend.
//!
//! **Invariants** those of `stream`, `drive`, `event` and `memory`; this file only joins them.

use std::time::{Duration, Instant};

use millstream_hal::{
    Backend, DeviceInfo, DevicePtr, Error, EventStatus, Fault, Launch, Launched, Mark, RawEvent, RawGraph, RawSegment,
    RawStaging, RawStream, Result,
};
use millstream_sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use millstream_sync::{Arc, BoundedQueue, thread};

use crate::Level;
use crate::event::Events;
use crate::fault::FaultCell;
use crate::host;
use crate::memory::{self, Memory};
use crate::options::{CpuOptions, Mode};
use crate::statistics::{Counters, Statistics};
use crate::stream::{Item, STREAMS_MAX, Slot, Slots};
use crate::team::Team;

/// What the backend and its workers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) mode: Mode,
    pub(crate) level: Level,
    pub(crate) delay_seed: Option<u64>,
    pub(crate) delay_micros_max: u32,
    pub(crate) slots: Arc<Slots>,
    pub(crate) events: Events,
    pub(crate) team: Team,
    pub(crate) counters: Arc<Counters>,
    pub(crate) fault: FaultCell,
    started: Instant,
    closed: AtomicBool,
}

impl Shared {
    /// The slot of a mark or of a handle that was handed out.
    #[inline]
    pub(crate) fn slot(&self, index: usize) -> &Slot {
        self.slots.slot(index)
    }

    pub(crate) fn now_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Whether the backend was dropped: workers leave.
    pub(crate) fn is_closed(&self) -> bool {
        // ORDER: Relaxed; nothing is published by the flag.
        self.closed.load(Ordering::Relaxed)
    }
}

/// The CPU as a device: `cpu` or `cpu:queued`.
///
/// In inline mode the calling threads are the streams: [`Backend::drive`] does the work, unless another thread is driving the
/// stream, which then does it. So work can still be running when `drive` returns, if a stream is shared.
///
/// Capture is not supported: a launch costs less than a microsecond, and there is nothing to gain.
#[derive(Debug)]
pub struct CpuBackend {
    shared: Arc<Shared>,
    info: DeviceInfo,
    memory: Memory,
    free: BoundedQueue<u16>,
    made: AtomicUsize,
    queue_capacity: usize,
}

impl CpuBackend {
    /// Opens the CPU. Starts no thread: workers begin with their streams, helpers with the first large operation.
    #[must_use]
    pub fn new(options: CpuOptions) -> Self {
        let cores = options.cores();
        let level = options.level.unwrap_or_else(Level::best);
        let counters = Arc::new(Counters::default());
        let slots = Arc::new(Slots::new());
        let memory = Memory::new(options.memory_bytes.unwrap_or_else(memory::machine_bytes));
        let queued = options.mode == Mode::Queued;
        let info = DeviceInfo {
            name: if queued { "cpu:queued" } else { "cpu" }.to_owned(),
            model: host::model(),
            numeric_class: host::numeric_class(level),
            memory_bytes: memory.limit(),
            streams: (cores + 1).max(32),
            asynchronous: queued,
            host_addressable: true,
            release_waits: false,
            opens_after_fork: true,
        };
        let shared = Shared {
            mode: options.mode,
            level,
            delay_seed: options.delay_seed.filter(|_| queued),
            delay_micros_max: options.delay_micros_max,
            events: Events::new(),
            team: Team::new(cores, Arc::clone(&slots), Arc::clone(&counters)),
            slots,
            counters,
            fault: FaultCell::default(),
            started: Instant::now(),
            closed: AtomicBool::new(false),
        };
        Self {
            shared: Arc::new(shared),
            info,
            memory,
            free: BoundedQueue::with_capacity(STREAMS_MAX),
            made: AtomicUsize::new(0),
            queue_capacity: options.queue_capacity,
        }
    }

    /// What the backend has done so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.shared.counters.read()
    }

    /// The instruction set in use.
    #[must_use]
    pub fn level(&self) -> Level {
        self.shared.level
    }

    /// The slot of a living stream. Panics for any other: the runtime's mistake.
    fn stream(&self, stream: RawStream) -> &Slot {
        let (index, generation) = (stream.0 as usize % STREAMS_MAX, stream.0 >> STREAMS_MAX.trailing_zeros());
        let slot = self.shared.slot(index);
        assert!(slot.is_alive(generation), "stream {} was destroyed", stream.0);
        slot
    }

    fn take_slot(&self) -> Result<&Slot> {
        let index = match self.free.try_pop() {
            Some(index) => usize::from(index),
            None => {
                let index = self.made.fetch_add(1, Ordering::Relaxed);
                if index >= STREAMS_MAX {
                    self.made.fetch_sub(1, Ordering::Relaxed);
                    return Err(Error::Exhausted { what: "streams", limit: STREAMS_MAX });
                }
                index
            }
        };
        Ok(self.shared.slots.slot_or_make(index, self.queue_capacity))
    }

    fn enqueue(&self, slot: &Slot, item: Item) {
        let mut item = item;
        let mut waited = false;
        while let Err(back) = slot.queue.try_push(item) {
            item = back;
            if !std::mem::replace(&mut waited, true) {
                self.shared.counters.queue_full_waits.hit();
            }
            if self.shared.mode == Mode::Inline && !slot.queue.is_driven() {
                // Nobody makes room but us.
                self.shared.drive(slot);
            } else {
                let inline = self.shared.mode == Mode::Inline;
                let room = || slot.queue.has_room() || (inline && !slot.queue.is_driven());
                slot.queue.bell().wait_until(None, room);
            }
        }
        if self.shared.mode == Mode::Queued {
            slot.queue.bell().ring();
        }
    }

    /// The newest mark of an event, and the event again if it is a timing one.
    fn mark(&self, event: RawEvent) -> Result<(Mark, Option<RawEvent>)> {
        let mark = self.shared.events.mark(event)?;
        Ok((mark, self.shared.events.is_timing(event)?.then_some(event)))
    }

    /// Whether a reached mark is good.
    fn verdict(&self, mark: Mark) -> Result<EventStatus> {
        if self.shared.slot(mark.slot()).timeline.is_lost(mark.position()) {
            self.shared.fault.check()?;
        }
        Ok(EventStatus::Done)
    }
}

impl Backend for CpuBackend {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn allocate_segment(&self, bytes: usize) -> Result<RawSegment> {
        let (address, bytes) = self.memory.take(bytes)?;
        Ok(RawSegment { base: DevicePtr(address), bytes })
    }

    fn release_segment(&self, segment: RawSegment) -> Result<()> {
        self.memory.give_back(segment.base.0, segment.bytes);
        Ok(())
    }

    fn allocate_staging(&self, bytes: usize) -> Result<RawStaging> {
        let (host, bytes) = self.memory.take(bytes)?;
        Ok(RawStaging { host, bytes })
    }

    fn release_staging(&self, staging: RawStaging) -> Result<()> {
        self.memory.give_back(staging.host, staging.bytes);
        Ok(())
    }

    fn create_stream(&self) -> Result<RawStream> {
        let slot = self.take_slot()?;
        slot.open();
        if self.shared.mode == Mode::Queued {
            let (shared, index) = (Arc::clone(&self.shared), usize::from(slot.index));
            let builder = thread::Builder::new().name(format!("millstream-stream-{index}"));
            let Ok(worker) = builder.spawn(move || shared.work(shared.slot(index))) else {
                slot.close();
                let _ = self.free.try_push(slot.index);
                return Err(Error::Exhausted { what: "threads for streams", limit: index });
            };
            slot.worker.try_with(|cell| *cell = Some(worker));
        }
        Ok(slot.raw())
    }

    fn destroy_stream(&self, stream: RawStream) -> Result<()> {
        let slot = self.stream(stream);
        if !slot.close() {
            return Ok(());
        }
        slot.request_stop();
        if let Some(worker) = slot.worker.try_with(Option::take).flatten() {
            // A worker does not panic: kernels are caught.
            let _ = worker.join();
        }
        // The slot of a faulty stream is not used again: waits for its marks must find the fault.
        if slot.timeline.lost_from().is_none() {
            let _ = self.free.try_push(slot.index);
        }
        Ok(())
    }

    fn launch(&self, stream: RawStream, launch: &Launch) -> Result<()> {
        self.shared.fault.check()?;
        let slot = self.stream(stream);
        let position = slot.position_of(launch.seq);
        self.enqueue(slot, Item::Launch { launch: *launch, position });
        slot.set_enqueued(position);
        Ok(())
    }

    fn launch_or_keep(&self, stream: RawStream, launch: &Launch) -> Result<Launched> {
        self.shared.fault.check()?;
        let slot = self.stream(stream);
        if self.shared.mode == Mode::Inline && slot.queue.keep() {
            slot.set_enqueued(slot.position_of(launch.seq));
            return Ok(Launched::Kept);
        }
        self.launch(stream, launch).map(|()| Launched::Queued)
    }

    fn run_kept(&self, stream: RawStream, launch: &Launch) {
        self.shared.run_kept(self.stream(stream), launch);
    }

    fn record(&self, stream: RawStream, event: RawEvent, seq: u64) -> Result<()> {
        let slot = self.stream(stream);
        let position = slot.position_of(seq);
        let mark = Mark::new(slot.index, position)?;
        let timing = self.shared.events.is_timing(event)?;
        // A mark at an item that is enqueued anyway needs none of its own.
        if timing || position > slot.enqueued() {
            let timed = timing.then_some((event.0, mark));
            self.enqueue(slot, Item::Record { position, timed });
            slot.set_enqueued(position.max(slot.enqueued()));
        }
        self.shared.counters.events_recorded.hit();
        self.shared.events.record(event, mark)
    }

    fn wait(&self, stream: RawStream, event: RawEvent) -> Result<()> {
        let mark = self.shared.events.mark(event)?;
        let slot = self.stream(stream);
        let other = &self.shared.slot(mark.slot()).timeline;
        if mark.slot() == usize::from(slot.index) {
            return Ok(());
        }
        if other.reached() >= mark.position() && !other.is_lost(mark.position()) {
            self.shared.counters.waits_already_over.hit();
            return Ok(());
        }
        self.enqueue(slot, Item::Wait { mark });
        Ok(())
    }

    fn drive(&self, stream: RawStream) {
        if self.shared.mode == Mode::Inline {
            self.shared.drive(self.stream(stream));
        }
    }

    fn create_event(&self, timing: bool) -> Result<RawEvent> {
        self.shared.events.create(timing)
    }

    fn destroy_event(&self, event: RawEvent) -> Result<()> {
        self.shared.events.destroy(event);
        Ok(())
    }

    fn query(&self, event: RawEvent) -> Result<EventStatus> {
        let (mark, timed) = self.mark(event)?;
        if self.shared.is_reached(mark, timed) { self.verdict(mark) } else { Ok(EventStatus::Pending) }
    }

    fn synchronize(&self, event: RawEvent, timeout: Option<Duration>) -> Result<EventStatus> {
        let (mark, timed) = self.mark(event)?;
        if self.shared.wait_for(mark, timed, timeout, None) { self.verdict(mark) } else { Ok(EventStatus::Pending) }
    }

    fn elapsed_ns(&self, start: RawEvent, end: RawEvent) -> Result<u64> {
        let start = self.shared.events.time_ns(start)?;
        Ok(self.shared.events.time_ns(end)?.saturating_sub(start))
    }

    fn completed(&self, stream: RawStream) -> Option<u64> {
        let slot = self.stream(stream);
        Some(slot.seq_of(slot.timeline.reached()))
    }

    fn fault(&self) -> Option<Fault> {
        self.shared.fault.read().cloned()
    }

    fn poisoned_from(&self, stream: RawStream) -> Option<u64> {
        let slot = self.stream(stream);
        slot.timeline.lost_from().map(|position| slot.seq_of(position))
    }

    fn read_back(&self, from: DevicePtr, to: &mut [u8]) -> Result<()> {
        memory::read(from.0, to);
        Ok(())
    }

    fn begin_capture(&self, _stream: RawStream) -> Result<()> {
        Err(NO_CAPTURE)
    }

    fn end_capture(&self, _stream: RawStream) -> Result<RawGraph> {
        Err(NO_CAPTURE)
    }

    fn launch_graph(&self, _stream: RawStream, _graph: RawGraph, _seq: u64) -> Result<()> {
        Err(NO_CAPTURE)
    }

    fn destroy_graph(&self, _graph: RawGraph) -> Result<()> {
        Err(NO_CAPTURE)
    }
}

const NO_CAPTURE: Error = Error::Unsupported { what: "capture", backend: "cpu" };

impl Drop for CpuBackend {
    fn drop(&mut self) {
        // Signals and does not join: a drop does not block. Workers hold what they need.
        // ORDER: Relaxed; the rings' fences make sleepers see it.
        self.shared.closed.store(true, Ordering::Relaxed);
        for slot in self.shared.slots.made() {
            slot.request_stop();
        }
    }
}
