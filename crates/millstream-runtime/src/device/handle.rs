//! The handle of an opened device.

use std::time::{Duration, Instant};

use millstream_hal::{Backend, DeviceInfo, DriverCalls};
use millstream_sync::Arc;
use millstream_sync::gate::State;
use millstream_sync::lock::try_enter;

use super::Shared;
use crate::error::{Error, Result};
use crate::evidence::Evidence;
use crate::exit;
use crate::fault::FaultReport;
use crate::profile::{Trace, Why};
use crate::shutdown::ShutdownReport;
use crate::stream::{Stream, StreamGuard, StreamPolicy};
use crate::thread_state;

/// How a device is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceOptions {
    /// Streams of the pool, 1 to 256. Default: what the backend advises (32 or more).
    pub streams: usize,
    /// What a thread does when all are taken.
    pub policy: StreamPolicy,
    /// When all are taken and one is wanted, a thread loses the stream that it has not used for this long: it is outside of every call, its stream is at rest, and no guard or handle keeps it. It claims
    /// one again at its next use. `Duration::MAX`: threads keep their streams until they leave or exit. Default 50 ms: longer than a thread pauses between two pieces of work, short against
    /// what others would wait for.
    pub lease_idle_window: Duration,
    /// Most memory that may be taken from the device, workspaces included, in bytes. Default: what the backend says it has.
    pub budget_bytes: usize,
    /// Most memory that a thread's cache keeps, in bytes. Default 64 MiB.
    pub cache_bytes_max: usize,
    /// Most host memory for transfers, in bytes; at least 16 KiB. Larger transfers go in pieces of a quarter of it. Default 64 MiB.
    pub staging_bytes_max: usize,
    /// Waits on the host for each operation before its call returns, so that a fault comes from the call that caused it and the report has one suspect for each thread at work. A
    /// debugging aid: nothing overlaps any more. Default false.
    pub launch_blocking: bool,
    /// Whether threads record what they do, for [`Device::trace`]. Default true.
    pub profiler: bool,
}

impl DeviceOptions {
    /// The defaults for a backend.
    #[must_use]
    pub fn of(info: &DeviceInfo) -> Self {
        Self {
            streams: info.streams.clamp(1, millstream_sync::slot_set::SLOTS_MAX),
            policy: StreamPolicy::default(),
            lease_idle_window: Duration::from_millis(50),
            budget_bytes: info.memory_bytes,
            cache_bytes_max: 64 << 20,
            staging_bytes_max: 64 << 20,
            launch_blocking: false,
            profiler: true,
        }
    }
}

/// What [`Device::health`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Takes work.
    Live,
    /// Failed: takes no work. The report says what is lost, and whether other values can be read.
    Faulted(Box<FaultReport>),
    /// Takes no work; what is running ends.
    Draining,
    /// Closed.
    Closed,
}

/// Counts the handles: when the last one drops the device starts to drain.
#[derive(Debug)]
struct Handles {
    shared: Arc<Shared>,
}

impl Drop for Handles {
    fn drop(&mut self) {
        if self.shared.check_process().is_ok() {
            self.shared.gate.advance(State::Draining);
            thread_state::leave_device(&self.shared);
            self.shared.finish_if_last();
        }
    }
}

/// An opened device: its streams, memory, events and profiler. `Clone + Send + Sync`; equal to another handle when it is the same opening.
/// Dropping the last handle stops new work; memory of live buffers stays until those drop.
#[derive(Clone, Debug)]
pub struct Device {
    handles: Arc<Handles>,
}

impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.shared(), other.shared())
    }
}

impl Eq for Device {}

impl Device {
    /// Opens a device over `backend` with its defaults.
    #[must_use]
    pub fn open(backend: Arc<dyn Backend>) -> Self {
        let options = DeviceOptions::of(backend.info());
        Self::open_with(backend, options)
    }

    /// Opens a device over `backend`. Streams are clamped to 1..=256.
    #[must_use]
    pub fn open_with(backend: Arc<dyn Backend>, mut options: DeviceOptions) -> Self {
        options.streams = options.streams.clamp(1, millstream_sync::slot_set::SLOTS_MAX);
        let shared = Arc::new(Shared::new(backend, options));
        exit::watch(&shared);
        Self { handles: Arc::new(Handles { shared }) }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handles.shared
    }

    /// What the device is.
    #[must_use]
    pub fn info(&self) -> &DeviceInfo {
        self.shared().backend.info()
    }

    /// How often the vendor's driver was called so far, by this device and all others of this process on the same hardware; `None` where there is no driver. No driver call.
    #[must_use]
    pub fn driver_calls(&self) -> Option<DriverCalls> {
        self.shared().backend.driver_calls()
    }

    /// How it was opened.
    #[must_use]
    pub fn options(&self) -> &DeviceOptions {
        &self.shared().options
    }

    /// The truth about the device: asks the backend for a fault, and then how far each stream has come. Never waits for work. In a forked child it says `Closed`.
    #[must_use]
    pub fn health(&self) -> Health {
        if self.shared().check_process().is_err() {
            return Health::Closed;
        }
        if let Some(report) = self.shared().fault_report() {
            return Health::Faulted(Box::new(report));
        }
        match self.shared().gate.state() {
            // A gate that says `Faulted` has a fault to report: it was found above.
            State::Live | State::Faulted => Health::Live,
            State::Draining => Health::Draining,
            State::Closed => Health::Closed,
        }
    }

    /// Whether `other` is a handle of the same opening, as objects that are used together must be. Errors: `MixedDevices`, which names both.
    pub fn same_as(&self, other: &Self) -> Result<()> {
        let (left, right) = (self.shared(), other.shared());
        match Arc::ptr_eq(left, right) {
            true => Ok(()),
            false => Err(Error::MixedDevices { left: left.name(), right: right.name() }),
        }
    }

    /// This thread's current stream; claims one at the first call. May block under [`StreamPolicy::Wait`].
    /// Errors: `NoStream`, `StreamTimeout`, `Closed`, `Fault`, `ThreadExiting`, `ForkedChild`.
    pub fn current_stream(&self) -> Result<Stream> {
        self.shared().current_stream()
    }

    /// A stream of the pool for the caller to keep, apart from its current one. Errors: as [`Device::current_stream`].
    pub fn acquire_stream(&self) -> Result<Stream> {
        Stream::leased(self.shared(), None)
    }

    /// The same, waiting for a free stream at most `limit` whatever the policy. Blocks the host. Errors: `StreamTimeout`, and those of
    /// [`Device::current_stream`].
    pub fn acquire_stream_within(&self, limit: Duration) -> Result<Stream> {
        Stream::leased(self.shared(), Some(StreamPolicy::Wait(limit)))
    }

    /// Makes `stream` current on this thread until the guard drops. Errors: `MixedDevices`, `Closed`.
    pub fn with_stream(&self, stream: &Stream) -> Result<StreamGuard> {
        StreamGuard::enter(self.shared(), stream)
    }

    /// Gives this thread's stream back and flushes its caches, as its exit would. The next operation claims a stream again.
    pub fn leave_thread(&self) {
        thread_state::leave_device(self.shared());
    }

    /// Blocks the host until the current stream has completed everything enqueued so far. Errors: `Fault`, and those of [`Device::current_stream`].
    #[track_caller]
    pub fn synchronize(&self) -> Result<()> {
        let here = thread_state::begin(self.shared())?;
        self.shared().synchronize_stream(here.slot, None)
    }

    /// Blocks the host until every stream has completed what was enqueued before the call, or `deadline`; also where some of it is lost. Errors: `Fault`, `Timeout`.
    #[track_caller]
    pub fn synchronize_all(&self, deadline: Option<Instant>) -> Result<()> {
        let shared = self.shared();
        shared.check_process()?;
        let why = Why::here("device").of_many();
        let waited = try_enter(|held| {
            let mut all = Ok(());
            for slot in shared.streams.created() {
                let one = shared.await_seq(held, slot, shared.streams.slot(slot).published(), deadline, why);
                all = all.and(one);
            }
            all
        });
        shared.settle_imports();
        waited.ok_or(Error::Reentered)?
    }

    /// Counters of every protocol step, and the probes' switches.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.shared().evidence
    }

    /// Streams claimed just now.
    #[must_use]
    pub fn leases(&self) -> usize {
        self.shared().leases()
    }

    /// Threads that wait for a stream just now.
    #[must_use]
    pub fn stream_waiters(&self) -> u32 {
        self.shared().streams.permits().waiting()
    }

    /// Claims that were served without a wait while another one waited: the most in one wait, so far. Each began before that wait: at most one for each other thread.
    #[must_use]
    pub fn stream_overtaken_max(&self) -> u64 {
        if self.shared().check_process().is_err() {
            return 0;
        }
        try_enter(|held| self.shared().streams.permits().overtaken_max(held)).unwrap_or(0)
    }

    /// Flushes in progress just now.
    #[must_use]
    pub fn flushes_in_progress(&self) -> u32 {
        self.shared().gate.inside()
    }

    /// What the profiler's rings hold. May be called while threads run. Empty in a forked child.
    #[must_use]
    pub fn trace(&self) -> Trace {
        if self.shared().check_process().is_err() {
            return Trace::default();
        }
        try_enter(|held| self.shared().read_trace(held)).unwrap_or_default()
    }

    /// Keeps a sample of the memory's figures for the next [`Device::trace`]; the newest 16,384 are kept. It takes a few short locks and looks at the cache of every thread, so the caller says how
    /// often: a thread of its own, a thousand times a second, is plenty. Does nothing in a forked child, from inside a call of the runtime, and with the profiler off.
    pub fn sample_memory(&self) {
        let shared = self.shared();
        if shared.options.profiler && shared.check_process().is_ok() {
            let _ = try_enter(|held| {
                let sample = shared.memory_sample(held);
                shared.profiler.sample(held, sample);
            });
        }
    }

    /// Closes the device: refuses new work, waits for flushes and submissions, drains the streams, collects freed memory and gives segments back. Blocks the
    /// host, at most until `deadline` has passed. A second call returns the first one's report.
    pub fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        // A deadline beyond what a clock can say is a year.
        let now = Instant::now();
        self.shared().shutdown(now.checked_add(deadline).unwrap_or(now + Duration::from_secs(31_536_000)))
    }
}
