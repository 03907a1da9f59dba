//! A scope in which another stream is current.

use std::marker::PhantomData;

use millstream_sync::Arc;

use super::{Kept, Stream};
use crate::device::Shared;
use crate::error::{Error, Result};
use crate::thread_state;

/// Makes a stream current on this thread until it is dropped, on unwind too. Guards nest; they are dropped in reverse order (`!Send`).
/// Leaving flushes the thread's cache for that stream into the stream's pool.
///
/// A guard is of its thread:
///
/// ```compile_fail,E0277
/// fn send<T: Send>() {}
/// send::<millstream_runtime::StreamGuard>();
/// ```
#[derive(Debug)]
pub struct StreamGuard {
    shared: Arc<Shared>,
    slot: u16,
    depth: usize,
    /// Keeps a lease of the stream alive as long as the guard.
    _stream: Stream,
    /// Keeps the thread's own lease.
    _own: Option<Kept>,
    _not_send: PhantomData<*mut ()>,
}

impl StreamGuard {
    pub(crate) fn enter(shared: &Arc<Shared>, stream: &Stream) -> Result<Self> {
        if !Arc::ptr_eq(shared, &stream.shared) {
            return Err(Error::MixedDevices { left: shared.name(), right: stream.shared.name() });
        }
        shared.check()?;
        let (depth, own) = thread_state::push_guard(shared, stream.slot)?;
        let (shared, slot, stream) = (shared.clone(), stream.slot, stream.clone());
        Ok(Self { shared, slot, depth, _stream: stream, _own: own, _not_send: PhantomData })
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        // In a forked child the locks may be those of threads that are not there.
        if self.shared.check_process().is_err() {
            return;
        }
        if let Some(cache) = thread_state::pop_guard(&self.shared, self.slot, self.depth) {
            self.shared.flush(&cache);
        }
    }
}
