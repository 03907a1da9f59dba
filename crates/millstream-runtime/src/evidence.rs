//! What the runtime did, counted: a public, read-only view for rounds and dashboards.
//!
//! Counters sit on slow paths only. A counter that stays zero in a round shows that a path was not driven; the round is then incomplete.

use std::time::Duration;

use millstream_sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use millstream_sync::{Doorbell, OnceLock};

mod drop_errors;

pub use drop_errors::{DropError, DropErrors, drop_errors};

/// Where a named pattern of the first report stands in the sources: name, file, line.
#[must_use]
pub fn places() -> Vec<(&'static str, String)> {
    let file = crate::thread_state::FILE;
    let mut places: Vec<_> =
        crate::thread_state::PLACES.iter().map(|(name, line)| (*name, format!("{file}:{line}"))).collect();
    places.push(("BlockCache::flush", format!("{}:{}", crate::memory::FLUSH_AT.0, crate::memory::FLUSH_AT.1)));
    places
}

/// Runs `f` in a forked child of this process and returns its answer, 0 to 255; `None` when the fork failed or the child did not end by itself. For probes of fork detection:
/// the child ends without running destructors or exit hooks.
pub fn in_forked_child(f: impl FnOnce() -> u8) -> Option<u8> {
    crate::fork::in_child_process(f)
}

pub use crate::exit::ExitReport;

/// Has `f` called when the process ends by `exit`, after the hook that closes all devices, on the thread that ends it. For probes; the first call of the process counts.
pub fn after_exit_hook(f: impl Fn(ExitReport) + Send + Sync + 'static) {
    crate::exit::after_hook(Box::new(f));
}

/// A step of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Step {
    /// A stream was made to wait for another one on the device.
    WaitInserted,
    /// A cross-stream use needed no wait: already ordered or complete.
    WaitElided,
    /// A buffer's use set met a second foreign stream or a later one.
    LateSecondUser,
    /// A freed block went to limbo.
    LimboEntered,
    /// A block left limbo after its stamps.
    LimboLeft,
    /// A block was freed away from its stream and went through an inbox.
    InboxHandBack,
    /// An inbox was emptied by someone else than its stream's holder.
    InboxTakenByOther,
    /// A block of another stream's pool was taken after its stamps.
    Steal,
    /// An idle owner's cache was taken.
    IdleCacheReclaim,
    /// An allocation waited for another thread's growth.
    RacedGrowth,
    /// A segment was taken from the device.
    Growth,
    /// A segment went back to the device.
    SegmentReleased,
    /// An allocation was refused after every rung.
    OutOfMemory,
    /// A stream was claimed.
    LeaseClaimed,
    /// A claim shared a taken stream.
    LeaseShared,
    /// A claim waited for a stream.
    LeaseWait,
    /// A claim was undone because the pool closed in between.
    ClaimUndone,
    /// A lease was given back.
    LeaseReturned,
    /// The lease of an idle thread was revoked.
    LeaseRevoked,
    /// A lease was revoked while its owner was inside an operation. Must stay zero.
    RevokedInside,
    /// A lease was given back that was not held.
    DoubleReturn,
    /// A cache was flushed.
    Flush,
    /// A flush found the gate closed.
    FlushRefused,
    /// A flush unwound and was caught.
    FlushPanicked,
    /// A native event was recorded.
    EventRecorded,
    /// A native event was reused.
    EventReused,
    /// The host waited.
    HostWait,
    /// A drop could not take the token and left its work to others.
    DropDeferred,
    /// An error in a drop, a give-back or a thread's exit, which nobody was there to receive. See [`Evidence::drop_errors`].
    DropFailed,
    /// An event was recorded because limbo wanted its stream's progress.
    WantedRecorded,
    /// A block was put into a pool that a shutdown had dissolved. Must stay zero.
    PutAfterClose,
    /// Memory of others became a buffer.
    Imported,
    /// A dropped import was still in use and had to wait for its stamps.
    ImportWaited,
    /// A deleter of imported memory was called.
    ImportDeleted,
    /// A deleter panicked and was caught.
    DeleterPanicked,
    /// A block of a busy stream's pool was taken behind a wait on the device.
    StealBehindWait,
    /// An allocation gave its thread's own cache to the pool.
    OwnCacheTrimmed,
    /// An allocation waited on the host for the oldest position that held memory back.
    WaitedForOldest,
    /// A registered reclaimer freed memory.
    Reclaimed,
    /// Staging memory was used again after its transfer had completed.
    StagingReused,
    /// A transfer waited on the host because all staging memory was at work.
    StagingWait,
    /// A value that a fault did not reach was read from a failed device.
    ReadAfterFault,
}

impl Step {
    /// All steps, in the order of the report.
    pub const ALL: [Self; 42] = [
        Self::WaitInserted,
        Self::WaitElided,
        Self::LateSecondUser,
        Self::LimboEntered,
        Self::LimboLeft,
        Self::InboxHandBack,
        Self::InboxTakenByOther,
        Self::Steal,
        Self::IdleCacheReclaim,
        Self::RacedGrowth,
        Self::Growth,
        Self::SegmentReleased,
        Self::OutOfMemory,
        Self::LeaseClaimed,
        Self::LeaseShared,
        Self::LeaseWait,
        Self::ClaimUndone,
        Self::LeaseReturned,
        Self::LeaseRevoked,
        Self::RevokedInside,
        Self::DoubleReturn,
        Self::Flush,
        Self::FlushRefused,
        Self::FlushPanicked,
        Self::EventRecorded,
        Self::EventReused,
        Self::HostWait,
        Self::DropDeferred,
        Self::DropFailed,
        Self::WantedRecorded,
        Self::PutAfterClose,
        Self::Imported,
        Self::ImportWaited,
        Self::ImportDeleted,
        Self::DeleterPanicked,
        Self::StealBehindWait,
        Self::OwnCacheTrimmed,
        Self::WaitedForOldest,
        Self::Reclaimed,
        Self::StagingReused,
        Self::StagingWait,
        Self::ReadAfterFault,
    ];

    /// Name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WaitInserted => "wait_inserted",
            Self::WaitElided => "wait_elided",
            Self::LateSecondUser => "late_second_user",
            Self::LimboEntered => "limbo_entered",
            Self::LimboLeft => "limbo_left",
            Self::InboxHandBack => "inbox_hand_back",
            Self::InboxTakenByOther => "inbox_taken_by_other",
            Self::Steal => "steal",
            Self::IdleCacheReclaim => "idle_cache_reclaim",
            Self::RacedGrowth => "raced_growth",
            Self::Growth => "growth",
            Self::SegmentReleased => "segment_released",
            Self::OutOfMemory => "out_of_memory",
            Self::LeaseClaimed => "lease_claimed",
            Self::LeaseShared => "lease_shared",
            Self::LeaseWait => "lease_wait",
            Self::ClaimUndone => "claim_undone",
            Self::LeaseReturned => "lease_returned",
            Self::LeaseRevoked => "lease_revoked",
            Self::RevokedInside => "revoked_inside",
            Self::DoubleReturn => "double_return",
            Self::Flush => "flush",
            Self::FlushRefused => "flush_refused",
            Self::FlushPanicked => "flush_panicked",
            Self::EventRecorded => "event_recorded",
            Self::EventReused => "event_reused",
            Self::HostWait => "host_wait",
            Self::DropDeferred => "drop_deferred",
            Self::DropFailed => "drop_failed",
            Self::WantedRecorded => "wanted_recorded",
            Self::PutAfterClose => "put_after_close",
            Self::Imported => "imported",
            Self::ImportWaited => "import_waited",
            Self::ImportDeleted => "import_deleted",
            Self::DeleterPanicked => "deleter_panicked",
            Self::StealBehindWait => "steal_behind_wait",
            Self::OwnCacheTrimmed => "own_cache_trimmed",
            Self::WaitedForOldest => "waited_for_oldest",
            Self::Reclaimed => "reclaimed",
            Self::StagingReused => "staging_reused",
            Self::StagingWait => "staging_wait",
            Self::ReadAfterFault => "read_after_fault",
        }
    }
}

/// Counts of every device of this process, ended ones too. A counter is on a slow path, so that a second word costs nothing that counts.
static TOTALS: [AtomicU64; Step::ALL.len()] = [const { AtomicU64::new(0) }; Step::ALL.len()];

/// How often each step was taken in this process, on all devices together, in the order of [`Step::ALL`].
#[must_use]
pub fn totals() -> Vec<u64> {
    TOTALS.iter().map(|total| total.load(Ordering::Relaxed)).collect()
}

/// Counters of one device and the faults that a probe may inject.
#[derive(Debug)]
pub struct Evidence {
    steps: [AtomicU64; Step::ALL.len()],
    first_drop_error: OnceLock<DropError>,
    panic_in_flush: AtomicBool,
    pauses: [Pause; PausePoint::COUNT],
}

/// A place between two looks at the state, where a probe can hold a thread: the hole that the second look is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum PausePoint {
    /// A stream was claimed; the pool's state is about to be looked at again.
    ClaimBetweenChecks,
    /// A flush saw the device alive; it is about to look again.
    FlushBetweenChecks,
}

impl PausePoint {
    const COUNT: usize = 2;
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            steps: [const { AtomicU64::new(0) }; Step::ALL.len()],
            first_drop_error: OnceLock::new(),
            panic_in_flush: AtomicBool::new(false),
            pauses: [Pause::default(), Pause::default()],
        }
    }
}

const OFF: u32 = 0;
const ARMED: u32 = 1;
const REACHED: u32 = 2;

#[derive(Debug, Default)]
struct Pause {
    state: AtomicU32,
    bell: Doorbell,
}

impl Evidence {
    /// How often `step` was taken.
    #[must_use]
    pub fn count(&self, step: Step) -> u64 {
        self.steps[step as usize].load(Ordering::Relaxed)
    }

    /// All counts, in the order of [`Step::ALL`].
    #[must_use]
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        Step::ALL.into_iter().map(|step| (step.name(), self.count(step))).collect()
    }

    /// Makes the next flush of a thread's cache panic half-way, once. For probes: the process must live and no byte be lost.
    pub fn inject_panic_in_flush(&self) {
        self.panic_in_flush.store(true, Ordering::Relaxed);
    }

    /// Arms `point`: the next thread that comes there stays until [`Evidence::resume`]. For probes.
    pub fn arm(&self, point: PausePoint) {
        self.pauses[point as usize].state.store(ARMED, Ordering::Relaxed);
    }

    /// Waits until a thread has come to `point`. Blocks the host. `false`: none came in time.
    pub fn wait_reached(&self, point: PausePoint, timeout: Duration) -> bool {
        let pause = &self.pauses[point as usize];
        pause.bell.wait_until(Some(timeout), || pause.state.load(Ordering::Relaxed) == REACHED)
    }

    /// Lets the thread at `point` go on and disarms it.
    pub fn resume(&self, point: PausePoint) {
        let pause = &self.pauses[point as usize];
        pause.state.store(OFF, Ordering::Relaxed);
        pause.bell.ring();
    }

    pub(crate) fn pause(&self, point: PausePoint) {
        let pause = &self.pauses[point as usize];
        // ORDER: Relaxed: the doorbell's fences order what the probe does before and after.
        if pause.state.load(Ordering::Relaxed) == ARMED
            && pause.state.compare_exchange(ARMED, REACHED, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            pause.bell.ring();
            pause.bell.wait_until(None, || pause.state.load(Ordering::Relaxed) == OFF);
        }
    }

    pub(crate) fn take_panic_in_flush(&self) -> bool {
        self.panic_in_flush.load(Ordering::Relaxed) && self.panic_in_flush.swap(false, Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn hit(&self, step: Step) {
        self.steps[step as usize].fetch_add(1, Ordering::Relaxed);
        TOTALS[step as usize].fetch_add(1, Ordering::Relaxed);
    }
}
