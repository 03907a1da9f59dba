//! A CPU that copies to others of its kind without the host, does what it does as well as a test wants, and counts its segments.

use std::any::Any;
use std::panic::resume_unwind;
use std::time::Duration;

use millstream::{Device, DeviceOptions};
use millstream_cpu::{CpuBackend, CpuOptions};
use millstream_hal::{
    Access, Backend, DType, DeviceInfo, DevicePtr, Error, EventStatus, Fault, Kernel, Launch, Layout, Operand,
    RawEvent, RawGraph, RawSegment, RawStaging, RawStream, Result,
};
use millstream_sync::Arc;
use millstream_sync::atomic::{AtomicU32, Ordering};

/// What does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fails {
    Nothing,
    Waits,
    Copies,
    /// A wait for another device panics.
    Panics,
    /// Giving a segment back does not return.
    Releases,
    /// Taking a segment does not return.
    Growth,
    /// Taking a segment panics, once.
    GrowthOnce,
}

/// The device. Its streams are queued.
pub struct Known {
    cpu: CpuBackend,
    fails: AtomicU32,
    segments: AtomicU32,
}

const NO_ROOM: Error = Error::Exhausted { what: "work with other devices", limit: 0 };

impl Known {
    /// One, and a device over it. Whoever opens it checks it.
    pub fn open() -> (Arc<Self>, Device) {
        let (fails, segments) = (AtomicU32::new(Fails::Nothing as u32), AtomicU32::new(0));
        let backend = Arc::new(Self { cpu: CpuBackend::new(CpuOptions::queued()), fails, segments });
        let options = DeviceOptions::of(backend.info());
        (backend.clone(), Device::open_with(backend, options))
    }

    /// Segments that it has given out and not got back.
    pub fn segments(&self) -> u32 {
        self.segments.load(Ordering::Relaxed)
    }

    /// From now on this does not work.
    pub fn fail(&self, fails: Fails) {
        self.fails.store(fails as u32, Ordering::Relaxed);
    }

    fn does(&self, fails: Fails) -> bool {
        self.fails.load(Ordering::Relaxed) == fails as u32
    }
}

fn known(peer: &dyn Backend) -> Option<&Known> {
    (peer as &dyn Any).downcast_ref()
}

impl Backend for Known {
    fn connect_peer(&self, peer: &dyn Backend) -> bool {
        known(peer).is_some()
    }

    /// Where a device would wait the host does: what is enqueued next comes after the mark all the same.
    fn wait_peer(&self, _: RawStream, peer: &dyn Backend, event: RawEvent) -> Result<()> {
        if self.does(Fails::Panics) {
            resume_unwind(Box::new("a panic between the halves"));
        }
        let peer = known(peer).filter(|_| !self.does(Fails::Waits)).ok_or(NO_ROOM)?;
        peer.cpu.synchronize(event, None).map(drop)
    }

    fn copy_to_peer(
        &self,
        stream: RawStream,
        seq: u64,
        from: DevicePtr,
        _: &dyn Backend,
        to: DevicePtr,
        bytes: usize,
    ) -> Result<()> {
        if self.does(Fails::Copies) {
            return Err(NO_ROOM);
        }
        let line = Layout::contiguous(&[bytes]).expect("a size that was allocated");
        let operand = |ptr, access| Operand { ptr, bytes, access, staging: false };
        let operands = [operand(to, Access::Write), operand(from, Access::Read)];
        self.cpu.launch(stream, &Launch::new(Kernel::Copy { dtype: DType::U8, a: line }, seq, &operands))
    }

    fn info(&self) -> &DeviceInfo {
        self.cpu.info()
    }
    fn allocate_segment(&self, bytes: usize) -> Result<RawSegment> {
        while self.does(Fails::Growth) {
            std::thread::sleep(Duration::from_micros(100));
        }
        let (once, never) = (Fails::GrowthOnce as u32, Fails::Nothing as u32);
        if self.fails.compare_exchange(once, never, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            resume_unwind(Box::new("a panic inside a growth"));
        }
        let segment = self.cpu.allocate_segment(bytes)?;
        self.segments.fetch_add(1, Ordering::Relaxed);
        Ok(segment)
    }
    fn release_segment(&self, segment: RawSegment) -> Result<()> {
        while self.does(Fails::Releases) {
            std::thread::sleep(Duration::from_micros(100));
        }
        self.segments.fetch_sub(1, Ordering::Relaxed);
        self.cpu.release_segment(segment)
    }
    fn allocate_staging(&self, bytes: usize) -> Result<RawStaging> {
        self.cpu.allocate_staging(bytes)
    }
    fn release_staging(&self, staging: RawStaging) -> Result<()> {
        self.cpu.release_staging(staging)
    }
    fn create_stream(&self) -> Result<RawStream> {
        self.cpu.create_stream()
    }
    fn destroy_stream(&self, stream: RawStream) -> Result<()> {
        self.cpu.destroy_stream(stream)
    }
    fn launch(&self, stream: RawStream, launch: &Launch) -> Result<()> {
        self.cpu.launch(stream, launch)
    }
    fn record(&self, stream: RawStream, event: RawEvent, seq: u64) -> Result<()> {
        self.cpu.record(stream, event, seq)
    }
    fn wait(&self, stream: RawStream, event: RawEvent) -> Result<()> {
        self.cpu.wait(stream, event)
    }
    fn drive(&self, stream: RawStream) {
        self.cpu.drive(stream);
    }
    fn create_event(&self, timing: bool) -> Result<RawEvent> {
        self.cpu.create_event(timing)
    }
    fn destroy_event(&self, event: RawEvent) -> Result<()> {
        self.cpu.destroy_event(event)
    }
    fn query(&self, event: RawEvent) -> Result<EventStatus> {
        self.cpu.query(event)
    }
    fn synchronize(&self, event: RawEvent, timeout: Option<Duration>) -> Result<EventStatus> {
        self.cpu.synchronize(event, timeout)
    }
    fn elapsed_ns(&self, start: RawEvent, end: RawEvent) -> Result<u64> {
        self.cpu.elapsed_ns(start, end)
    }
    fn completed(&self, stream: RawStream) -> Option<u64> {
        self.cpu.completed(stream)
    }
    fn fault(&self) -> Option<Fault> {
        self.cpu.fault()
    }
    fn poisoned_from(&self, stream: RawStream) -> Option<u64> {
        self.cpu.poisoned_from(stream)
    }
    fn read_back(&self, from: DevicePtr, to: &mut [u8]) -> Result<()> {
        self.cpu.read_back(from, to)
    }
    fn begin_capture(&self, stream: RawStream) -> Result<()> {
        self.cpu.begin_capture(stream)
    }
    fn end_capture(&self, stream: RawStream) -> Result<RawGraph> {
        self.cpu.end_capture(stream)
    }
    fn launch_graph(&self, stream: RawStream, graph: RawGraph, seq: u64) -> Result<()> {
        self.cpu.launch_graph(stream, graph, seq)
    }
    fn destroy_graph(&self, graph: RawGraph) -> Result<()> {
        self.cpu.destroy_graph(graph)
    }
}
