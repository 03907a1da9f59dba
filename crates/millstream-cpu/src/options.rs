//! How a CPU device is opened.

use crate::Level;

/// Who runs the work of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The threads that call in (device `cpu`): a stream is driven by whoever enqueued on it.
    Inline,
    /// A worker thread per stream (device `cpu:queued`): asynchrony is real.
    Queued,
}

/// Options of [`crate::CpuBackend::new`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuOptions {
    /// Who runs the work.
    pub mode: Mode,
    /// Processors to use: the calling thread and `threads - 1` private helpers for large operations. `None`: as many as the process may use.
    pub threads: Option<usize>,
    /// Memory that segments and staging may take in all. `None`: that of the machine or of its control group.
    pub memory_bytes: Option<usize>,
    /// Items that a stream's queue holds before an enqueue waits for room.
    pub queue_capacity: usize,
    /// Sleeps a pseudo-random time before each item, to shake schedules; the times depend on this seed, stream and position. Queued mode only.
    pub delay_seed: Option<u64>,
    /// Longest such sleep, in microseconds.
    pub delay_micros_max: u32,
    /// Instruction set. `None`: the best of the processor.
    pub level: Option<Level>,
}

impl CpuOptions {
    /// Device `cpu`.
    #[must_use]
    pub fn inline() -> Self {
        Self {
            mode: Mode::Inline,
            threads: None,
            memory_bytes: None,
            queue_capacity: 256,
            delay_seed: None,
            delay_micros_max: 200,
            level: None,
        }
    }

    /// Device `cpu:queued`.
    #[must_use]
    pub fn queued() -> Self {
        Self { mode: Mode::Queued, ..Self::inline() }
    }

    /// Processors to use, at least one.
    pub(crate) fn cores(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1)
    }
}
