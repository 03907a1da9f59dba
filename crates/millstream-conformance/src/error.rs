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
    /// A kernel that says nothing defined: see `Kernel::defect` of millstream-hal.
    #[error("{kernel}: {reason}")]
    Undefined {
        /// The kernel.
        kernel: &'static str,
        /// Why.
        reason: &'static str,
    },
}
