//! A value that no two threads may touch at once: loom fails the case when they do.
#![expect(unsafe_code, reason = "loom's cell hands out pointers")]

use loom::cell::UnsafeCell;

/// The value.
pub struct Watched(UnsafeCell<u32>);

impl Watched {
    pub fn new(value: u32) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Reads it; others may read too.
    pub fn read(&self) -> u32 {
        // SAFETY: reading needs that nobody writes; true because loom ends the process on a write that is not ordered with this.
        self.0.with(|value| unsafe { *value })
    }

    /// Writes it.
    pub fn write(&self, new: u32) {
        // SAFETY: writing needs sole access; true because loom ends the process on an access that is not ordered with this.
        self.0.with_mut(|value| unsafe { *value = new });
    }

    /// Counts it up.
    pub fn count(&self) {
        self.write(self.read() + 1);
    }
}
