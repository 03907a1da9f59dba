//! Stays of freed blocks in limbo that have ended: when, how many bytes, and what for.
//!
//! A bounded queue of plain values, noted when a block leaves: whoever finds it full throws the oldest away. It takes no lock.

use millstream_sync::atomic::{AtomicU64, Ordering};
use millstream_sync::{BoundedQueue, OnceLock};

use super::Profiler;

/// Stays that are kept: the newest.
const KEPT: usize = 4096;

/// A freed block that waited until other streams had ended their use of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LimboStay {
    /// A number of its own.
    pub ticket: u64,
    /// Size of the block in bytes.
    pub bytes: usize,
    /// The stream that it belongs to.
    pub stream: u16,
    /// The first stream and position that it waited for.
    pub waits_for: (u16, u64),
    /// When it came, in microseconds from the opening of the device.
    pub entered_us: f64,
    /// When it left; `None`: it is still there.
    pub left_us: Option<f64>,
}

/// The same in the units of the clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stay {
    pub(crate) ticket: u64,
    pub(crate) bytes: usize,
    pub(crate) stream: u16,
    pub(crate) waits_for: (u16, u64),
    pub(crate) entered: u64,
}

impl Stay {
    /// As a trace has it; `left` in the units of the clock.
    pub(crate) fn shown(&self, profiler: &Profiler, left: Option<u64>) -> LimboStay {
        let Self { ticket, bytes, stream, waits_for, entered } = *self;
        let left_us = left.map(|raw| profiler.micros(raw));
        LimboStay { ticket, bytes, stream, waits_for, entered_us: profiler.micros(entered), left_us }
    }
}

/// Stays that have ended.
#[derive(Debug, Default)]
pub(crate) struct Stays {
    ended: OnceLock<BoundedQueue<(Stay, u64)>>,
    /// When the last one left that was thrown away.
    forgotten: AtomicU64,
}

impl Stays {
    /// Keeps that `stay` ended at `left`.
    pub(crate) fn note(&self, stay: Stay, left: u64) {
        let ended = self.ended.get_or_init(|| BoundedQueue::with_capacity(KEPT));
        let mut entry = (stay, left);
        while let Err(back) = ended.try_push(entry) {
            if let Some((_, left)) = ended.try_pop() {
                self.forgotten.fetch_max(left, Ordering::Relaxed);
            }
            entry = back;
        }
    }

    /// What is kept, and from when on nothing is missing. It stays kept; what is noted meanwhile may come before it.
    pub(super) fn read(&self, profiler: &Profiler) -> (Vec<LimboStay>, f64) {
        let Some(ended) = self.ended.get() else { return (Vec::new(), 0.0) };
        let mut read = Vec::new();
        while read.len() < ended.capacity()
            && let Some(entry) = ended.try_pop()
        {
            read.push(entry);
        }
        for (stay, left) in &read {
            if ended.try_push((*stay, *left)).is_err() {
                self.forgotten.fetch_max(*left, Ordering::Relaxed);
            }
        }
        let from = match self.forgotten.load(Ordering::Relaxed) {
            0 => 0.0,
            raw => profiler.micros(raw),
        };
        (read.iter().map(|(stay, left)| stay.shown(profiler, Some(*left))).collect(), from)
    }
}
