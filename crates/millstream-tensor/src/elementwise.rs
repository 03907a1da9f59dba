//! Element by element.

use millstream_hal::{BinaryOp, DType, Kernel, Views};

use crate::error::{Error, Result};
use crate::tensor::Tensor;

impl Tensor {
    /// `self + other`, element by element; both of one shape. Enqueues; does not wait. Errors: shapes differ, devices differ, `OutOfMemory`, and those of the runtime.
    pub fn add(&self, other: &Self) -> Result<Self> {
        self.binary("add", BinaryOp::Add, other)
    }

    /// `self * other`, element by element; both of one shape. Enqueues; does not wait. Errors: as [`Tensor::add`].
    pub fn mul(&self, other: &Self) -> Result<Self> {
        self.binary("mul", BinaryOp::Mul, other)
    }

    fn binary(&self, operation: &'static str, op: BinaryOp, other: &Self) -> Result<Self> {
        let (a, b) = (*self.layout(), *other.layout());
        if !a.same_shape(&b) {
            let (left, right) = (self.shape(), other.shape());
            return Err(Error::Shape { operation, left, right, rule: "they must be equal" });
        }
        let views = Views::new([a, b]).map_err(|source| Error::Layout { operation, source })?;
        Self::launch(operation, self.device(), &self.shape(), &[self, other], |_| Kernel::Binary {
            op,
            dtype: DType::F32,
            views,
        })
    }
}
