//! What a caller of an operation can act on.

/// Result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of an operation.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The shapes do not go together.
    #[error("{operation}: shapes {left:?} and {right:?} do not go together: {rule}")]
    Shape {
        /// The operation.
        operation: &'static str,
        /// Shape of the first operand.
        left: Vec<usize>,
        /// Shape of the second operand, or the one asked for.
        right: Vec<usize>,
        /// What the operation needs.
        rule: &'static str,
    },
    /// The shape is not possible at all.
    #[error("{operation}: impossible shape")]
    Layout {
        /// The operation.
        operation: &'static str,
        /// Why.
        #[source]
        source: millstream_hal::Error,
    },
    /// An axis that the tensor does not have.
    #[error("{operation}: axis {axis} of a tensor of {dims} dimensions")]
    Axis {
        /// The operation.
        operation: &'static str,
        /// The axis asked for.
        axis: usize,
        /// Dimensions of the tensor.
        dims: usize,
    },
    /// The number of host elements is not that of the shape.
    #[error("{operation}: {found} elements for shape {shape:?}, which has {expected}")]
    Length {
        /// The operation.
        operation: &'static str,
        /// The shape.
        shape: Vec<usize>,
        /// Elements of the shape.
        expected: usize,
        /// Elements given.
        found: usize,
    },
    /// A tensor of exactly one element was needed.
    #[error("{operation}: a tensor of shape {shape:?} has {found} elements; exactly one is needed")]
    NotOne {
        /// The operation.
        operation: &'static str,
        /// Shape of the tensor.
        shape: Vec<usize>,
        /// Its elements.
        found: usize,
    },
    /// The runtime said no.
    #[error(transparent)]
    Runtime(#[from] millstream_runtime::Error),
}
