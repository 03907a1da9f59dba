//! A backend that goes astray when it is told to: its next launch writes where no memory is. All else is the device's.

use std::time::Duration;

use millstream_cuda::CudaBackend;
use millstream_hal::{
    Backend, DeviceInfo, DevicePtr, EventStatus, Fault, Launch, Operand, RawEvent, RawGraph, RawSegment, RawStaging,
    RawStream, Result,
};
use millstream_sync::atomic::{AtomicBool, Ordering};

pub(crate) struct Astray {
    pub(crate) device: CudaBackend,
    pub(crate) next: AtomicBool,
}

/// An address that no allocation has.
const NOWHERE: DevicePtr = DevicePtr(0x10);

impl Backend for Astray {
    fn launch(&self, stream: RawStream, launch: &Launch) -> Result<()> {
        if !self.next.swap(false, Ordering::Relaxed) {
            return self.device.launch(stream, launch);
        }
        let mut operands: Vec<Operand> = launch.operands().to_vec();
        operands[0].ptr = NOWHERE;
        self.device.launch(stream, &Launch::new(launch.kernel, launch.seq, &operands))
    }

    fn info(&self) -> &DeviceInfo {
        self.device.info()
    }
    fn allocate_segment(&self, bytes: usize) -> Result<RawSegment> {
        self.device.allocate_segment(bytes)
    }
    fn release_segment(&self, segment: RawSegment) -> Result<()> {
        self.device.release_segment(segment)
    }
    fn allocate_staging(&self, bytes: usize) -> Result<RawStaging> {
        self.device.allocate_staging(bytes)
    }
    fn release_staging(&self, staging: RawStaging) -> Result<()> {
        self.device.release_staging(staging)
    }
    fn create_stream(&self) -> Result<RawStream> {
        self.device.create_stream()
    }
    fn destroy_stream(&self, stream: RawStream) -> Result<()> {
        self.device.destroy_stream(stream)
    }
    fn record(&self, stream: RawStream, event: RawEvent, seq: u64) -> Result<()> {
        self.device.record(stream, event, seq)
    }
    fn wait(&self, stream: RawStream, event: RawEvent) -> Result<()> {
        self.device.wait(stream, event)
    }
    fn drive(&self, stream: RawStream) {
        self.device.drive(stream);
    }
    fn create_event(&self, timing: bool) -> Result<RawEvent> {
        self.device.create_event(timing)
    }
    fn destroy_event(&self, event: RawEvent) -> Result<()> {
        self.device.destroy_event(event)
    }
    fn query(&self, event: RawEvent) -> Result<EventStatus> {
        self.device.query(event)
    }
    fn synchronize(&self, event: RawEvent, timeout: Option<Duration>) -> Result<EventStatus> {
        self.device.synchronize(event, timeout)
    }
    fn elapsed_ns(&self, start: RawEvent, end: RawEvent) -> Result<u64> {
        self.device.elapsed_ns(start, end)
    }
    fn fault(&self) -> Option<Fault> {
        self.device.fault()
    }
    fn begin_capture(&self, stream: RawStream) -> Result<()> {
        self.device.begin_capture(stream)
    }
    fn end_capture(&self, stream: RawStream) -> Result<RawGraph> {
        self.device.end_capture(stream)
    }
    fn launch_graph(&self, stream: RawStream, graph: RawGraph, seq: u64) -> Result<()> {
        self.device.launch_graph(stream, graph, seq)
    }
    fn destroy_graph(&self, graph: RawGraph) -> Result<()> {
        self.device.destroy_graph(graph)
    }
}
