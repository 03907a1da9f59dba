//! What a caller of the runtime can act on.

use std::path::PathBuf;
use std::time::Duration;

use millstream_sync::Arc;

use crate::memory::Ladder;
use crate::memory::dlpack::DlPackError;

/// Result of a runtime call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the runtime. Each variant is something to act on differently.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No memory, after every rung of the ladder: drop tensors, raise the budget, or use a smaller batch.
    #[error("out of memory: {requested} bytes requested of a budget of {budget}; {ladder}")]
    OutOfMemory {
        /// Bytes asked for.
        requested: usize,
        /// The device's byte budget.
        budget: usize,
        /// What every rung found.
        ladder: Box<Ladder>,
    },
    /// The device takes no work any more: it was shut down or its last handle is gone.
    #[error("the device is shutting down or closed")]
    Closed,
    /// The device has failed; everything on it fails from now on. Open it again in a new process.
    #[error("the device has failed")]
    Fault(#[source] millstream_hal::Error),
    /// This thread is ending and its thread-locals are gone.
    #[error("the thread is exiting: its streams and caches are gone")]
    ThreadExiting,
    /// This process is a fork of the one that opened the device. Open devices after the fork.
    #[error("the device was opened before this process was forked; open it in the child")]
    ForkedChild,
    /// All streams are taken and the policy is `Fail`.
    #[error("all {streams} streams are taken (policy Fail)")]
    NoStream {
        /// Streams of the pool.
        streams: usize,
    },
    /// All streams were taken for as long as the policy `Wait` allows.
    #[error("no stream became free within {waited:?} ({streams} streams, policy Wait)")]
    StreamTimeout {
        /// How long the claim waited.
        waited: Duration,
        /// Streams of the pool.
        streams: usize,
    },
    /// The deadline passed before the work was done. The work goes on.
    #[error("not done within {waited:?}")]
    Timeout {
        /// How long the host waited.
        waited: Duration,
    },
    /// Objects of different devices were used together.
    #[error("objects of different devices were used together: {left} and {right}")]
    MixedDevices {
        /// One device.
        left: String,
        /// The other.
        right: String,
    },
    /// More bytes of a buffer were asked for than it has.
    #[error("{asked} bytes of a buffer of {bytes}")]
    BeyondEnd {
        /// Bytes asked for.
        asked: usize,
        /// Bytes of the buffer.
        bytes: usize,
    },
    /// The device cannot do this at all.
    #[error("{what} is not supported by {device}")]
    Unsupported {
        /// What was asked.
        what: &'static str,
        /// The device.
        device: String,
    },
    /// A file could not be opened, looked at or mapped.
    #[error("cannot map {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// A file has fewer bytes than were asked for.
    #[error("cannot map {}: {needed} bytes are needed, it has {found}", path.display())]
    FileTooShort {
        /// The file.
        path: PathBuf,
        /// Offset and size asked for, added.
        needed: u64,
        /// Bytes of the file.
        found: u64,
    },
    /// A tensor of another library cannot be taken, or ours cannot be given so.
    #[error(transparent)]
    DlPack(DlPackError),
    /// The event was never recorded.
    #[error("the event was never recorded")]
    NotRecorded,
    /// The runtime was entered again from inside itself.
    #[error("the runtime was entered again from inside one of its own calls")]
    Reentered,
    /// The backend said no.
    #[error("{context}")]
    Backend {
        /// What was tried.
        context: &'static str,
        /// What the backend said.
        #[source]
        source: millstream_hal::Error,
    },
}

impl Error {
    pub(crate) fn backend(context: &'static str) -> impl FnOnce(millstream_hal::Error) -> Self {
        move |source| match source {
            millstream_hal::Error::Fault { .. } => Self::Fault(source),
            source => Self::Backend { context, source },
        }
    }
}
