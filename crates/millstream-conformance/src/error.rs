//! What the interpreter refuses.

/// A launch that no device could run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operand is smaller than the kernel's shape.
    #[error("{kernel}: operand {operand} needs {needed} bytes, has {given}")]
    OperandTooSmall {
        /// The kernel.
        kernel: &'static str,
        /// Which operand, outputs first.
        operand: usize,
        /// Bytes that the shape names.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
    /// More or fewer operands than the kernel has.
    #[error("{kernel}: {given} operands, needs {needed}")]
    OperandCount {
        /// The kernel.
        kernel: &'static str,
        /// Operands that the kernel has.
        needed: usize,
        /// Operands given.
        given: usize,
    },
    /// The two views of a kernel have different shapes.
    #[error("{kernel}: views of {a:?} and {b:?} elements")]
    ShapesDiffer {
        /// The kernel.
        kernel: &'static str,
        /// Shape of the first view.
        a: Vec<usize>,
        /// Shape of the second view.
        b: Vec<usize>,
    },
    /// A kernel that the interpreter does not know yet.
    #[error("the interpreter does not know the kernel {0}")]
    UnknownKernel(&'static str),
}
