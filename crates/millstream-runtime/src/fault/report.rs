//! What a failed device says about its failure: as data and in words.
//!
//! Where a device only says *that* it failed, the culprit is among the operations that no stream is known to have completed: the suspects. Each stream remembers the kernels of its
//! newest operations, one word for each, under the lock that a submission holds anyway.
//!
//! **Locks** `StreamSubmit`, one stream at a time; the driver is asked with nothing held.

use std::fmt;

use millstream_hal::{Fault, FaultScope};
use millstream_sync::lock::levels::Nothing;
use millstream_sync::lock::{Held, try_enter};

use crate::device::Shared;
use crate::stream::RECENT;

/// Suspects named in the text; the data have them all.
const NAMED_MAX: usize = 8;

/// An operation that was enqueued after the last position that its stream is known to have completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Suspect {
    /// Slot of the stream in the pool.
    pub stream: u16,
    /// Position in the stream.
    pub seq: u64,
    /// Its kernel.
    pub kernel: &'static str,
}

/// How far a stream had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamAtFault {
    /// Slot of the stream in the pool.
    pub stream: u16,
    /// The backend's number of the stream, as [`Fault`] has it.
    pub raw: u32,
    /// Last position known to be complete, and not lost.
    pub completed: u64,
    /// Last position that was enqueued.
    pub enqueued: u64,
    /// First lost position of a stream that the failure reached, where the backend can tell.
    pub poisoned_from: Option<u64>,
    /// Suspects of the stream whose names are forgotten, older than those listed.
    pub suspects_unnamed: u64,
}

/// The failure of a device, as [`crate::Device::health`] says it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultReport {
    /// The first failure. Its operation is the culprit where the backend runs the work itself (CPU, simulator), and where somebody noticed on other devices.
    pub first: Fault,
    /// Operations that no stream is known to have completed, by stream and position: the newest 64 of each stream at most.
    pub suspects: Vec<Suspect>,
    /// Every stream that was used.
    pub streams: Vec<StreamAtFault>,
}

impl fmt::Display for FaultReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reach = match self.first.scope {
            FaultScope::Stream => "what is ordered after it is lost, every other value can be read",
            FaultScope::Device => "the device is lost with all values on it",
        };
        write!(f, "{}; {reach}; operations not known to be complete: ", self.first.error())?;
        let unnamed: u64 = self.streams.iter().map(|stream| stream.suspects_unnamed).sum();
        if self.suspects.is_empty() && unnamed == 0 {
            return f.write_str("none");
        }
        for (i, Suspect { stream, seq, kernel }) in self.suspects.iter().take(NAMED_MAX).enumerate() {
            write!(f, "{}{kernel} (stream {stream}, {seq})", if i == 0 { "" } else { ", " })?;
        }
        match unnamed + self.suspects.len().saturating_sub(NAMED_MAX) as u64 {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

impl Shared {
    /// The report, if the device has failed. Asks the driver how far it has come; never waits.
    pub(crate) fn fault_report(&self) -> Option<FaultReport> {
        let first = self.fault()?.clone();
        let mut report = FaultReport { first, suspects: Vec::new(), streams: Vec::new() };
        // Inside one of our own calls the streams cannot be looked at: the first failure alone.
        let _ = try_enter(|held| {
            for index in self.streams.created() {
                self.look_at_stream(held, index, &mut report);
            }
        });
        Some(report)
    }

    fn look_at_stream(&self, held: &mut Held<'_, Nothing>, index: u16, report: &mut FaultReport) {
        let slot = self.streams.slot(index);
        let Some(raw) = slot.raw() else { return };
        let reached = self.poll(held, index);
        // After it: what was reached before it is final.
        let poisoned_from = self.backend.poisoned_from(raw);
        let completed = poisoned_from.map_or(reached, |from| reached.min(from - 1));
        let submission = held.lock(&slot.submit);
        let enqueued = submission.seq;
        let named = completed.max(enqueued.saturating_sub(RECENT as u64));
        let suspects = (named + 1..=enqueued).map(|seq| Suspect { stream: index, seq, kernel: submission.kernel(seq) });
        report.suspects.extend(suspects);
        report.streams.push(StreamAtFault {
            stream: index,
            raw: raw.0,
            completed,
            enqueued,
            poisoned_from,
            suspects_unnamed: named - completed,
        });
    }
}
