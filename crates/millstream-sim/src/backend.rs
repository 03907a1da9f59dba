//! The sim as a backend: points of the schedule, the way to the engine, waiting of the host.

use std::time::{Duration, Instant};

use millstream_hal::{
    Backend, DeviceInfo, DevicePtr, EventStatus, Fault, Kernel, Launch, RawEvent, RawGraph, RawSegment, RawStaging,
    RawStream, Result,
};
use millstream_sync::OwnedCell;
use millstream_sync::atomic::{AtomicBool, Ordering};
use millstream_sync::schedule::{self, Point};
use millstream_sync::thread;

use crate::engine::{Engine, slot_of};
use crate::finding::{Finding, Race};
use crate::options::SimOptions;

/// The simulated device.
///
/// ```
/// use millstream_hal::{Access, Backend, DType, EventStatus, Kernel, Launch, Operand};
/// use millstream_sim::{SimBackend, SimOptions};
///
/// # fn main() -> Result<(), millstream_hal::Error> {
/// let sim = SimBackend::new(SimOptions::new(7));
/// let segment = sim.allocate_segment(256)?;
/// let (writer, other) = (sim.create_stream()?, sim.create_stream()?);
/// let out = Operand { ptr: segment.base, bytes: 256, access: Access::Write, staging: false };
/// let fill = |x: f32| Kernel::Fill { elements: 64, dtype: DType::F32, value: x.into() };
/// sim.launch(writer, &Launch::new(fill(1.0), 1, &[out]))?;
/// sim.launch(other, &Launch::new(fill(2.0), 1, &[out]))?; // no event between them
/// for stream in [writer, other] {
///     let event = sim.create_event(false)?;
///     sim.record(stream, event, 1)?;
///     assert_eq!(sim.synchronize(event, None)?, EventStatus::Done);
/// }
/// assert_eq!(sim.races().len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SimBackend {
    info: DeviceInfo,
    engine: OwnedCell<Engine>,
    workspace_bytes: usize,
    /// For each stream's place, whether a thread is inside an enqueue.
    enqueuing: Vec<AtomicBool>,
}

impl SimBackend {
    /// A device of its own.
    #[must_use]
    pub fn new(options: SimOptions) -> Self {
        let info = DeviceInfo {
            name: "sim".to_string(),
            model: "deterministic simulator".to_string(),
            numeric_class: "sim/f64".to_string(),
            memory_bytes: options.memory_bytes,
            streams: options.streams,
            asynchronous: true,
            host_addressable: false,
            release_waits: false,
            opens_after_fork: true,
        };
        let enqueuing = (0..SimOptions::STREAMS_MAX).map(|_| AtomicBool::new(false)).collect();
        Self { info, workspace_bytes: options.workspace_bytes, engine: OwnedCell::new(Engine::new(options)), enqueuing }
    }

    /// Accesses that nothing puts in order, so far.
    #[must_use]
    pub fn races(&self) -> Vec<Race> {
        let race = |finding| if let Finding::Race(race) = finding { Some(race) } else { None };
        self.findings().into_iter().filter_map(race).collect()
    }

    /// Every breach of the contract so far, races among them.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.with(|e| e.findings())
    }

    /// The operations that ran and the injections, a line each, in order.
    #[must_use]
    pub fn trace(&self) -> String {
        self.with(|e| e.trace_text())
    }

    /// Operations that are queued and have not run.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.with(|e| e.queued())
    }

    /// Whether the launch at `seq` of the raw stream `stream` is ordered after the one that failed (`fails_at_launch`), as the vector clocks have it: a judge that knows nothing
    /// of the poison. Meaningful once the launch was reached.
    #[must_use]
    pub fn is_after_failure(&self, stream: u32, seq: u64) -> bool {
        self.with(|e| e.is_after_failure(stream, seq))
    }

    /// Runs `f` on the engine as soon as no other thread is inside it.
    fn with<R>(&self, f: impl FnOnce(&mut Engine) -> R) -> R {
        let mut f = Some(f);
        loop {
            let result = self.engine.try_with(|engine| f.take().map(|f| f(engine)));
            if let Some(Some(result)) = result {
                return result;
            }
            if !schedule::blocked(Point::Backend) {
                thread::yield_now();
            }
        }
    }

    /// A call: a point of the schedule, then the engine.
    fn call<R>(&self, f: impl FnOnce(&mut Engine) -> R) -> R {
        schedule::point(Point::Backend);
        self.with(f)
    }

    /// An enqueue: another one on the same stream that has begun and not ended is a finding.
    fn enqueue<R>(&self, stream: RawStream, f: impl FnOnce(&mut Engine) -> R) -> R {
        let inside = &self.enqueuing[slot_of(stream.0).min(SimOptions::STREAMS_MAX - 1)];
        // ORDER: Relaxed; it only notices two calls at once, the engine's owner word orders their effects.
        let twice = inside.swap(true, Ordering::Relaxed);
        let result = self.call(|engine| {
            if twice {
                engine.find(Finding::ConcurrentEnqueue { stream: stream.0 });
            }
            f(engine)
        });
        // ORDER: Relaxed; as above.
        inside.store(false, Ordering::Relaxed);
        result
    }
}

/// The clock by which a host wait ends: that of the schedule on a scheduled thread.
struct Deadline {
    limit: Option<Duration>,
    began: Instant,
    began_scheduled: Option<Duration>,
}

impl Deadline {
    fn after(limit: Option<Duration>) -> Self {
        Self { limit, began: Instant::now(), began_scheduled: schedule::now() }
    }

    fn has_passed(&self) -> bool {
        let Some(limit) = self.limit else { return false };
        match (self.began_scheduled, schedule::now()) {
            (Some(began), Some(now)) => now.saturating_sub(began) >= limit,
            _ => self.began.elapsed() >= limit,
        }
    }
}

/// What `kernel` asks for on a device whose large kernels ask for `bytes`.
pub(crate) fn workspace_bytes(bytes: usize, kernel: &Kernel) -> usize {
    if matches!(kernel, Kernel::Matmul { .. } | Kernel::Reduce { .. }) { bytes } else { 0 }
}

/// Launches that are joined: fewer than a read may ask for, so that it takes several calls.
const JOINED_MAX: usize = 4;

impl Backend for SimBackend {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn allocate_segment(&self, bytes: usize) -> Result<RawSegment> {
        self.call(|e| e.allocate_segment(bytes))
    }

    fn release_segment(&self, segment: RawSegment) -> Result<()> {
        self.call(|e| e.release_segment(segment))
    }

    fn allocate_staging(&self, bytes: usize) -> Result<RawStaging> {
        self.call(|e| e.allocate_staging(bytes))
    }

    fn release_staging(&self, staging: RawStaging) -> Result<()> {
        self.call(|e| e.release_staging(staging))
    }

    fn create_stream(&self) -> Result<RawStream> {
        self.call(Engine::create_stream)
    }

    fn destroy_stream(&self, stream: RawStream) -> Result<()> {
        self.call(|e| e.destroy_stream(stream))
    }

    fn workspace_bytes(&self, kernel: &Kernel) -> usize {
        workspace_bytes(self.workspace_bytes, kernel)
    }

    fn launch(&self, stream: RawStream, launch: &Launch) -> Result<()> {
        self.enqueue(stream, |e| e.launch(stream, launch))
    }

    fn joined_max(&self) -> usize {
        JOINED_MAX
    }

    /// One after another, up to the first that is refused: giving that again says why.
    fn launch_joined(&self, stream: RawStream, launches: &[Launch]) -> Result<usize> {
        self.launch(stream, &launches[0])?;
        Ok(1 + launches[1..].iter().take_while(|launch| self.launch(stream, launch).is_ok()).count())
    }

    fn record(&self, stream: RawStream, event: RawEvent, seq: u64) -> Result<()> {
        self.enqueue(stream, |e| e.record(stream, event, seq))
    }

    fn wait(&self, stream: RawStream, event: RawEvent) -> Result<()> {
        self.enqueue(stream, |e| e.wait(stream, event))
    }

    fn drive(&self, _stream: RawStream) {
        self.call(Engine::drift);
    }

    fn create_event(&self, timing: bool) -> Result<RawEvent> {
        self.call(|e| e.create_event(timing))
    }

    fn destroy_event(&self, event: RawEvent) -> Result<()> {
        self.call(|e| e.destroy_event(event))
    }

    fn query(&self, event: RawEvent) -> Result<EventStatus> {
        self.call(|e| e.query(event))
    }

    fn synchronize(&self, event: RawEvent, timeout: Option<Duration>) -> Result<EventStatus> {
        let deadline = Deadline::after(timeout);
        loop {
            if self.call(|e| e.query(event))? == EventStatus::Done {
                return Ok(EventStatus::Done);
            }
            if deadline.has_passed() {
                return Ok(EventStatus::Pending);
            }
            if !schedule::blocked(Point::Wait) {
                thread::yield_now();
            }
        }
    }

    fn elapsed_ns(&self, start: RawEvent, end: RawEvent) -> Result<u64> {
        self.call(|e| e.elapsed_ns(start, end))
    }

    fn fault(&self) -> Option<Fault> {
        self.call(|e| e.fault())
    }

    fn poisoned_from(&self, stream: RawStream) -> Option<u64> {
        self.call(|e| e.poisoned_from(stream))
    }

    fn read_back(&self, from: DevicePtr, to: &mut [u8]) -> Result<()> {
        self.call(|e| e.read_back(from, to))
    }

    fn begin_capture(&self, stream: RawStream) -> Result<()> {
        self.enqueue(stream, |e| e.begin_capture(stream))
    }

    fn end_capture(&self, stream: RawStream) -> Result<RawGraph> {
        self.enqueue(stream, |e| e.end_capture(stream))
    }

    fn launch_graph(&self, stream: RawStream, graph: RawGraph, seq: u64) -> Result<()> {
        self.enqueue(stream, |e| e.launch_graph(stream, graph, seq))
    }

    fn destroy_graph(&self, graph: RawGraph) -> Result<()> {
        self.call(|e| e.destroy_graph(graph))
    }
}
