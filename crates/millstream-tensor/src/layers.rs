//! Layers of networks: rows of a table, a bias with what follows it, normalised rows, attention. Each is one launch.
//!
//! Operands that do not lie in row-major order from the start of their memory are copied first; attention takes any view whose last axis lies side by side.

use millstream_hal::{DType, Kernel, Layout, MAX_DIMS, UnaryOp, Views};

use crate::elementwise::same_kind;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

impl Tensor {
    /// The elements whose places on `axis` are `indices`, an i64 of one axis: `[.., n, ..]` and `[count]` give `[.., count, ..]`. With axis 0 of a matrix, the rows of a table of embeddings. Every type; bits
    /// are kept. An index that the axis does not have gives zeros: the values of `indices` are known to the device alone. Enqueues; does not wait; copies `self` first unless `axis` is the outermost.
    /// Errors: an axis that the tensor does not have, `indices` of another type or of more axes, different devices, `OutOfMemory`, and those of the runtime.
    pub fn index_select(&self, axis: usize, indices: &Self) -> Result<Self> {
        const OPERATION: &str = "index_select";
        let (dtype, dims) = (self.dtype(), self.dims());
        if axis >= dims {
            return Err(Error::Axis { operation: OPERATION, axis, dims });
        }
        if indices.dtype() != DType::I64 {
            return Err(Error::DType { operation: OPERATION, dtype: indices.dtype(), takes: "the indices are i64" });
        }
        if indices.dims() != 1 {
            let rule = "the indices have one axis";
            return Err(Error::Shape { operation: OPERATION, left: self.shape(), right: indices.shape(), rule });
        }
        self.device().same_as(indices.device())?;
        if axis != 0 {
            return self.transpose(0, axis)?.index_select(0, indices)?.transpose(0, axis);
        }
        let (table, indices) = (self.contiguous()?, indices.contiguous()?);
        let (rows, count) = (self.layout().size(0), indices.elements());
        let mut sizes = [0; MAX_DIMS];
        for (n, size) in sizes[..dims].iter_mut().enumerate() {
            *size = if n == 0 { count } else { self.layout().size(n) };
        }
        let width = sizes[1..dims].iter().product();
        let out = Layout::contiguous(&sizes[..dims]).map_err(Error::layout(OPERATION))?;
        let kernel = Kernel::IndexSelect { dtype, rows, width, count };
        Self::launch(OPERATION, self.device(), out, &[table.buffer(), indices.buffer()], kernel)
    }

    /// `activation(self + bias)`, where `bias` has the shape of the last axes of `self`, which may be any view: one pass over memory, rounded once. Floats. Enqueues; does not wait.
    /// Errors: sizes that do not fit, different element types, a type or an activation that is not of floats, different devices, `OutOfMemory`, and those of the runtime.
    pub fn add_bias(&self, bias: &Self, activation: Option<UnaryOp>) -> Result<Self> {
        const OPERATION: &str = "add_bias";
        let dtype = self.dtype();
        if !dtype.is_float() {
            return Err(Error::DType { operation: OPERATION, dtype, takes: "floats alone" });
        }
        same_kind(OPERATION, self, bias)?;
        if !self.layout().sizes().ends_with(bias.layout().sizes()) {
            let rule = "the bias has the shape of the last axes";
            return Err(Error::Shape { operation: OPERATION, left: self.shape(), right: bias.shape(), rule });
        }
        let (width, bias) = (bias.elements(), bias.contiguous()?);
        let kernel = Kernel::AddBias { dtype, a: *self.layout(), width, activation };
        Self::launch(OPERATION, self.device(), self.dense(OPERATION)?, &[self.buffer(), bias.buffer()], kernel)
    }

    /// Each row of the last axis with mean 0 and variance 1, times `weight`, plus `bias`, `[.., n]`, `[n]` and `[n]`: `(x - mean) / sqrt(variance + epsilon) * weight + bias` (Ba, Kiros, Hinton 2016), rounded once. Floats. Enqueues;
    /// does not wait. Errors: as [`Tensor::add_bias`].
    pub fn layer_norm(&self, weight: &Self, bias: &Self, epsilon: f32) -> Result<Self> {
        const OPERATION: &str = "layer_norm";
        let dtype = self.dtype();
        let [rows, width] = self.rows_beside(OPERATION, &[weight, bias])?;
        let (a, weight, bias) = (self.contiguous()?, weight.contiguous()?, bias.contiguous()?);
        let kernel = Kernel::LayerNorm { dtype, rows, width, epsilon, residual: false };
        Self::launch(
            OPERATION,
            self.device(),
            self.dense(OPERATION)?,
            &[a.buffer(), weight.buffer(), bias.buffer()],
            kernel,
        )
    }

    /// `(self + residual).layer_norm(weight, bias, epsilon)` in one pass; `residual` has the shape of `self`. Errors: as [`Tensor::layer_norm`].
    pub fn add_layer_norm(&self, residual: &Self, weight: &Self, bias: &Self, epsilon: f32) -> Result<Self> {
        const OPERATION: &str = "add_layer_norm";
        let dtype = self.dtype();
        let [rows, width] = self.rows_beside(OPERATION, &[weight, bias])?;
        same_kind(OPERATION, self, residual)?;
        if !self.layout().same_shape(residual.layout()) {
            let rule = "the residual has the same shape";
            return Err(Error::Shape { operation: OPERATION, left: self.shape(), right: residual.shape(), rule });
        }
        let (a, residual) = (self.contiguous()?, residual.contiguous()?);
        let (weight, bias) = (weight.contiguous()?, bias.contiguous()?);
        let kernel = Kernel::LayerNorm { dtype, rows, width, epsilon, residual: true };
        Self::launch(
            OPERATION,
            self.device(),
            self.dense(OPERATION)?,
            &[a.buffer(), residual.buffer(), weight.buffer(), bias.buffer()],
            kernel,
        )
    }

    /// Rows and their size, for an operation of floats with one number in each of `each` for every column.
    fn rows_beside(&self, operation: &'static str, each: &[&Self]) -> Result<[usize; 2]> {
        if !self.dtype().is_float() {
            return Err(Error::DType { operation, dtype: self.dtype(), takes: "floats alone" });
        }
        for other in each {
            same_kind(operation, self, other)?;
            let fits =
                self.dims() > 0 && other.dims() == 1 && other.layout().size(0) == self.layout().size(self.dims() - 1);
            if !fits {
                let rule = "[.., n] and [n] are needed";
                return Err(Error::Shape { operation, left: self.shape(), right: other.shape(), rule });
            }
        }
        let width = self.layout().size(self.dims() - 1);
        Ok([self.elements() / width.max(1), width])
    }

    /// Scaled dot-product attention, `softmax(q k^T * scale + bias) v` for each sequence and head: three times `[batch, tokens, heads, width]`, of any strides as long as the elements of a head lie side by side (others are copied), give the
    /// same shape, in row-major order. `mask` is a bool `[batch, tokens]`: keys that are false count for nobody, and a query without a key gives zeros. `bias` is `[heads, tokens, tokens]` of queries and keys, the same for every sequence, finite or minus infinity: such a key does not count for that query. No
    /// matrix of all scores exists at any time. Floats; `width` at most 128. Enqueues; does not wait.
    /// Errors: shapes that do not fit, a wider head, different element types, a mask that is not bool, a type that is not a float, different devices, `OutOfMemory`, and those of the runtime.
    pub fn attention(
        q: &Self,
        k: &Self,
        v: &Self,
        mask: Option<&Self>,
        bias: Option<&Self>,
        scale: f32,
    ) -> Result<Self> {
        const OPERATION: &str = "attention";
        let dtype = q.dtype();
        if !dtype.is_float() {
            return Err(Error::DType { operation: OPERATION, dtype, takes: "floats alone" });
        }
        let refused =
            |other: &Self, rule| Error::Shape { operation: OPERATION, left: q.shape(), right: other.shape(), rule };
        for other in [k, v] {
            same_kind(OPERATION, q, other)?;
            if q.dims() != 4 || !q.layout().same_shape(other.layout()) {
                return Err(refused(other, "three times [batch, tokens, heads, width] is needed"));
            }
        }
        if q.layout().size(3) > Kernel::HEAD_MAX {
            return Err(refused(k, "a head has at most 128 elements"));
        }
        let mask = mask.map(|mask| {
            if mask.dtype() != DType::Bool {
                return Err(Error::DType { operation: OPERATION, dtype: mask.dtype(), takes: "the mask is a bool" });
            }
            q.device().same_as(mask.device())?;
            let fits = mask.dims() == 2 && (0..2).all(|axis| mask.layout().size(axis) == q.layout().size(axis));
            if fits { mask.contiguous() } else { Err(refused(mask, "the mask is [batch, tokens]")) }
        });
        let mask = mask.transpose()?;
        let bias = bias.map(|bias| {
            same_kind(OPERATION, q, bias)?;
            let [tokens, heads] = [1, 2].map(|axis| q.layout().size(axis));
            let fits = bias.shape() == [heads, tokens, tokens];
            if fits { bias.contiguous() } else { Err(refused(bias, "the bias is [heads, tokens, tokens]")) }
        });
        let bias = bias.transpose()?;
        let side_by_side = |tensor: &Self| {
            let (layout, last) = (tensor.layout(), 3);
            let lies = layout.size(last) <= 1 || layout.stride(last) == 1;
            if lies { Ok(tensor.clone()) } else { tensor.contiguous() }
        };
        let (q, k, v) = (side_by_side(q)?, side_by_side(k)?, side_by_side(v)?);
        let views = Views::new([*q.layout(), *k.layout(), *v.layout()]).map_err(Error::layout(OPERATION))?;
        let kernel = Kernel::Attention { dtype, views, scale, masked: mask.is_some(), biased: bias.is_some() };
        // What is not there stands behind what is.
        let mut inputs = [q.buffer(), k.buffer(), v.buffer(), q.buffer(), q.buffer()];
        let mut count = 3;
        for other in mask.iter().chain(&bias) {
            inputs[count] = other.buffer();
            count += 1;
        }
        Self::launch(OPERATION, q.device(), q.dense(OPERATION)?, &inputs[..count], kernel)
    }
}
