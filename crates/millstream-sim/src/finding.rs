//! What the checker found, as data.

use std::fmt;
use std::ops::Range;

/// One operand of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// Stream that ran it.
    pub stream: u32,
    /// Position in the stream.
    pub seq: u64,
    /// What ran.
    pub kernel: &'static str,
    /// Which operand, outputs first.
    pub operand: usize,
    /// Whether it writes.
    pub write: bool,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let does = if self.write { "writes" } else { "reads" };
        write!(f, "{} on stream {} at {} {does} operand {}", self.kernel, self.stream, self.seq, self.operand)
    }
}

/// Two accesses to the same bytes, at least one a write, that no stream order, wait or completion seen by the host puts in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Race {
    /// The one that happened to run first.
    pub first: Access,
    /// The other.
    pub second: Access,
    /// First byte of the segment or of the staging memory.
    pub base: u64,
    /// The bytes that both touch, counted from the base.
    pub range: Range<usize>,
}

/// A breach of the contract of millstream-hal by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// Accesses without order.
    Race(Race),
    /// An operation reads bytes that were never written.
    UninitialisedRead {
        /// The read.
        access: Access,
        /// First byte of the segment.
        base: u64,
        /// The bytes, counted from the base.
        range: Range<usize>,
    },
    /// An operation reads bytes that were poisoned after they were freed.
    PoisonedRead {
        /// The read.
        access: Access,
        /// First byte of the segment.
        base: u64,
        /// The bytes, counted from the base.
        range: Range<usize>,
    },
    /// An operand lies in a segment or staging memory that was released.
    UseAfterRelease {
        /// The access.
        access: Access,
        /// Address of the operand.
        address: u64,
    },
    /// An operand lies in no memory of the device, or reaches beyond it, or the kernel reaches beyond the operand.
    OutOfBounds {
        /// The access.
        access: Access,
        /// Address of the operand.
        address: u64,
        /// Bytes that the kernel touches from there on.
        bytes: usize,
    },
    /// An operand says `Read` where the kernel writes, or the other way round.
    WrongAccess {
        /// What the kernel does.
        access: Access,
    },
    /// The kernel cannot run with its operands.
    BadLaunch {
        /// Stream of the launch.
        stream: u32,
        /// Its position.
        seq: u64,
        /// Why.
        reason: String,
    },
    /// Memory was released while work that names it had not completed, or was not known to the host to have completed.
    ReleaseUnfinished {
        /// First byte of the memory.
        base: u64,
        /// Stream of such work.
        stream: u32,
    },
    /// Memory was released that the device had not handed out, or twice.
    ReleaseUnknown {
        /// The address given.
        base: u64,
    },
    /// An event was destroyed while a wait for it had not completed, or was not known to the host to have completed.
    EventDestroyedInUse {
        /// The event.
        event: u32,
    },
    /// A destroyed event, or one that never was, is used.
    UseOfDeadEvent {
        /// The event.
        event: u32,
    },
    /// A stream was destroyed before its work had completed.
    StreamDestroyedInUse {
        /// The stream.
        stream: u32,
    },
    /// A destroyed stream, or one that never was, is used.
    UseOfDeadStream {
        /// The stream.
        stream: u32,
    },
    /// Two threads were inside enqueues of one stream at once.
    ConcurrentEnqueue {
        /// The stream.
        stream: u32,
    },
    /// A position is not above the one of the launch before it.
    SeqNotIncreasing {
        /// The stream.
        stream: u32,
        /// The position before.
        before: u64,
        /// The position given.
        seq: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Race(Race { first, second, base, range }) => {
                write!(f, "race on bytes {range:?} of {base:#x}: {first}; {second}")
            }
            Self::UninitialisedRead { access, base, range } => {
                write!(f, "bytes {range:?} of {base:#x} were never written: {access}")
            }
            Self::PoisonedRead { access, base, range } => {
                write!(f, "bytes {range:?} of {base:#x} were freed and poisoned: {access}")
            }
            Self::UseAfterRelease { access, address } => write!(f, "memory at {address:#x} was released: {access}"),
            Self::OutOfBounds { access, address, bytes } => {
                write!(f, "{bytes} bytes at {address:#x} are out of bounds: {access}")
            }
            Self::WrongAccess { access } => write!(f, "operand with the wrong access: {access}"),
            Self::BadLaunch { stream, seq, reason } => write!(f, "launch on stream {stream} at {seq}: {reason}"),
            Self::ReleaseUnfinished { base, stream } => {
                write!(f, "memory at {base:#x} was released before work of stream {stream} was known to be done")
            }
            Self::ReleaseUnknown { base } => write!(f, "memory at {base:#x} was released but is not handed out"),
            Self::EventDestroyedInUse { event } => {
                write!(f, "event {event} was destroyed before a wait for it was known to be done")
            }
            Self::UseOfDeadEvent { event } => write!(f, "event {event} is used but does not live"),
            Self::StreamDestroyedInUse { stream } => write!(f, "stream {stream} was destroyed with work in it"),
            Self::UseOfDeadStream { stream } => write!(f, "stream {stream} is used but does not live"),
            Self::ConcurrentEnqueue { stream } => write!(f, "two threads enqueue on stream {stream} at once"),
            Self::SeqNotIncreasing { stream, before, seq } => {
                write!(f, "position {seq} on stream {stream} after position {before}")
            }
        }
    }
}
