//! Reductions over all elements, or over some axes.
//!
//! Each has three forms: `sum()` over everything, a tensor of shape `[]`; `sum_over(&[axes])` without those axes; `sum_keepdim(&[axes])` with one element left of each. No axes named means
//! that nothing is reduced. The tree of a sum depends on the number of its elements alone, so the bits do not depend on threads, streams or on how a view lies.

use millstream_hal::{Kernel, Layout, MAX_DIMS, ReduceOp};

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Most elements of a reduction: more than any device holds. A view that repeats elements may have more, and would take days, and host memory for the partial results.
const ELEMENTS_MAX: usize = 1 << 38;

/// What is left of a reduced axis.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    One,
}

impl Tensor {
    /// Sum of all elements, a tensor of shape `[]`, by a fixed tree: the same bits whatever the threads. Zero for no elements. Floats keep their type; integers and bools give i64, wrapping.
    /// Enqueues; does not wait. Errors: `Layout` for a broadcast view of more than 2^38 elements, `OutOfMemory`, and those of the runtime.
    pub fn sum(&self) -> Result<Self> {
        self.reduce_all(ReduceOp::Sum)
    }

    /// Sums over `axes`, which go. Errors: an axis that the tensor does not have or that is named twice, and as [`Tensor::sum`].
    pub fn sum_over(&self, axes: &[usize]) -> Result<Self> {
        self.reduce(ReduceOp::Sum, axes, Left::Nothing)
    }

    /// Sums over `axes`, which keep one element. Errors: as [`Tensor::sum_over`].
    pub fn sum_keepdim(&self, axes: &[usize]) -> Result<Self> {
        self.reduce(ReduceOp::Sum, axes, Left::One)
    }

    /// Mean of all elements, a tensor of shape `[]`: the sum divided by the number. NaN for no elements. Floats. Enqueues; does not wait.
    /// Errors: an integer or bool tensor, and as [`Tensor::sum`].
    pub fn mean(&self) -> Result<Self> {
        self.reduce_all(ReduceOp::Mean)
    }

    /// Means over `axes`, which go. Errors: as [`Tensor::mean`] and [`Tensor::sum_over`].
    pub fn mean_over(&self, axes: &[usize]) -> Result<Self> {
        self.reduce(ReduceOp::Mean, axes, Left::Nothing)
    }

    /// Means over `axes`, which keep one element. Errors: as [`Tensor::mean_over`].
    pub fn mean_keepdim(&self, axes: &[usize]) -> Result<Self> {
        self.reduce(ReduceOp::Mean, axes, Left::One)
    }

    /// The greatest of all elements, a tensor of shape `[]`. NaN if there is one. Every type. Enqueues; does not wait. Errors: no elements ([`Error::Empty`]), and as [`Tensor::sum`].
    pub fn max(&self) -> Result<Self> {
        self.reduce_all(ReduceOp::Max)
    }

    /// The greatest over `axes`, which go. Errors: as [`Tensor::max`] and [`Tensor::sum_over`].
    pub fn max_over(&self, axes: &[usize]) -> Result<Self> {
        self.reduce(ReduceOp::Max, axes, Left::Nothing)
    }

    /// The greatest over `axes`, which keep one element. Errors: as [`Tensor::max_over`].
    pub fn max_keepdim(&self, axes: &[usize]) -> Result<Self> {
        self.reduce(ReduceOp::Max, axes, Left::One)
    }

    /// Index of the first greatest element in row-major order, an i64 of shape `[]`. The first NaN counts as greatest. Every type. Enqueues; does not wait. Errors: as [`Tensor::max`].
    pub fn argmax(&self) -> Result<Self> {
        self.reduce_all(ReduceOp::ArgMax)
    }

    /// Index of the first greatest element over `axes`, which go; over several it counts in row-major order of these alone. Errors: as [`Tensor::max_over`].
    pub fn argmax_over(&self, axes: &[usize]) -> Result<Self> {
        self.reduce(ReduceOp::ArgMax, axes, Left::Nothing)
    }

    /// Index of the first greatest element over `axes`, which keep one element. Errors: as [`Tensor::max_over`].
    pub fn argmax_keepdim(&self, axes: &[usize]) -> Result<Self> {
        self.reduce(ReduceOp::ArgMax, axes, Left::One)
    }

    fn reduce_all(&self, op: ReduceOp) -> Result<Self> {
        self.check(op)?;
        self.reduced(op, *self.layout(), 0, Layout::ONE)
    }

    /// Errors: a type that `op` does not take; too many elements.
    fn check(&self, op: ReduceOp) -> Result<()> {
        let (operation, dtype) = (op.name(), self.dtype());
        if !op.takes(dtype) {
            return Err(Error::DType { operation, dtype, takes: "floats alone" });
        }
        if self.elements() > ELEMENTS_MAX {
            return Err(Error::layout(operation)(millstream_hal::Error::ShapeTooLarge { shape: self.shape() }));
        }
        Ok(())
    }

    /// What is left of the view `a` of this tensor when its first `kept` axes stay, as `out`.
    fn reduced(&self, op: ReduceOp, a: Layout, kept: u8, out: Layout) -> Result<Self> {
        if !op.has_value_of_nothing() && self.elements() == 0 && out.elements() > 0 {
            return Err(Error::Empty { operation: op.name(), shape: self.shape() });
        }
        let kernel = Kernel::Reduce { op, dtype: self.dtype(), a, kept };
        Self::launch(op.name(), self.device(), out, &[self.buffer()], kernel)
    }

    fn reduce(&self, op: ReduceOp, axes: &[usize], left: Left) -> Result<Self> {
        self.check(op)?;
        let (operation, dims) = (op.name(), self.dims());
        let mut reduced = [false; MAX_DIMS];
        for axis in axes.iter().copied() {
            if axis >= dims {
                return Err(Error::Axis { operation, axis, dims });
            }
            if std::mem::replace(&mut reduced[axis], true) {
                return Err(Error::Axes { operation, axes: axes.to_vec(), dims, rule: "an axis is named twice" });
            }
        }
        let (mut order, mut sizes) = ([0; MAX_DIMS], [1; MAX_DIMS]);
        let (mut kept, mut out_dims) = (0, 0);
        for axis in (0..dims).filter(|axis| !reduced[*axis]) {
            order[kept] = axis;
            kept += 1;
        }
        for (place, axis) in (0..dims).filter(|axis| reduced[*axis]).enumerate() {
            order[kept + place] = axis;
        }
        for axis in (0..dims).filter(|axis| !reduced[*axis] || left == Left::One) {
            sizes[out_dims] = if reduced[axis] { 1 } else { self.layout().size(axis) };
            out_dims += 1;
        }
        let out = Layout::contiguous(&sizes[..out_dims]).map_err(Error::layout(operation))?;
        let a = self.layout().permuted(&order[..dims]).map_err(Error::layout(operation))?;
        self.reduced(op, a, kept as u8, out)
    }
}
