//! What a simulated device is asked to be, and how it is asked to fail.

use std::ops::Range;

/// A simulated device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimOptions {
    /// Decides the order of completion and every random injection.
    pub seed: u64,
    /// Memory that segments may take in all, in bytes.
    pub memory_bytes: usize,
    /// Streams that a pool should have; at most [`SimOptions::STREAMS_MAX`] can live at a time.
    pub streams: usize,
    /// Whether accesses are checked for order, initialisation and life.
    pub checker: bool,
    /// Scratch memory that every matrix product and reduction asks for and overwrites, in bytes.
    pub workspace_bytes: usize,
    /// What goes wrong.
    pub injections: Injections,
}

impl SimOptions {
    /// Most streams that can live at a time.
    pub const STREAMS_MAX: usize = 256;

    /// 64 MiB, 32 streams, the checker on, nothing injected.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            memory_bytes: 64 << 20,
            streams: 32,
            checker: true,
            workspace_bytes: 0,
            injections: Injections::default(),
        }
    }
}

/// What goes wrong. Counts start at 1; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Injections {
    /// This segment allocation finds no memory.
    pub out_of_memory_at: Option<u64>,
    /// One segment allocation in so many finds no memory.
    pub out_of_memory_once_in: Option<u32>,
    /// The device is lost when it runs this launch: every later enqueue and allocation, and every question about work that
    /// had not completed, answers `Fault`.
    pub lost_at_launch: Option<u64>,
    /// This launch fails alone: what is ordered after it is skipped and lost, everything else runs. Later launches answer `Fault`.
    pub fails_at_launch: Option<u64>,
    /// An event may answer `Pending` up to so many times although its mark was reached.
    pub slow_events_max: u32,
    /// These give-backs answer an error, counted over segments, staging memory, streams, events and graphs; what is given back is gone all the same.
    pub give_backs_fail: Range<u64>,
    /// Streams that can live at a time; the next is `Exhausted`.
    pub streams_max: Option<usize>,
    /// Events that can live at a time; the next is `Exhausted`.
    pub events_max: Option<usize>,
}
