//! The first failure of the device, kept for ever.
//!
//! A kernel that panics makes its stream faulty from its position on; a stream that waits for a faulty position becomes faulty where
//! it waits. So failure follows the data. Streams still advance, so that nobody hangs.
//!
//! **Invariants**
//! * `first-wins`: the fault never changes once it is set.

use std::any::Any;

use millstream_hal::{Error, Fault, FaultScope, RawStream};
use millstream_sync::OnceLock;

#[derive(Debug, Default)]
pub(crate) struct FaultCell(OnceLock<Fault>);

impl FaultCell {
    pub(crate) fn set(&self, stream: RawStream, seq: u64, kernel: &'static str, panic: &(dyn Any + Send)) {
        self.0.get_or_init(|| Fault { scope: FaultScope::Stream, stream, seq, kernel, reason: reason(panic) });
    }

    pub(crate) fn read(&self) -> Option<&Fault> {
        self.0.get()
    }

    /// Errors: [`Error::Fault`], once there is one.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.0.get().map_or(Ok(()), |fault| Err(fault.error()))
    }
}

/// What a panic said.
fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_stays() {
        let cell = FaultCell::default();
        assert!(cell.check().is_ok() && cell.read().is_none());
        cell.set(RawStream(3), 7, "add", &"first");
        cell.set(RawStream(4), 8, "mul", &String::from("second"));
        assert_eq!(cell.read().map(|f| (f.stream, f.seq, f.reason.as_str())), Some((RawStream(3), 7, "first")));
        assert!(matches!(cell.check(), Err(Error::Fault { stream: 3, seq: 7, kernel: "add", .. })));
    }
}
