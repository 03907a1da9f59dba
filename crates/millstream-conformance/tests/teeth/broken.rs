//! A sim broken in one way.

use std::time::Duration;

use millstream_hal::{
    Backend, BinaryOp, DType, DeviceInfo, DevicePtr, Error, EventStatus, Fault, FaultScope, Kernel, Launch, Layout,
    RawEvent, RawGraph, RawSegment, RawStaging, RawStream, ReduceOp, Result, Scalar, UnaryOp, Views,
};
use millstream_sim::{SimBackend, SimOptions};
use millstream_sync::{OwnedCell, thread};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Nothing,
    DropsWaits,
    RunsLaunchesOutOfOrder,
    SaysDoneTooEarly,
    NeverSaysDone,
    KeepsTheFirstMark,
    LosesLaunches,
    LeaksSegments,
    GivesOneSegmentTwice,
    NeverRefusesMemory,
    MisalignsSegments,
    ForgetsTheOffsetOfRandom,
    ForgetsTheOffsetOfViews,
    ForgetsStrides,
    ForgetsTheLastRow,
    ForgetsTheTail,
    TakesOneOperationForAnother,
    SwapsTheSidesOfAChoice,
    RepeatsTheFirstFactor,
    KeepsOneAxisLess,
    WidensTheRange,
    AddsForMultiplies,
    SumsForMean,
    WritesOneWordMore,
    IgnoresTheTargetOfDownloads,
    ForgetsWhatItJoined,
    KnowsEveryEvent,
    HasAFault,
    MovesThePositionAhead,
}

pub(crate) struct Broken {
    sim: SimBackend,
    how: How,
    state: OwnedCell<State>,
}

#[derive(Default)]
struct State {
    /// Launches held back, to run after the next.
    held: Vec<(RawStream, Launch)>,
    recorded: Vec<RawEvent>,
    segments: Vec<RawSegment>,
    launches: u64,
    last: Vec<(RawStream, u64)>,
}

impl Broken {
    pub(crate) fn new(how: How, seed: u64) -> Self {
        Self { sim: SimBackend::new(SimOptions::new(seed)), how, state: OwnedCell::default() }
    }

    fn state<R>(&self, mut f: impl FnMut(&mut State) -> R) -> R {
        loop {
            match self.state.try_with(&mut f) {
                Some(result) => return result,
                None => thread::yield_now(),
            }
        }
    }

    /// What the device makes of a launch.
    fn spoilt(&self, launch: &Launch) -> Launch {
        let kernel = match (self.how, launch.kernel) {
            (How::ForgetsTheOffsetOfRandom, Kernel::Randn { elements, mut key }) => {
                key.offset = 0;
                Kernel::Randn { elements, key }
            }
            (how @ (How::ForgetsTheOffsetOfViews | How::ForgetsStrides | How::ForgetsTheLastRow), kernel) => {
                with_views(kernel, |view| wrong_view(how, view))
            }
            (How::ForgetsTheTail, Kernel::Fingerprint { bytes }) => Kernel::Fingerprint { bytes: bytes / 4 * 4 },
            (How::TakesOneOperationForAnother, kernel) => another(kernel),
            (How::SwapsTheSidesOfAChoice, Kernel::Where { dtype, views }) => {
                let [cond, a, b] = views.all();
                Kernel::Where { dtype, views: Views::new([cond, b, a]).unwrap() }
            }
            (How::RepeatsTheFirstFactor, Kernel::Matmul { dtype, a, b }) if b.dims() > 2 && b.elements() > 0 => {
                let first = (0..b.dims() - 2).fold(b, |view, axis| view.narrowed(axis, 0, 1).unwrap());
                Kernel::Matmul { dtype, a, b: first.broadcast_to(&b.shape()).unwrap() }
            }
            (How::KeepsOneAxisLess, Kernel::Reduce { op, dtype, a, kept }) if kept > 0 => {
                Kernel::Reduce { op, dtype, a, kept: kept - 1 }
            }
            (How::WidensTheRange, Kernel::Uniform { elements, low, high, key }) => {
                Kernel::Uniform { elements, low, high: high + (high - low) * 0.01, key }
            }
            (How::AddsForMultiplies, Kernel::Binary { op: BinaryOp::Mul, dtype, views }) => {
                Kernel::Binary { op: BinaryOp::Add, dtype, views }
            }
            (How::SumsForMean, Kernel::Reduce { op: ReduceOp::Mean, dtype, a, kept }) => {
                Kernel::Reduce { op: ReduceOp::Sum, dtype, a, kept }
            }
            (How::IgnoresTheTargetOfDownloads, Kernel::Download { bytes, from, .. }) => {
                Kernel::Download { bytes, from, to: 0 }
            }
            (How::WritesOneWordMore, Kernel::Fill { elements, dtype, value }) if elements % 64 == 1 => {
                let mut operands = launch.operands().to_vec();
                operands[0].bytes += 4;
                let kernel = Kernel::Fill { elements: elements + 1, dtype, value };
                return Launch::new(kernel, launch.seq, &operands);
            }
            (_, kernel) => kernel,
        };
        Launch::new(kernel, launch.seq, launch.operands())
    }

    /// Lets go of what was held back for a stream.
    fn flush(&self, stream: RawStream) -> Result<()> {
        let held: Vec<_> = self.state(|s| s.held.extract_if(.., |h| h.0 == stream).collect());
        held.into_iter().try_for_each(|(stream, launch)| self.sim.launch(stream, &launch))
    }
}

/// The view as a careless device would read it.
fn wrong_view(how: How, view: Layout) -> Layout {
    match how {
        How::ForgetsTheOffsetOfViews => without_offset(view),
        How::ForgetsStrides => view.dense().unwrap(),
        _ if view.dims() > 0 && view.size(0) > 0 => view.narrowed(0, 0, view.size(0) - 1).unwrap(),
        _ => view,
    }
}

/// The same sizes and strides from the start of the buffer.
fn without_offset(view: Layout) -> Layout {
    // A view of a part is its parent narrowed; a dense one of its shape begins at 0.
    if view.offset() == 0 { view } else { view.dense().unwrap() }
}

fn with_views(kernel: Kernel, change: impl Fn(Layout) -> Layout) -> Kernel {
    match kernel {
        Kernel::Unary { op, dtype, a } => Kernel::Unary { op, dtype, a: change(a) },
        Kernel::Cast { from, to, a } => Kernel::Cast { from, to, a: change(a) },
        Kernel::Copy { dtype, a } => Kernel::Copy { dtype, a: change(a) },
        Kernel::AddBias { dtype, a, width, activation } if change(a).elements().is_multiple_of(width) => {
            Kernel::AddBias { dtype, a: change(a), width, activation }
        }
        Kernel::Binary { op, dtype, views } => {
            Kernel::Binary { op, dtype, views: Views::new(views.all().map(change)).unwrap() }
        }
        Kernel::Reduce { op, dtype, a, kept } if kept > 0 => Kernel::Reduce { op, dtype, a: change(a), kept },
        other => other,
    }
}

/// An operation that is nearly the same.
fn another(kernel: Kernel) -> Kernel {
    match kernel {
        Kernel::Unary { op: UnaryOp::Relu, dtype, a } => Kernel::Unary { op: UnaryOp::Abs, dtype, a },
        Kernel::Binary { op: BinaryOp::Lt, dtype, views } => Kernel::Binary { op: BinaryOp::Le, dtype, views },
        Kernel::Reduce { op: ReduceOp::ArgMax, dtype, a, kept } if a.dims() > usize::from(kept) => {
            // The last of the greatest instead of the first: never in a reduction of one element.
            let last = a.dims() - 1;
            let view = if a.size(last) > 1 { a.narrowed(last, 1, a.size(last) - 1).unwrap() } else { a };
            Kernel::Reduce { op: ReduceOp::ArgMax, dtype, a: view, kept }
        }
        Kernel::Arange { elements, dtype, start, step: Scalar::F64(step) } => {
            Kernel::Arange { elements, dtype, start, step: Scalar::F64(f64::from(step as f32)) }
        }
        Kernel::Fill { elements, dtype, value: Scalar::F64(value) } if value == 300.7 => {
            Kernel::Fill { elements, dtype, value: Scalar::F64(value.round()) }
        }
        Kernel::Unary { op: UnaryOp::Gelu, dtype, a } => Kernel::Unary { op: UnaryOp::GeluTanh, dtype, a },
        Kernel::IndexSelect { dtype, rows, width, count } if rows > 0 => {
            Kernel::IndexSelect { dtype, rows: rows - 1, width, count }
        }
        Kernel::AddBias { dtype, a, width, activation: Some(UnaryOp::Relu) } => {
            Kernel::AddBias { dtype, a, width, activation: None }
        }
        Kernel::LayerNorm { dtype, rows, width, epsilon, residual } => {
            Kernel::LayerNorm { dtype, rows, width, epsilon: epsilon * 1.01, residual }
        }
        Kernel::Attention { dtype, views, scale, masked, biased } => {
            Kernel::Attention { dtype, views, scale: scale * 1.000_1, masked, biased }
        }
        Kernel::Cast { from: DType::F64, to, a } if to != DType::F64 => Kernel::Cast { from: DType::I64, to, a },
        other => other,
    }
}

impl Backend for Broken {
    fn info(&self) -> &DeviceInfo {
        self.sim.info()
    }

    fn allocate_segment(&self, bytes: usize) -> Result<RawSegment> {
        let last = self.state(|s| s.segments.last().copied());
        match (self.how, last) {
            (How::GivesOneSegmentTwice, Some(last)) if last.bytes >= bytes => Ok(last),
            (How::NeverRefusesMemory, _) if bytes > 64 << 20 => self.sim.allocate_segment(256),
            (How::MisalignsSegments, _) => {
                let segment = self.sim.allocate_segment(bytes + 64)?;
                Ok(RawSegment { base: DevicePtr(segment.base.0 + 64), bytes })
            }
            _ => {
                let segment = self.sim.allocate_segment(bytes)?;
                self.state(|s| s.segments.push(segment));
                Ok(segment)
            }
        }
    }

    fn release_segment(&self, segment: RawSegment) -> Result<()> {
        if self.how == How::LeaksSegments { Ok(()) } else { self.sim.release_segment(segment) }
    }

    fn allocate_staging(&self, bytes: usize) -> Result<RawStaging> {
        self.sim.allocate_staging(bytes)
    }

    fn release_staging(&self, staging: RawStaging) -> Result<()> {
        self.sim.release_staging(staging)
    }

    fn create_stream(&self) -> Result<RawStream> {
        self.sim.create_stream()
    }

    fn destroy_stream(&self, stream: RawStream) -> Result<()> {
        let _ = self.flush(stream);
        self.sim.destroy_stream(stream)
    }

    fn launch(&self, stream: RawStream, launch: &Launch) -> Result<()> {
        let launch = self.spoilt(launch);
        let count = self.state(|s| {
            s.launches += 1;
            s.last.retain(|(other, _)| *other != stream);
            s.last.push((stream, launch.seq));
            s.launches
        });
        match self.how {
            How::LosesLaunches if count.is_multiple_of(7) => Ok(()),
            How::RunsLaunchesOutOfOrder if !self.state(|s| s.held.iter().any(|h| h.0 == stream)) => {
                self.state(|s| s.held.push((stream, launch)));
                Ok(())
            }
            How::RunsLaunchesOutOfOrder => {
                self.sim.launch(stream, &launch)?;
                self.flush(stream)
            }
            _ => {
                self.flush(stream)?;
                self.sim.launch(stream, &launch)
            }
        }
    }

    fn joined_max(&self) -> usize {
        if self.how == How::ForgetsWhatItJoined { 8 } else { 1 }
    }

    fn launch_joined(&self, stream: RawStream, launches: &[Launch]) -> Result<usize> {
        self.launch(stream, &launches[0]).map(|()| launches.len())
    }

    fn record(&self, stream: RawStream, event: RawEvent, seq: u64) -> Result<()> {
        self.flush(stream)?;
        let again = self.state(|s| s.recorded.contains(&event));
        if self.how == How::KeepsTheFirstMark && again {
            return Ok(());
        }
        self.state(|s| s.recorded.push(event));
        self.sim.record(stream, event, seq)
    }

    fn wait(&self, stream: RawStream, event: RawEvent) -> Result<()> {
        self.flush(stream)?;
        match self.how {
            How::DropsWaits => self.sim.query(event).map(|_| ()),
            _ => self.sim.wait(stream, event),
        }
    }

    fn drive(&self, stream: RawStream) {
        self.sim.drive(stream);
    }

    fn create_event(&self, timing: bool) -> Result<RawEvent> {
        self.sim.create_event(timing)
    }

    fn destroy_event(&self, event: RawEvent) -> Result<()> {
        self.sim.destroy_event(event)
    }

    fn query(&self, event: RawEvent) -> Result<EventStatus> {
        match (self.how, self.sim.query(event)) {
            (How::SaysDoneTooEarly, Ok(_)) => Ok(EventStatus::Done),
            (How::NeverSaysDone, Ok(_)) => Ok(EventStatus::Pending),
            (How::KnowsEveryEvent, Err(Error::NotRecorded { .. })) => Ok(EventStatus::Done),
            (_, answer) => answer,
        }
    }

    fn synchronize(&self, event: RawEvent, timeout: Option<Duration>) -> Result<EventStatus> {
        match self.how {
            How::SaysDoneTooEarly => self.query(event),
            _ => self.sim.synchronize(event, timeout),
        }
    }

    fn elapsed_ns(&self, start: RawEvent, end: RawEvent) -> Result<u64> {
        self.sim.elapsed_ns(start, end)
    }

    fn completed(&self, stream: RawStream) -> Option<u64> {
        let last = self.state(|s| s.last.iter().find(|l| l.0 == stream).map_or(0, |l| l.1));
        (self.how == How::MovesThePositionAhead).then_some(last)
    }

    fn fault(&self) -> Option<Fault> {
        let fault = || Fault {
            scope: FaultScope::Device,
            stream: RawStream(0),
            seq: 0,
            kernel: "none",
            reason: "none".to_string(),
        };
        (self.how == How::HasAFault).then(fault).or_else(|| self.sim.fault())
    }

    fn poisoned_from(&self, stream: RawStream) -> Option<u64> {
        self.sim.poisoned_from(stream)
    }

    fn read_back(&self, from: DevicePtr, to: &mut [u8]) -> Result<()> {
        self.sim.read_back(from, to)
    }

    fn begin_capture(&self, stream: RawStream) -> Result<()> {
        self.sim.begin_capture(stream)
    }

    fn end_capture(&self, stream: RawStream) -> Result<RawGraph> {
        self.flush(stream)?;
        self.sim.end_capture(stream)
    }

    fn launch_graph(&self, stream: RawStream, graph: RawGraph, seq: u64) -> Result<()> {
        self.sim.launch_graph(stream, graph, seq)
    }

    fn destroy_graph(&self, graph: RawGraph) -> Result<()> {
        self.sim.destroy_graph(graph)
    }
}
