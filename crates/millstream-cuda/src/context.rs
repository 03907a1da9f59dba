//! The device's primary context, bound to a thread at its first call.
//!
//! The primary context is the one that other users of CUDA in the process share. A thread remembers for which context it was bound last, so that
//! the usual call costs a load and no driver call. Who makes another context current on a thread of theirs and uses this device there must put it back.

use std::cell::Cell;

use millstream_sync::Arc;
use millstream_sync::atomic::{AtomicU64, Ordering};

use crate::driver::{Answer, Driver, Handle};
use crate::unheard;

millstream_sync::thread_state! {
    /// Mechanism: `try_with` on a number without a destructor; the context that a thread is bound to, by its key
    static BOUND: Cell<u64> = const { Cell::new(0) }
}

/// Keys are never used again, unlike addresses of contexts.
static NEXT_KEY: AtomicU64 = AtomicU64::new(1);

/// A retained context.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) driver: Arc<Driver>,
    pub(crate) device: i32,
    pub(crate) context: Handle,
    key: u64,
}

impl Context {
    pub(crate) fn retain(driver: Arc<Driver>, device: i32) -> Answer<Self> {
        let context = driver.retain_primary(device)?;
        Ok(Self { driver, device, context, key: NEXT_KEY.fetch_add(1, Ordering::Relaxed) })
    }

    /// The driver, with this context current on the calling thread.
    #[inline]
    pub(crate) fn bound(&self) -> Answer<&Driver> {
        if BOUND.try_with(Cell::get) != Ok(self.key) {
            self.bind()?;
        }
        Ok(&self.driver)
    }

    #[cold]
    fn bind(&self) -> Answer {
        self.driver.set_current(self.context)?;
        // A thread whose locals are gone binds at every call.
        let _ = BOUND.try_with(|bound| bound.set(self.key));
        Ok(())
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // Ends the context when no other user of the process has it.
        let answer = self.driver.release_primary(self.device);
        unheard::keep(&self.driver, "the context was given back", answer);
    }
}
