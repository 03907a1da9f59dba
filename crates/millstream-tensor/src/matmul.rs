//! The product of two matrices, or of two batches of them.

use millstream_hal::{DType, Kernel, Layout, MAX_DIMS};

use crate::elementwise::same_kind;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

const OPERATION: &str = "matmul";

impl Tensor {
    /// Matrix product, `[batch.., m, k] x [batch.., k, n] -> [batch.., m, n]`; the batch axes broadcast, and either factor may be any view. Floats and i64. f16 and bf16 are summed in f32; i64 copies what repeats.
    /// Enqueues; does not wait. The bits do not depend on threads or streams.
    /// Errors: a factor with fewer than two axes, inner sizes or batch axes that do not agree, different element types, u8 or bool, different devices, `OutOfMemory`, and those of the runtime.
    pub fn matmul(&self, other: &Self) -> Result<Self> {
        let (a, b) = (self.layout(), other.layout());
        same_kind(OPERATION, self, other)?;
        let dtype = self.dtype();
        if !dtype.is_float() && dtype != DType::I64 {
            return Err(Error::DType { operation: OPERATION, dtype, takes: "floats and i64 alone" });
        }
        let refused = |rule| Error::Shape { operation: OPERATION, left: a.shape(), right: b.shape(), rule };
        if a.dims() < 2 || b.dims() < 2 {
            return Err(refused("both need two axes or more; unsqueeze a vector"));
        }
        let (m, k, n) = (a.size(a.dims() - 2), a.size(a.dims() - 1), b.size(b.dims() - 1));
        if b.size(b.dims() - 2) != k {
            return Err(refused("[.., m, k] x [.., k, n] is needed"));
        }
        let dims = a.dims().max(b.dims());
        let mut batch = [1; MAX_DIMS];
        for (axis, size) in batch[..dims - 2].iter_mut().enumerate() {
            let of = |factor: &Layout| (axis + factor.dims()).checked_sub(dims).map_or(1, |axis| factor.size(axis));
            *size = match (of(a), of(b)) {
                (x, y) if x == y => x,
                (1, x) | (x, 1) => x,
                _ => return Err(refused("counted from the last, batch axes must be equal or 1")),
            };
        }
        let with = |rows, columns| {
            let mut shape = batch;
            (shape[dims - 2], shape[dims - 1]) = (rows, columns);
            shape
        };
        let out = Layout::contiguous(&with(m, n)[..dims]).map_err(Error::layout(OPERATION))?;
        let a = a.broadcast_to(&with(m, k)[..dims]).map_err(Error::layout(OPERATION))?;
        let b = b.broadcast_to(&with(k, n)[..dims]).map_err(Error::layout(OPERATION))?;
        // A kernel of integers gathers its factors: what repeats takes its memory from the budget first, or is refused by it.
        if dtype == DType::I64 && (a.elements() > a.extent() || b.elements() > b.extent()) {
            return self.viewed(a).contiguous()?.matmul(&other.viewed(b).contiguous()?);
        }
        Self::launch(OPERATION, self.device(), out, &[self.buffer(), other.buffer()], Kernel::Matmul { dtype, a, b })
    }
}
