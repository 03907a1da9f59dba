//! `CURRENT_STREAM`: the stream that a thread's operations go to.
//!
//! It is the innermost guard's stream, else the thread's lease, taken at the thread's first use of the device.

use millstream_sync::Arc;

use super::Stream;
use crate::device::Shared;
use crate::error::Result;
use crate::thread_state;

impl Shared {
    /// This thread's current stream on the device; claims one at the first call. Errors: as [`Shared::claim`], `ThreadExiting`, `ForkedChild`.
    pub(crate) fn current_stream(self: &Arc<Self>) -> Result<Stream> {
        let here = thread_state::begin(self)?;
        Ok(Stream::current(self, &here))
    }
}
