//! Segments by plain allocation, within a limit, and pinned staging.
//!
//! Both calls may wait for the whole device, so the runtime makes them on slow paths alone. The allocation's size is not asked of the driver again: the
//! runtime gives the segment back as it got it.

use millstream_hal::{Error, Result, SEGMENT_ALIGN};
use millstream_sync::atomic::{AtomicUsize, Ordering};

use crate::driver::{Answer, Code, Driver};

/// The budget.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: usize,
    in_use: AtomicUsize,
}

/// Why there is no memory: there is none, or the device failed.
pub(crate) enum Refused {
    Memory(Error),
    Device(Code),
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, in_use: AtomicUsize::new(0) }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Takes at least `bytes`: address and size.
    pub(crate) fn take(&self, driver: &Driver, bytes: usize) -> std::result::Result<(u64, usize), Refused> {
        let none = |available| Refused::Memory(Error::OutOfMemory { requested: bytes, available });
        let size = bytes.max(1).checked_next_multiple_of(SEGMENT_ALIGN).filter(|size| *size <= self.limit);
        let size = size.ok_or_else(|| none(self.available()))?;
        self.reserve(size).ok_or_else(|| none(self.available()))?;
        match driver.allocate(size) {
            Ok(address) => Ok((address, size)),
            Err(code) => {
                self.in_use.fetch_sub(size, Ordering::Relaxed);
                if code != Code::OUT_OF_MEMORY {
                    return Err(Refused::Device(code));
                }
                let free = driver.memory().map_or(0, |(free, _)| free);
                Err(none(free.min(self.available())))
            }
        }
    }

    pub(crate) fn give_back(&self, driver: &Driver, address: u64, size: usize) -> Answer {
        let answer = driver.free(address);
        self.in_use.fetch_sub(size, Ordering::Relaxed);
        answer
    }

    fn available(&self) -> usize {
        self.limit.saturating_sub(self.in_use.load(Ordering::Relaxed))
    }

    fn reserve(&self, size: usize) -> Option<()> {
        // Too much for a moment is seen by another taker as less room, never as more.
        let before = self.in_use.fetch_add(size, Ordering::Relaxed);
        if before.saturating_add(size) <= self.limit {
            return Some(());
        }
        self.in_use.fetch_sub(size, Ordering::Relaxed);
        None
    }
}

/// Takes pinned memory of the host. Size and alignment of the driver's pages are above what the contract asks.
pub(crate) fn take_pinned(driver: &Driver, bytes: usize) -> std::result::Result<(u64, usize), Refused> {
    let size = bytes.max(1).checked_next_multiple_of(64).filter(|size| *size <= isize::MAX as usize);
    let none = || Refused::Memory(Error::OutOfMemory { requested: bytes, available: 0 });
    let size = size.ok_or_else(none)?;
    match driver.allocate_pinned(size) {
        Ok(address) => Ok((address, size)),
        Err(Code::OUT_OF_MEMORY) => Err(none()),
        Err(code) => Err(Refused::Device(code)),
    }
}

impl Refused {
    /// The error; what the device's failure is, `fault` says.
    pub(crate) fn into_error(self, fault: impl FnOnce(Code) -> Error) -> Error {
        match self {
            Self::Memory(error) => error,
            Self::Device(code) => fault(code),
        }
    }
}

/// Answers with a type of the contract.
pub(crate) fn settled<T>(taken: std::result::Result<T, Refused>, fault: impl FnOnce(Code) -> Error) -> Result<T> {
    taken.map_err(|refused| refused.into_error(fault))
}
