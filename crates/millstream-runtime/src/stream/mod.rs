//! Streams: the pool, the lease of a thread, the current stream, and the order between streams.

mod current;
mod guard;
mod lease;
mod load;
mod order;
mod pool;
mod revoke;
mod work;

pub use guard::StreamGuard;
pub(crate) use lease::Kept;
pub(crate) use lease::Lease;
pub use lease::{Stream, StreamPolicy};
pub(crate) use pool::{RECENT, StreamPool, Submission};
pub(crate) use work::Work;
