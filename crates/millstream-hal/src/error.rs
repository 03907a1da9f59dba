//! What can go wrong below the runtime.

/// Result of a backend call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a backend or of the plain data it is given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device has no room for a segment. The runtime climbs down its ladder and may ask again.
    #[error("out of device memory: {requested} bytes requested, {available} available")]
    OutOfMemory {
        /// Bytes asked for.
        requested: usize,
        /// Bytes that the backend believes are free.
        available: usize,
    },
    /// The device does not work any more; everything on it fails from now on.
    #[error("device fault on stream {stream} at operation {seq} ({kernel}): {reason}")]
    Fault {
        /// Stream of the operation that was seen to fail.
        stream: u32,
        /// Its position.
        seq: u64,
        /// Its kernel.
        kernel: &'static str,
        /// What the device said.
        reason: String,
    },
    /// The backend cannot do this at all.
    #[error("{what} is not supported by {backend}")]
    Unsupported {
        /// What was asked.
        what: &'static str,
        /// By whom it is not supported.
        backend: &'static str,
    },
    /// The backend has no more streams, events or the like.
    #[error("no more {what}: the limit is {limit}")]
    Exhausted {
        /// Of what.
        what: &'static str,
        /// How many there are.
        limit: usize,
    },
    /// The event was never recorded.
    #[error("event {event} was never recorded")]
    NotRecorded {
        /// The raw event.
        event: u32,
    },
    /// A layout with too many dimensions.
    #[error("{dims} dimensions; at most {max} are possible")]
    TooManyDims {
        /// Dimensions asked for.
        dims: usize,
        /// Dimensions possible.
        max: usize,
    },
    /// A shape whose size in bytes cannot be counted.
    #[error("shape {shape:?} is too large to address")]
    ShapeTooLarge {
        /// The shape.
        shape: Vec<usize>,
    },
    /// An axis that a layout does not have.
    #[error("axis {axis} of {dims} dimensions")]
    NoSuchAxis {
        /// The axis asked for.
        axis: usize,
        /// Dimensions that there are.
        dims: usize,
    },
    /// A range that an axis does not have.
    #[error("{length} elements from {start} on of axis {axis}, which has {size}")]
    OutOfRange {
        /// The axis.
        axis: usize,
        /// First element asked for.
        start: usize,
        /// Elements asked for.
        length: usize,
        /// Elements of the axis.
        size: usize,
    },
    /// An order of axes that does not name each of them once.
    #[error("{order:?} is no order of {dims} axes")]
    Permutation {
        /// The order given.
        order: Vec<usize>,
        /// Axes that there are.
        dims: usize,
    },
    /// A view that cannot be repeated to the shape of another.
    #[error("shape {from:?} does not broadcast with {to:?}")]
    NotBroadcastable {
        /// Shape of the view.
        from: Vec<usize>,
        /// The other shape.
        to: Vec<usize>,
    },
}
