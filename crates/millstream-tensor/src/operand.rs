//! The second operand of an element-wise operation: a tensor, or a number that gets the type of the first.

use half::{bf16, f16};
use millstream_hal::{DType, Kernel, Layout, Scalar};

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// What may stand beside a tensor in an element-wise operation. Made by `into` from `&Tensor` and from Rust's numbers: `a.add(&b)`, `a.mul(0.5)`, `a.gt(0)`.
///
/// A number takes the type of the tensor, if it can: a float for the four float types, an integer for every number type that has it, a bool for bool. Anything else is
/// [`Error::Argument`]; there is no silent truncation.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a> {
    /// A tensor of the same type.
    Tensor(&'a Tensor),
    /// A number.
    Scalar(Scalar),
}

impl<'a> From<&'a Tensor> for Operand<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        Self::Tensor(tensor)
    }
}

macro_rules! scalars {
    ($($type:ty),*) => {$(
        impl From<$type> for Operand<'_> {
            fn from(value: $type) -> Self {
                Self::Scalar(value.into())
            }
        }
    )*};
}

scalars!(Scalar, f32, f64, i64, i32, u8, bool);

impl From<f16> for Operand<'_> {
    fn from(value: f16) -> Self {
        Self::Scalar(value.to_f64().into())
    }
}

impl From<bf16> for Operand<'_> {
    fn from(value: bf16) -> Self {
        Self::Scalar(value.to_f64().into())
    }
}

/// Whether `value` can be written in `dtype` without a change of kind or range. Errors: [`Error::Argument`].
pub(crate) fn fits(operation: &'static str, name: &'static str, value: Scalar, dtype: DType) -> Result<()> {
    let rule = match (value, dtype) {
        (Scalar::I64(x), DType::U8) if !(0..=255).contains(&x) => "u8 goes from 0 to 255",
        (Scalar::I64(_), DType::Bool) | (Scalar::F64(_), DType::Bool) => "a bool is needed",
        (Scalar::F64(_), DType::I64 | DType::U8) => "an integer is needed",
        (Scalar::Bool(_), dtype) if dtype.is_number() => "a number is needed",
        _ => return Ok(()),
    };
    Err(Error::Argument { operation, name, value, rule })
}

impl Tensor {
    /// A tensor of shape `[]` that stands for `value` beside `self`. Errors: `Argument`, and those of a launch.
    pub(crate) fn beside(&self, operation: &'static str, value: Scalar) -> Result<Self> {
        let dtype = self.dtype();
        fits(operation, "scalar", value, dtype)?;
        Self::launch(operation, self.device(), Layout::ONE, &[], Kernel::Fill { elements: 1, dtype, value })
    }
}
