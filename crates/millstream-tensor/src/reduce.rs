//! Reductions over all elements.

use millstream_hal::{DType, Kernel, ReduceOp};

use crate::error::Result;
use crate::tensor::Tensor;

impl Tensor {
    /// Sum of all elements, a tensor of shape `[]`, by a fixed tree: the same bits whatever the threads. Zero for no elements. Enqueues; does not wait.
    /// Errors: `OutOfMemory`, and those of the runtime.
    pub fn sum(&self) -> Result<Self> {
        self.reduce("sum", ReduceOp::Sum)
    }

    /// Mean of all elements, a tensor of shape `[]`: the sum divided by the number. NaN for no elements. Enqueues; does not wait. Errors: as [`Tensor::sum`].
    pub fn mean(&self) -> Result<Self> {
        self.reduce("mean", ReduceOp::Mean)
    }

    fn reduce(&self, operation: &'static str, op: ReduceOp) -> Result<Self> {
        let a = *self.layout();
        Self::launch(operation, self.device(), &[], &[self], |_| Kernel::Reduce { op, dtype: DType::F32, a, kept: 0 })
    }
}
