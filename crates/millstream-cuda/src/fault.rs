//! The first failure of the device, kept for ever.
//!
//! The driver reports a failure at some later call, and from then on at every call: no value of the device can be had any more. So the fault
//! is of the whole device, and which operation failed is not known: the runtime lists all that were not complete.
//!
//! **Invariants**
//! * `first-wins`: the fault never changes once it is set.

use millstream_hal::{Error, Fault};
use millstream_sync::OnceLock;

#[derive(Debug, Default)]
pub(crate) struct FaultCell(OnceLock<Fault>);

impl FaultCell {
    pub(crate) fn set(&self, fault: impl FnOnce() -> Fault) -> &Fault {
        self.0.get_or_init(fault)
    }

    pub(crate) fn read(&self) -> Option<&Fault> {
        self.0.get()
    }

    /// Errors: [`Error::Fault`], once there is one.
    #[inline]
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.0.get().map_or(Ok(()), |fault| Err(fault.error()))
    }
}
