//! The trait that a backend implements.

use std::any::Any;
use std::time::Duration;

use crate::{
    DevicePtr, DriverCalls, EventStatus, Kernel, Launch, RawEvent, RawGraph, RawSegment, RawStaging, RawStream, Result,
};

/// What a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// As the user names it: `cpu`, `cpu:queued`, `sim`, `cuda:0`.
    pub name: String,
    /// As the maker names it.
    pub model: String,
    /// Devices of one class give the same bits: backend, build and instruction set.
    pub numeric_class: String,
    /// Memory that segments may take in all, in bytes.
    pub memory_bytes: usize,
    /// Streams that a pool should have, unless the user says otherwise.
    pub streams: usize,
    /// Whether work may still be running when an enqueue has returned.
    pub asynchronous: bool,
    /// Whether an address of device memory is an address of the host too, so that kernels can read host memory and the host device memory.
    pub host_addressable: bool,
    /// Whether giving memory back waits for all work of the device, also for work that does not use it.
    pub release_waits: bool,
    /// Whether a process that was forked from one that has used the device can open one of its own.
    pub opens_after_fork: bool,
}

/// How far a failure reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultScope {
    /// The operation failed, and with it all that is ordered after it: later work of its stream, and of every stream from a wait for such work on. That work is skipped, and its
    /// positions are reached all the same. Everything else runs to its end and is right. See [`Backend::poisoned_from`].
    Stream,
    /// The device is lost: nothing runs any more, and nobody can say what its memory holds.
    Device,
}

/// The first failure of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it took with it.
    pub scope: FaultScope,
    /// Stream of the operation.
    pub stream: RawStream,
    /// Its position.
    pub seq: u64,
    /// Its kernel.
    pub kernel: &'static str,
    /// What the device said.
    pub reason: String,
}

impl Fault {
    /// The error that every call which meets the failure returns.
    #[must_use]
    pub fn error(&self) -> crate::Error {
        crate::Error::Fault { stream: self.stream.0, seq: self.seq, kernel: self.kernel, reason: self.reason.clone() }
    }
}

/// Where a launch is after [`Backend::launch_or_keep`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launched {
    /// In the stream's queue.
    Queued,
    /// With the caller: it is the stream's next operation, and all that is enqueued later comes after it.
    Kept,
}

/// A device. Object-safe; all methods may be called from any thread.
///
/// **Enqueues** (`launch`, `launch_or_keep`, `launch_joined`, `record`, `wait`, `wait_peer`, `copy_to_peer`, `launch_graph`): one thread at a time per stream. They return before the work is done and block only while
/// the launch queue is full. **Everything else** is called with no lock held and may take long.
///
/// **Give-backs** (`release_...`, `destroy_...`): what is given back is gone for the caller, whatever they answer. An error says that the device may still have it; the runtime counts such errors and
/// keeps the first. A backend that was dropped has nobody to tell: it counts its own.
pub trait Backend: Any + Send + Sync {
    /// What this device is.
    fn info(&self) -> &DeviceInfo;

    /// Takes a segment of at least `bytes` bytes from the device. Errors: [`crate::Error::OutOfMemory`].
    fn allocate_segment(&self, bytes: usize) -> Result<RawSegment>;
    /// Gives a segment back. All work that names it has completed.
    fn release_segment(&self, segment: RawSegment) -> Result<()>;
    /// Takes host memory that the device can copy from and to. Errors: [`crate::Error::OutOfMemory`].
    fn allocate_staging(&self, bytes: usize) -> Result<RawStaging>;
    /// Gives staging memory back. All work that names it has completed.
    fn release_staging(&self, staging: RawStaging) -> Result<()>;

    /// Makes a stream. Errors: [`crate::Error::Exhausted`].
    fn create_stream(&self) -> Result<RawStream>;
    /// Ends a stream. Its work has completed.
    fn destroy_stream(&self, stream: RawStream) -> Result<()>;

    /// Scratch memory that a launch of `kernel` needs beside its operands, in bytes; zero for none. The runtime allocates it on the launch's stream within the byte budget, passes it as the
    /// last operand (written, of at least so many bytes, holding anything), and frees it in stream order. A function of the kernel alone; called once for a launch, with nothing held.
    fn workspace_bytes(&self, kernel: &Kernel) -> usize {
        let _ = kernel;
        0
    }

    /// Enqueues a kernel.
    fn launch(&self, stream: RawStream, launch: &Launch) -> Result<()>;
    /// As [`Backend::launch`], where the caller holds `launch` until the work is done or queued, and enqueues nothing more before it calls, with nothing held, what the answer says:
    /// [`Backend::drive`], or [`Backend::run_kept`]. So a backend that would run the launch in `drive`, with nothing before it, needs no copy of it.
    fn launch_or_keep(&self, stream: RawStream, launch: &Launch) -> Result<Launched> {
        self.launch(stream, launch).map(|()| Launched::Queued)
    }
    /// Runs the launch that [`Backend::launch_or_keep`] left with the calling thread, and does what [`Backend::drive`] does for whatever was enqueued meanwhile.
    fn run_kept(&self, stream: RawStream, launch: &Launch) {
        let _ = launch;
        self.drive(stream);
    }
    /// Most launches that one [`Backend::launch_joined`] is given: 1 where joining gains nothing.
    fn joined_max(&self) -> usize {
        1
    }
    /// Enqueues the first of `launches` (at least one, at most [`Backend::joined_max`]), and those after it that go into the same call of the device. Returns how many, the others are for
    /// the caller to give again. Each reaches its own position, as if launched alone; none reads what another of them writes. Errors: those of `launch`, and then none of them was enqueued.
    fn launch_joined(&self, stream: RawStream, launches: &[Launch]) -> Result<usize> {
        self.launch(stream, &launches[0]).map(|()| 1)
    }
    /// Enqueues a mark: `event` stands for all work of `stream` up to here, at position `seq`.
    fn record(&self, stream: RawStream, event: RawEvent, seq: u64) -> Result<()>;
    /// Enqueues a wait: later work of `stream` starts after the mark that `event` has now.
    /// Errors: [`crate::Error::NotRecorded`].
    fn wait(&self, stream: RawStream, event: RawEvent) -> Result<()>;
    /// Called after enqueues with nothing held: a backend whose streams are the calling threads does the work here.
    fn drive(&self, stream: RawStream);

    /// Makes an event; with `timing` it can be used in [`Backend::elapsed_ns`].
    fn create_event(&self, timing: bool) -> Result<RawEvent>;
    /// Ends an event. No enqueued wait refers to it any more.
    fn destroy_event(&self, event: RawEvent) -> Result<()>;
    /// Whether the mark was reached. Errors: `NotRecorded`, `Fault`.
    fn query(&self, event: RawEvent) -> Result<EventStatus>;
    /// Blocks the host until the mark is reached or `timeout` has passed (`None`: for ever). Errors: `NotRecorded`, `Fault`.
    fn synchronize(&self, event: RawEvent, timeout: Option<Duration>) -> Result<EventStatus>;
    /// Nanoseconds between two marks of timing events that were reached. Errors: `NotRecorded`, `Unsupported`.
    fn elapsed_ns(&self, start: RawEvent, end: RawEvent) -> Result<u64>;

    /// The last position that `stream` has completed, where the backend can tell at the price of a load; `None` otherwise, and the
    /// runtime then reads events in order. A caller that sees a position also sees the effects of the work up to it.
    fn completed(&self, stream: RawStream) -> Option<u64> {
        let _ = stream;
        None
    }

    /// The first failure, if the device has failed. Sticky. From then on launches are refused. After a failure of [`FaultScope::Stream`] events are made, recorded, waited for and asked as
    /// before, and a mark answers `Fault` only once it is reached, at a position that is lost.
    fn fault(&self) -> Option<Fault>;

    /// The first position of `stream` that is lost by a failure of [`FaultScope::Stream`]; `None` while there is none. The lost positions of a stream are that one and all after it. A
    /// caller that saw a position reached gets the final answer about it.
    fn poisoned_from(&self, stream: RawStream) -> Option<u64> {
        let _ = stream;
        None
    }

    /// Copies device memory to the host outside of every stream: how values that stand are read after a failure of [`FaultScope::Stream`]. The caller has seen the work complete that
    /// wrote them, and nothing writes them meanwhile. May block the host. Errors: `Unsupported`; `Fault` when the device is lost.
    fn read_back(&self, from: DevicePtr, to: &mut [u8]) -> Result<()> {
        let _ = (from, to);
        Err(crate::Error::Unsupported { what: "a read outside of the streams", backend: "this backend" })
    }

    /// Prepares copies from this device to `peer` that need no host, and says whether there can be any: [`Backend::copy_to_peer`] here and [`Backend::wait_peer`] both ways. From then on a
    /// failure of this device is one of the peer too, which may hold what was copied: it tells no mark as reached after it. Called with nothing held; cheap but for the first time.
    fn connect_peer(&self, peer: &dyn Backend) -> bool {
        let _ = peer;
        false
    }

    /// As [`Backend::wait`], for an event of a device that is connected either way. The wait keeps the mark that the event has at the call.
    /// Errors: `NotRecorded`, `Unsupported`.
    fn wait_peer(&self, stream: RawStream, peer: &dyn Backend, event: RawEvent) -> Result<()> {
        let _ = (stream, peer, event);
        Err(crate::Error::Unsupported { what: "a wait for another device", backend: "this backend" })
    }

    /// Enqueues a copy of `bytes` bytes of this device's memory to that of a connected peer. Errors: `Unsupported`.
    fn copy_to_peer(
        &self,
        stream: RawStream,
        seq: u64,
        from: DevicePtr,
        peer: &dyn Backend,
        to: DevicePtr,
        bytes: usize,
    ) -> Result<()> {
        let _ = (stream, seq, from, peer, to, bytes);
        Err(crate::Error::Unsupported { what: "a copy to another device", backend: "this backend" })
    }

    /// How often the driver below was called so far, by this device and by all others of this process on the same hardware. `None` where there is no driver.
    fn driver_calls(&self) -> Option<DriverCalls> {
        None
    }

    /// Begins to capture the launches of `stream` instead of running them.
    fn begin_capture(&self, stream: RawStream) -> Result<()>;
    /// Ends the capture and returns it.
    fn end_capture(&self, stream: RawStream) -> Result<RawGraph>;
    /// Enqueues a captured sequence as one launch; completing it reaches `seq`.
    fn launch_graph(&self, stream: RawStream, graph: RawGraph, seq: u64) -> Result<()>;
    /// Ends a graph. Its work has completed.
    fn destroy_graph(&self, graph: RawGraph) -> Result<()>;
}
