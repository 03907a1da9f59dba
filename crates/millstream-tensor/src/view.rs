//! Views: another shape over the same memory.

use millstream_hal::{Kernel, Layout};

use crate::error::{Error, Result};
use crate::tensor::Tensor;

impl Tensor {
    /// The same elements in row-major order under another shape. Copies nothing when they lie in that order already, else enqueues a copy.
    /// Errors: the number of elements differs, `OutOfMemory`, and those of the runtime.
    pub fn reshape(&self, shape: &[usize]) -> Result<Self> {
        const OPERATION: &str = "reshape";
        let layout = Layout::contiguous(shape).map_err(|source| Error::Layout { operation: OPERATION, source })?;
        if layout.elements() != self.elements() {
            let rule = "the number of elements must stay";
            return Err(Error::Shape { operation: OPERATION, left: self.shape(), right: shape.to_vec(), rule });
        }
        Ok(self.contiguous()?.viewed(layout))
    }

    /// Axes `a` and `b` exchanged: a view, nothing is copied. Errors: an axis that the tensor does not have.
    pub fn transpose(&self, a: usize, b: usize) -> Result<Self> {
        for axis in [a, b] {
            if axis >= self.dims() {
                return Err(Error::Axis { operation: "transpose", axis, dims: self.dims() });
            }
        }
        Ok(self.viewed(self.layout().transposed(a, b)))
    }

    /// The same values lying in row-major order from the start of their memory: itself, or a copy. Errors: `OutOfMemory`, and those of the runtime.
    pub fn contiguous(&self) -> Result<Self> {
        let a = *self.layout();
        if a.is_contiguous() && a.offset() == 0 {
            return Ok(self.clone());
        }
        Self::launch("contiguous", self.device(), &self.shape(), &[self], |_| Kernel::Copy { dtype: self.dtype(), a })
    }
}
