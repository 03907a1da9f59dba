//! Streams: the pool, the lease of a thread, the current stream, and the order between streams.

mod current;
mod guard;
mod lease;
mod order;
mod pool;

pub use guard::StreamGuard;
pub(crate) use lease::Lease;
pub use lease::{Stream, StreamPolicy};
pub(crate) use pool::{RECENT, StreamPool, Submission};
