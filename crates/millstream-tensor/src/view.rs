//! Views: another shape over the same memory.

use millstream_hal::{Kernel, Layout};

use crate::error::{Error, Result};
use crate::tensor::Tensor;

impl Tensor {
    /// The same elements in row-major order under another shape. Copies nothing where strides can say it, else enqueues a copy.
    /// Errors: the number of elements differs, `Layout`, `OutOfMemory`, and those of the runtime.
    pub fn reshape(&self, shape: &[usize]) -> Result<Self> {
        const OPERATION: &str = "reshape";
        let to = Layout::contiguous(shape).map_err(Error::layout(OPERATION))?;
        if to.elements() != self.elements() {
            let rule = "the number of elements must stay";
            return Err(Error::Shape { operation: OPERATION, left: self.shape(), right: shape.to_vec(), rule });
        }
        match self.layout().reshaped(&to) {
            Some(layout) => Ok(self.viewed(layout)),
            None => Ok(self.contiguous()?.viewed(to)),
        }
    }

    /// The same elements in row-major order along one axis. Copies as [`Tensor::reshape`] does. Errors: more elements than an axis can have, and as
    /// [`Tensor::reshape`].
    pub fn flatten(&self) -> Result<Self> {
        self.reshape(&[self.elements()])
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

    /// Axis `order[i]` at place `i`: a view, nothing is copied. Errors: `order` does not name each axis once.
    pub fn permute(&self, order: &[usize]) -> Result<Self> {
        Ok(self.viewed(self.layout().permuted(order).map_err(Error::layout("permute"))?))
    }

    /// The `length` elements of `axis` from `start` on: a view, nothing is copied. Errors: an axis or elements that the tensor does not have.
    pub fn narrow(&self, axis: usize, start: usize, length: usize) -> Result<Self> {
        Ok(self.viewed(self.layout().narrowed(axis, start, length).map_err(Error::layout("narrow"))?))
    }

    /// Repeated to `shape` by the rules of NumPy: counted from the last axis, an axis of one element, or one that is not there, is repeated. A view, nothing is copied.
    /// Errors: an axis of another size, more than eight dimensions.
    pub fn broadcast_to(&self, shape: &[usize]) -> Result<Self> {
        Ok(self.viewed(self.layout().broadcast_to(shape).map_err(Error::layout("broadcast_to"))?))
    }

    /// Without `axis`, which has one element: a view, nothing is copied. Errors: an axis that the tensor does not have, or one of another size.
    pub fn squeeze(&self, axis: usize) -> Result<Self> {
        const OPERATION: &str = "squeeze";
        if axis < self.dims() && self.layout().size(axis) != 1 {
            let rule = "the axis must have one element";
            return Err(Error::Axes { operation: OPERATION, axes: vec![axis], dims: self.dims(), rule });
        }
        Ok(self.viewed(self.layout().squeezed(axis).map_err(Error::layout(OPERATION))?))
    }

    /// With an axis of one element at place `axis`: a view, nothing is copied. Errors: a place behind the last axis, more than eight dimensions.
    pub fn unsqueeze(&self, axis: usize) -> Result<Self> {
        Ok(self.viewed(self.layout().unsqueezed(axis).map_err(Error::layout("unsqueeze"))?))
    }

    /// The same values lying in row-major order from the start of their memory: itself, or a copy. Errors: `Layout` for a broadcast view of more elements than memory can have,
    /// `OutOfMemory`, and those of the runtime.
    pub fn contiguous(&self) -> Result<Self> {
        const OPERATION: &str = "contiguous";
        let a = *self.layout();
        if a.is_contiguous() && a.offset() == 0 {
            return Ok(self.clone());
        }
        let kernel = Kernel::Copy { dtype: self.dtype(), a };
        Self::launch(OPERATION, self.device(), self.dense(OPERATION)?, &[self.buffer()], kernel)
    }
}
