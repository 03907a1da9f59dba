//! Figures of the memory over time. Nobody samples by itself: live and cached bytes have no shared word, so a sample looks at every thread's cache, and who wants samples says how often.

use std::collections::VecDeque;

/// Samples that are kept: the newest.
const KEPT: usize = 16_384;

/// Memory of a device at one moment, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MemorySample {
    /// When, in microseconds from the opening of the device.
    pub at_us: f64,
    /// In blocks of live buffers.
    pub live_bytes: usize,
    /// In thread caches.
    pub cached_bytes: usize,
    /// Freed but still in use elsewhere.
    pub limbo_bytes: usize,
    /// Taken from the device.
    pub reserved_bytes: usize,
}

/// The newest samples.
#[derive(Debug, Default)]
pub(super) struct Samples {
    kept: VecDeque<MemorySample>,
}

impl Samples {
    pub(super) fn keep(&mut self, sample: MemorySample) {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(sample);
    }

    pub(super) fn all(&self) -> Vec<MemorySample> {
        self.kept.iter().copied().collect()
    }
}
