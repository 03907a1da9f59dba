//! What a caller of an operation can act on.

use millstream_hal::{DType, Scalar};

/// Result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of an operation. All but those of [`Error::Runtime`] come before anything is enqueued, and so does its `MixedDevices`.
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
    /// Axes that cannot be named together.
    #[error("{operation}: axes {axes:?} of a tensor of {dims} dimensions: {rule}")]
    Axes {
        /// The operation.
        operation: &'static str,
        /// The axes given.
        axes: Vec<usize>,
        /// Dimensions of the tensor.
        dims: usize,
        /// What the operation needs.
        rule: &'static str,
    },
    /// Elements that an axis does not have.
    #[error("{operation}: {length} elements from {start} on of axis {axis}, which has {size}")]
    Range {
        /// The operation.
        operation: &'static str,
        /// The axis.
        axis: usize,
        /// First element asked for.
        start: usize,
        /// Elements asked for.
        length: usize,
        /// Elements of the axis.
        size: usize,
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
    /// No element, of which nothing can be said.
    #[error("{operation}: nothing to choose from in shape {shape:?}")]
    Empty {
        /// The operation.
        operation: &'static str,
        /// Shape of the tensor.
        shape: Vec<usize>,
    },
    /// The operation is not defined for the element type.
    #[error("{operation}: {dtype} is not possible: {takes}")]
    DType {
        /// The operation.
        operation: &'static str,
        /// The type found.
        dtype: DType,
        /// What the operation takes.
        takes: &'static str,
    },
    /// The operands have different element types; cast one with [`crate::Tensor::to_dtype`].
    #[error("{operation}: {left} and {right} do not go together: cast one of them")]
    MixedDTypes {
        /// The operation.
        operation: &'static str,
        /// Type of the first operand.
        left: DType,
        /// Type of the second.
        right: DType,
    },
    /// The host asked for another type than the tensor has.
    #[error("{operation}: the tensor holds {dtype}, {asked} was asked for")]
    HostType {
        /// The operation.
        operation: &'static str,
        /// Type of the tensor.
        dtype: DType,
        /// Type asked for.
        asked: DType,
    },
    /// A number that makes no sense here.
    #[error("{operation}: {name} is {value}: {rule}")]
    Argument {
        /// The operation.
        operation: &'static str,
        /// Which argument.
        name: &'static str,
        /// What was given.
        value: Scalar,
        /// What is needed.
        rule: &'static str,
    },
    /// The runtime said no.
    #[error(transparent)]
    Runtime(#[from] millstream_runtime::Error),
}

impl Error {
    /// What a layout said, in the words of an operation.
    pub(crate) fn layout(operation: &'static str) -> impl Fn(millstream_hal::Error) -> Self {
        use millstream_hal::Error as Hal;
        move |source| match source {
            Hal::NoSuchAxis { axis, dims } => Self::Axis { operation, axis, dims },
            Hal::OutOfRange { axis, start, length, size } => Self::Range { operation, axis, start, length, size },
            Hal::Permutation { order, dims } => {
                Self::Axes { operation, axes: order, dims, rule: "each must be named once" }
            }
            Hal::NotBroadcastable { from, to } => Self::Shape {
                operation,
                left: from,
                right: to,
                rule: "counted from the last axis, sizes must be equal or 1",
            },
            source => Self::Layout { operation, source },
        }
    }
}
