//! What the profiler kept, as plain data.

use std::panic::Location;

use super::{LimboStay, MemorySample};

/// What the rings held when they were read.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Threads by number, with their names.
    pub threads: Vec<(u32, String)>,
    /// Operations and host syncs, by start.
    pub spans: Vec<Span>,
    /// Hand-overs from stream to stream.
    pub arrows: Vec<Arrow>,
    /// Freed blocks that waited for other streams.
    pub limbo: Vec<LimboStay>,
    /// From when on `limbo` is complete, in microseconds from the opening of the device.
    pub limbo_from_us: f64,
    /// What [`crate::Device::sample_memory`] saw, oldest first.
    pub memory: Vec<MemorySample>,
    /// Records of the rings here that newer ones have overwritten.
    pub overwritten: u64,
}

/// Something that lasted.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Kernel, or reason of a host sync.
    pub name: &'static str,
    /// Number of the thread, from 1, in order of first use of the device.
    pub thread: u32,
    /// Slot of the stream.
    pub stream: u16,
    /// Position in the stream.
    pub seq: u64,
    /// Start, in microseconds from the opening of the device.
    pub start_us: f64,
    /// End, likewise. For inline streams it is the end of the work, otherwise of the submission.
    pub end_us: f64,
    /// Whether the host asked for the position to be reached; otherwise it is an operation.
    pub host_sync: bool,
    /// Of a host sync: whether the position was not reached yet, so that the host had to wait.
    pub waited: bool,
    /// Of a host sync: the line that asked for it. A wait that an allocation makes has the line in the allocator.
    pub at: Option<&'static Location<'static>>,
}

/// A value written on one stream was used on another, which had not been ordered after it before.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrow {
    /// Slot and position of the writer.
    pub from: (u16, u64),
    /// Slot and position of the reader.
    pub to: (u16, u64),
    /// When it was submitted, in microseconds from the opening of the device.
    pub at_us: f64,
    /// Whether the reader's stream was made to wait on the device; otherwise the writer was complete.
    pub waited: bool,
}
