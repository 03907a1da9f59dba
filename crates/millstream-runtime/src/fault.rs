//! Faults are sticky: the first one is kept, and what depends on it says so.

use millstream_sync::OnceLock;
use millstream_sync::seeded::{self, Bug};

use crate::device::Shared;
use crate::error::{Error, Result};
use millstream_sync::gate::State;

/// The first failure of a device.
#[derive(Debug, Default)]
pub(crate) struct FaultCell {
    first: OnceLock<millstream_hal::Error>,
}

impl Shared {
    /// Asks the backend whether it has failed, keeps the first answer, and says whether the value at `seq` of stream `index` is lost by it.
    pub(crate) fn settled_fault(&self, index: u16, seq: u64) -> Result<()> {
        let Some(fault) = self.backend.fault() else { return Ok(()) };
        let error = self.faults.first.get_or_init(|| millstream_hal::Error::Fault {
            stream: fault.stream.0,
            seq: fault.seq,
            kernel: fault.kernel,
            reason: fault.reason.clone(),
        });
        self.gate.advance(State::Faulted);
        // The value was defined before the failing operation of its own stream: it stands.
        let raw = self.streams.slot(index).raw();
        if seeded::is(Bug::SuccessAfterFault) || (raw == Some(fault.stream) && seq < fault.seq) {
            return Ok(());
        }
        Err(Error::Fault(error.clone()))
    }

    /// Why the device takes no work.
    pub(crate) fn refusal(&self) -> Error {
        match (self.gate.state(), self.faults.first.get()) {
            (State::Faulted, Some(error)) => Error::Fault(error.clone()),
            _ => Error::Closed,
        }
    }
}
