//! The product of two matrices.

use millstream_hal::{DType, Kernel};

use crate::error::{Error, Result};
use crate::tensor::Tensor;

impl Tensor {
    /// Matrix product, `[m, k] x [k, n] -> [m, n]`; either may be a transposed view. Enqueues; does not wait. The bits do not depend on threads or streams.
    /// Errors: not two matrices whose inner sizes agree, devices differ, `OutOfMemory`, and those of the runtime.
    pub fn matmul(&self, other: &Self) -> Result<Self> {
        const OPERATION: &str = "matmul";
        let (a, b) = (self.layout(), other.layout());
        if a.dims() != 2 || b.dims() != 2 || a.size(1) != b.size(0) {
            let (left, right) = (self.shape(), other.shape());
            return Err(Error::Shape { operation: OPERATION, left, right, rule: "[m, k] x [k, n] is needed" });
        }
        let (a, b) = (*a, *b);
        let shape = [a.size(0), b.size(1)];
        Self::launch(OPERATION, self.device(), &shape, &[self, other], |_| Kernel::Matmul { dtype: DType::F32, a, b })
    }
}
