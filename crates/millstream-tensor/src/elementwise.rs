//! Element by element. Shapes broadcast by the rules of NumPy; element types must be equal, nothing is promoted.

use millstream_hal::{BinaryOp, DType, Kernel, Layout, UnaryOp, Views};

use crate::error::{Error, Result};
use crate::operand::Operand;
use crate::tensor::Tensor;

impl Tensor {
    /// `self + other`. Numbers. Enqueues; does not wait. `other` is a tensor or a number ([`Operand`]).
    /// Errors: shapes that do not broadcast, different element types, a type that the operation does not have, different devices, `OutOfMemory`, and those of the runtime.
    pub fn add<'a>(&self, other: impl Into<Operand<'a>>) -> Result<Self> {
        self.binary(BinaryOp::Add, other.into())
    }

    /// `self - other`. As [`Tensor::add`].
    pub fn sub<'a>(&self, other: impl Into<Operand<'a>>) -> Result<Self> {
        self.binary(BinaryOp::Sub, other.into())
    }

    /// `self * other`. As [`Tensor::add`].
    pub fn mul<'a>(&self, other: impl Into<Operand<'a>>) -> Result<Self> {
        self.binary(BinaryOp::Mul, other.into())
    }

    /// `self / other`; of integers truncated, and 0 where `other` is 0. As [`Tensor::add`].
    pub fn div<'a>(&self, other: impl Into<Operand<'a>>) -> Result<Self> {
        self.binary(BinaryOp::Div, other.into())
    }

    /// `self == other`, a tensor of bool; false with a NaN. Every type. Errors: as [`Tensor::add`].
    pub fn eq<'a>(&self, other: impl Into<Operand<'a>>) -> Result<Self> {
        self.binary(BinaryOp::Eq, other.into())
    }

    /// `self != other`, a tensor of bool; true with a NaN. Every type. Errors: as [`Tensor::add`].
    pub fn ne<'a>(&self, other: impl Into<Operand<'a>>) -> Result<Self> {
        self.binary(BinaryOp::Ne, other.into())
    }

    /// `self < other`, a tensor of bool; false with a NaN. Every type. Errors: as [`Tensor::add`].
    pub fn lt<'a>(&self, other: impl Into<Operand<'a>>) -> Result<Self> {
        self.binary(BinaryOp::Lt, other.into())
    }

    /// `self <= other`, a tensor of bool; false with a NaN. Every type. Errors: as [`Tensor::add`].
    pub fn le<'a>(&self, other: impl Into<Operand<'a>>) -> Result<Self> {
        self.binary(BinaryOp::Le, other.into())
    }

    /// `self > other`, a tensor of bool; false with a NaN. Every type. Errors: as [`Tensor::add`].
    pub fn gt<'a>(&self, other: impl Into<Operand<'a>>) -> Result<Self> {
        self.binary(BinaryOp::Gt, other.into())
    }

    /// `self >= other`, a tensor of bool; false with a NaN. Every type. Errors: as [`Tensor::add`].
    pub fn ge<'a>(&self, other: impl Into<Operand<'a>>) -> Result<Self> {
        self.binary(BinaryOp::Ge, other.into())
    }

    /// `-self`. Numbers; integers wrap. Enqueues; does not wait. Errors: a type that the operation does not have, `OutOfMemory`, and those of the runtime.
    pub fn neg(&self) -> Result<Self> {
        self.unary(UnaryOp::Neg)
    }

    /// `|self|`; the least i64 stays as it is. Numbers. Errors: as [`Tensor::neg`].
    pub fn abs(&self) -> Result<Self> {
        self.unary(UnaryOp::Abs)
    }

    /// `e^self`. Floats. Errors: as [`Tensor::neg`].
    pub fn exp(&self) -> Result<Self> {
        self.unary(UnaryOp::Exp)
    }

    /// Natural logarithm: NaN below zero, minus infinity at zero. Floats. Errors: as [`Tensor::neg`].
    pub fn log(&self) -> Result<Self> {
        self.unary(UnaryOp::Log)
    }

    /// Square root, correctly rounded: NaN below zero. Floats. Errors: as [`Tensor::neg`].
    pub fn sqrt(&self) -> Result<Self> {
        self.unary(UnaryOp::Sqrt)
    }

    /// Hyperbolic tangent. Floats. Errors: as [`Tensor::neg`].
    pub fn tanh(&self) -> Result<Self> {
        self.unary(UnaryOp::Tanh)
    }

    /// `self` above zero, else 0; NaN stays NaN. Numbers. Errors: as [`Tensor::neg`].
    pub fn relu(&self) -> Result<Self> {
        self.unary(UnaryOp::Relu)
    }

    /// Error function. Floats. Errors: as [`Tensor::neg`].
    pub fn erf(&self) -> Result<Self> {
        self.unary(UnaryOp::Erf)
    }

    /// `x / 2 * (1 + erf(x / sqrt(2)))`. Floats. Errors: as [`Tensor::neg`].
    pub fn gelu(&self) -> Result<Self> {
        self.unary(UnaryOp::Gelu)
    }

    /// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`. Floats. Errors: as [`Tensor::neg`].
    pub fn gelu_tanh(&self) -> Result<Self> {
        self.unary(UnaryOp::GeluTanh)
    }

    /// The elements in another type, by the rules at [`DType`]'s module: to nearest, truncated, wrapped. Itself when it has that type. Enqueues; does not wait.
    /// Errors: `OutOfMemory`, and those of the runtime.
    pub fn to_dtype(&self, dtype: DType) -> Result<Self> {
        const OPERATION: &str = "to_dtype";
        if dtype == self.dtype() {
            return Ok(self.clone());
        }
        let kernel = Kernel::Cast { from: self.dtype(), to: dtype, a: *self.layout() };
        Self::launch(OPERATION, self.device(), self.dense(OPERATION)?, &[self.buffer()], kernel)
    }

    /// `a` where `self`, which is bool, is true, and `b` elsewhere, element by element; all three broadcast. Every type; bits are kept. Enqueues; does not wait.
    /// Errors: `self` is not bool, and as [`Tensor::add`].
    pub fn where_cond<'a>(&self, a: &Self, b: impl Into<Operand<'a>>) -> Result<Self> {
        const OPERATION: &str = "where_cond";
        if self.dtype() != DType::Bool {
            let takes = "the condition is a bool";
            return Err(Error::DType { operation: OPERATION, dtype: self.dtype(), takes });
        }
        self.device().same_as(a.device())?;
        let (cond, a_view) = together(OPERATION, self.layout(), a.layout())?;
        let filled;
        let b = match b.into() {
            Operand::Tensor(b) => b,
            Operand::Scalar(value) => {
                cond.dense().map_err(Error::layout(OPERATION))?;
                filled = a.beside(OPERATION, value)?;
                &filled
            }
        };
        same_kind(OPERATION, a, b)?;
        let (whole, b_view) = together(OPERATION, &cond, b.layout())?;
        let (_, cond) = together(OPERATION, &whole, &cond)?;
        let (_, a_view) = together(OPERATION, &whole, &a_view)?;
        let out = whole.dense().map_err(Error::layout(OPERATION))?;
        let views = Views::new([cond, a_view, b_view]).map_err(Error::layout(OPERATION))?;
        Self::launch(
            OPERATION,
            self.device(),
            out,
            &[self.buffer(), a.buffer(), b.buffer()],
            Kernel::Where { dtype: a.dtype(), views },
        )
    }

    fn unary(&self, op: UnaryOp) -> Result<Self> {
        let dtype = self.dtype();
        if !op.takes(dtype) {
            let takes = if op.takes(DType::I64) { "numbers alone" } else { "floats alone" };
            return Err(Error::DType { operation: op.name(), dtype, takes });
        }
        let kernel = Kernel::Unary { op, dtype, a: *self.layout() };
        Self::launch(op.name(), self.device(), self.dense(op.name())?, &[self.buffer()], kernel)
    }

    fn binary(&self, op: BinaryOp, other: Operand<'_>) -> Result<Self> {
        let (operation, dtype) = (op.name(), self.dtype());
        if !op.takes(dtype) {
            return Err(Error::DType { operation, dtype, takes: "numbers alone" });
        }
        let filled;
        let other = match other {
            Operand::Tensor(other) => other,
            Operand::Scalar(value) => {
                self.dense(operation)?;
                filled = self.beside(operation, value)?;
                &filled
            }
        };
        same_kind(operation, self, other)?;
        let (a, b) = together(operation, self.layout(), other.layout())?;
        let out = a.dense().map_err(Error::layout(operation))?;
        let views = Views::new([a, b]).map_err(Error::layout(operation))?;
        Self::launch(
            operation,
            self.device(),
            out,
            &[self.buffer(), other.buffer()],
            Kernel::Binary { op, dtype, views },
        )
    }
}

/// Both repeated to one shape. Errors: [`Error::Shape`].
fn together(operation: &'static str, a: &Layout, b: &Layout) -> Result<(Layout, Layout)> {
    a.broadcast_together(b).map_err(Error::layout(operation))
}

/// Whether both have one element type and lie on one device. Errors: [`Error::MixedDTypes`], `MixedDevices`.
pub(crate) fn same_kind(operation: &'static str, a: &Tensor, b: &Tensor) -> Result<()> {
    let (left, right) = (a.dtype(), b.dtype());
    if left != right {
        return Err(Error::MixedDTypes { operation, left, right });
    }
    Ok(a.device().same_as(b.device())?)
}
