//! Faults are sticky: the first one is kept, and what depends on it says so.
//!
//! How far one reaches is the backend's word ([`FaultScope`]). After a failure that follows the data the device takes no work any more, what is ordered after the failing
//! operation is lost, and every other value stands and can be read; after the loss of the device nothing can. Why: docs/decisions/0006.
//!
//! **Invariants**
//! * `first-wins`: every error about a fault carries the first failure.
//! * `lost-is-ordered-after`: a value is refused exactly when its position is the failing one, or is ordered after it by its stream or through waits.
//!
//! **Checked by** tests/it/faults.rs, where the simulator's vector clocks are the judge; the attempt `faults`; specs/faults_and_reads.

use millstream_hal::{EventStatus, Fault, FaultScope};
use millstream_sync::gate::State;
use millstream_sync::lock::try_enter;
use millstream_sync::seeded::{self, Bug};
use millstream_sync::{Arc, OnceLock};

use crate::device::Shared;
use crate::error::{Error, Result};
use crate::evidence::Step;
use crate::memory::Buffer;
use crate::profile::Why;

mod report;

pub use report::{FaultReport, StreamAtFault, Suspect};

/// The first failure of a device.
#[derive(Debug, Default)]
pub(crate) struct FaultCell {
    first: OnceLock<Fault>,
}

impl Shared {
    /// Asks the backend whether it has failed, keeps the first answer and closes the gate for work.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        let fault = self.backend.fault()?;
        let first = self.faults.first.get_or_init(|| fault);
        self.gate.advance(State::Faulted);
        Some(first)
    }

    /// A launch was refused with `error`: a fault that the backend has seen closes the gate now.
    #[cold]
    pub(crate) fn note_refused(&self, error: &Error) {
        if matches!(error, Error::Fault(_)) {
            self.fault();
        }
    }

    /// Keeps an error that nobody can be told, other than a fault: that is kept already, and comes again at each call.
    pub(crate) fn keep_unless_fault<T>(&self, doing: &'static str, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(Error::Fault(_)) => None,
            Err(error) => {
                self.evidence.keep(doing, Err(error));
                None
            }
        }
    }

    /// Says whether the value at `seq` of stream `index` is lost by a fault. Final where the position was seen complete before. Errors: `Fault`.
    pub(crate) fn settled_fault(&self, index: u16, seq: u64) -> Result<()> {
        let Some(fault) = self.fault() else { return Ok(()) };
        if seeded::is(Bug::SuccessAfterFault) {
            return Ok(());
        }
        if fault.scope == FaultScope::Stream && self.poisoned_from(index).is_none_or(|from| seq < from) {
            return Ok(());
        }
        Err(Error::Fault(fault.error()))
    }

    /// The first lost position of stream `index`, on a device that has not been lost as a whole.
    fn poisoned_from(&self, index: u16) -> Option<u64> {
        let raw = self.streams.slot(index).raw()?;
        // The seeded bug knows the stream that failed, and forgets those that waited for it.
        if seeded::is(Bug::PoisonLost) && self.faults.first.get().is_some_and(|first| first.stream != raw) {
            return None;
        }
        self.backend.poisoned_from(raw)
    }

    /// What a mark says, a reached one being `Done` also where its position is lost: after a failure that follows the data marks answer `Fault` only when they are reached.
    pub(crate) fn mark_status(
        &self,
        answer: millstream_hal::Result<EventStatus>,
    ) -> millstream_hal::Result<EventStatus> {
        match answer {
            Err(millstream_hal::Error::Fault { .. })
                if self.fault().is_some_and(|fault| fault.scope == FaultScope::Stream) =>
            {
                Ok(EventStatus::Done)
            }
            answer => answer,
        }
    }

    /// The first bytes of each buffer, one after another, read outside of the streams once their values are complete: the way to the host that a failed device has left.
    /// Blocks the host. Errors: `Fault` for a value that is lost, `Closed`, `ForkedChild`, `MixedDevices`.
    #[track_caller]
    pub(crate) fn read_what_stands(self: &Arc<Self>, parts: &[(&Buffer, usize)]) -> Result<Vec<u8>> {
        self.check_readable()?;
        for (buffer, _) in parts {
            if !Arc::ptr_eq(self, buffer.shared()) {
                return Err(Error::MixedDevices { left: self.name(), right: buffer.shared().name() });
            }
            let (written, why) = (buffer.last_write(), Why::here("download"));
            try_enter(|held| self.await_seq(held, written.stream, written.seq, None, why))
                .ok_or(Error::Reentered)??;
        }
        let mut read = vec![0; parts.iter().map(|(_, bytes)| bytes).sum()];
        let mut rest = read.as_mut_slice();
        for (buffer, bytes) in parts {
            let (to, later) = rest.split_at_mut(*bytes);
            self.backend.read_back(buffer.block().address(), to).map_err(Error::backend("reading a value back"))?;
            rest = later;
        }
        self.evidence.hit(Step::ReadAfterFault);
        Ok(read)
    }

    /// Bytes of `buffer` from byte `from` on, read outside of the streams once its value is complete. Blocks the host. Errors: as [`Shared::read_what_stands`].
    #[track_caller]
    pub(crate) fn read_value(self: &Arc<Self>, buffer: &Buffer, from: usize, to: &mut [u8], why: Why) -> Result<()> {
        self.check_readable()?;
        if !Arc::ptr_eq(self, buffer.shared()) {
            return Err(Error::MixedDevices { left: self.name(), right: buffer.shared().name() });
        }
        let written = buffer.last_write();
        try_enter(|held| self.await_seq(held, written.stream, written.seq, None, why)).ok_or(Error::Reentered)??;
        let address = buffer.block().address().offset(from);
        self.backend.read_back(address, to).map_err(Error::backend("reading a value"))?;
        self.settle_imports();
        if !self.gate.is_live() {
            self.evidence.hit(Step::ReadAfterFault);
        }
        Ok(())
    }

    /// Whether values may be read: while the device is live or has failed. Errors: `Closed`, `ForkedChild`.
    pub(crate) fn check_readable(&self) -> Result<()> {
        self.check_process()?;
        if self.gate.state() <= State::Faulted { Ok(()) } else { Err(self.refusal()) }
    }

    /// Why the device takes no work.
    pub(crate) fn refusal(&self) -> Error {
        match (self.gate.state(), self.faults.first.get()) {
            (State::Faulted, Some(fault)) => Error::Fault(fault.error()),
            _ => Error::Closed,
        }
    }
}
