//! Seeded bugs: one switch for each place where systems of this kind broke before.
//!
//! Without the feature `seeded-bugs` every question is the constant `false` and costs nothing. A round with the feature shows that the
//! attempts catch each one; nothing else may use it.

/// A bug that can be switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Bug {
    /// A cross-stream use enqueues no wait for the producer.
    SkippedWait = 0,
    /// The use set keeps only the newest foreign stream.
    LostSecondUser,
    /// A freed block is reused without a look at the stamps of its users.
    EarlyReuse,
    /// An inbox is emptied by its first owner only.
    StrandedInbox,
    /// A flush goes on after the device has closed.
    FlushAfterClose,
    /// A released stream wakes no waiter.
    LostWakeup,
    /// A waiter that timed out keeps the permit that it was granted.
    SwallowedPermit,
    /// The allocator's lock is taken before the pool's.
    LockOrder,
    /// A claim is not checked against the pool's state a second time.
    ClaimUnchecked,
    /// A lease is given back twice.
    DoubleReturn,
    /// An event goes back to its pool before its mark was reached.
    EventReuse,
    /// A read after a fault reports success.
    SuccessAfterFault,
    /// A flush that unwinds leaves its count behind.
    CountLeftBehind,
    /// A value computed from a lost one on another stream reads as success.
    PoisonLost,
    /// A lease is revoked although its owner is inside an operation.
    RevokeBusy,
    /// The hook at the end of the process leaves the gates of live devices open.
    ExitGateOpen,
    /// The hook at the end of the process waits for nobody who is inside a call.
    ExitUnwaited,
    /// The deleter of imported memory does not wait for the memory's users.
    EarlyDeleter,
    /// The answer to a request wakes nobody who waits for it.
    UnwokenCaller,
}

impl Bug {
    /// All bugs, in the order of the report.
    pub const ALL: [Self; 19] = [
        Self::SkippedWait,
        Self::LostSecondUser,
        Self::EarlyReuse,
        Self::StrandedInbox,
        Self::FlushAfterClose,
        Self::LostWakeup,
        Self::SwallowedPermit,
        Self::LockOrder,
        Self::ClaimUnchecked,
        Self::DoubleReturn,
        Self::EventReuse,
        Self::SuccessAfterFault,
        Self::CountLeftBehind,
        Self::PoisonLost,
        Self::RevokeBusy,
        Self::ExitGateOpen,
        Self::ExitUnwaited,
        Self::EarlyDeleter,
        Self::UnwokenCaller,
    ];

    /// Name on the command line and in reports.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::SkippedWait => "skipped-wait",
            Self::LostSecondUser => "lost-second-user",
            Self::EarlyReuse => "early-reuse",
            Self::StrandedInbox => "stranded-inbox",
            Self::FlushAfterClose => "flush-after-close",
            Self::LostWakeup => "lost-wakeup",
            Self::SwallowedPermit => "swallowed-permit",
            Self::LockOrder => "lock-order",
            Self::ClaimUnchecked => "claim-unchecked",
            Self::DoubleReturn => "double-return",
            Self::EventReuse => "event-reuse",
            Self::SuccessAfterFault => "success-after-fault",
            Self::CountLeftBehind => "count-left-behind",
            Self::PoisonLost => "poison-lost",
            Self::RevokeBusy => "revoke-busy",
            Self::ExitGateOpen => "exit-gate-open",
            Self::ExitUnwaited => "exit-unwaited",
            Self::EarlyDeleter => "early-deleter",
            Self::UnwokenCaller => "unwoken-caller",
        }
    }

    /// The bug of that name.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bug| bug.id() == id)
    }
}

/// Whether this build can plant bugs.
#[must_use]
pub const fn compiled_in() -> bool {
    cfg!(feature = "seeded-bugs")
}

#[cfg(feature = "seeded-bugs")]
mod switch {
    use std::sync::atomic::{AtomicU32, Ordering};

    static PLANTED: AtomicU32 = AtomicU32::new(u32::MAX);

    /// Plants one bug for the rest of the process.
    pub fn plant(bug: super::Bug) {
        PLANTED.store(bug as u32, Ordering::Relaxed);
    }

    /// Whether `bug` is planted.
    #[inline]
    pub fn is(bug: super::Bug) -> bool {
        PLANTED.load(Ordering::Relaxed) == bug as u32
    }
}

#[cfg(not(feature = "seeded-bugs"))]
mod switch {
    /// Never, in this build.
    #[inline]
    pub const fn is(_bug: super::Bug) -> bool {
        false
    }
}

pub use switch::*;
