//! Operations by name, and which element types each takes: the one table that front end, interpreter and backends share.

use crate::DType;

/// Element-wise operations of one operand; the result has its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `-a`. Numbers.
    Neg,
    /// `|a|`; the least i64 stays as it is. Numbers.
    Abs,
    /// `e^a`. Floats.
    Exp,
    /// Natural logarithm: NaN below zero, minus infinity at zero. Floats.
    Log,
    /// Square root, correctly rounded: NaN below zero. Floats.
    Sqrt,
    /// Hyperbolic tangent. Floats.
    Tanh,
    /// `a` above zero, else 0; NaN stays NaN. Numbers.
    Relu,
    /// The error function, `2 / sqrt(pi)` times the integral of `e^(-t^2)` from 0 to `a`. Floats.
    Erf,
    /// `a / 2 * (1 + erf(a / sqrt(2)))` (Hendrycks, Gimpel 2016). Floats.
    Gelu,
    /// The same with `tanh(sqrt(2 / pi) * (a + 0.044715 a^3))` in the place of `erf`. Floats.
    GeluTanh,
}

impl UnaryOp {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Neg,
        Self::Abs,
        Self::Exp,
        Self::Log,
        Self::Sqrt,
        Self::Tanh,
        Self::Relu,
        Self::Erf,
        Self::Gelu,
        Self::GeluTanh,
    ];

    /// Name as the field writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Neg => "neg",
            Self::Abs => "abs",
            Self::Exp => "exp",
            Self::Log => "log",
            Self::Sqrt => "sqrt",
            Self::Tanh => "tanh",
            Self::Relu => "relu",
            Self::Erf => "erf",
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu_tanh",
        }
    }

    /// Whether it is defined for `dtype`.
    #[must_use]
    pub const fn takes(self, dtype: DType) -> bool {
        match self {
            Self::Neg | Self::Abs | Self::Relu => dtype.is_number(),
            Self::Exp | Self::Log | Self::Sqrt | Self::Tanh | Self::Erf | Self::Gelu | Self::GeluTanh => {
                dtype.is_float()
            }
        }
    }
}

/// Element-wise operations of two operands of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `a + b`. Numbers.
    Add,
    /// `a - b`. Numbers.
    Sub,
    /// `a * b`. Numbers.
    Mul,
    /// `a / b`; of integers truncated, and 0 where `b` is 0. Numbers.
    Div,
    /// `a == b`, a bool; false with a NaN.
    Eq,
    /// `a != b`, a bool; true with a NaN.
    Ne,
    /// `a < b`, a bool; false with a NaN.
    Lt,
    /// `a <= b`, a bool; false with a NaN.
    Le,
    /// `a > b`, a bool; false with a NaN.
    Gt,
    /// `a >= b`, a bool; false with a NaN.
    Ge,
}

impl BinaryOp {
    /// All of them.
    pub const ALL: [Self; 10] =
        [Self::Add, Self::Sub, Self::Mul, Self::Div, Self::Eq, Self::Ne, Self::Lt, Self::Le, Self::Gt, Self::Ge];

    /// Name as the field writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Sub => "sub",
            Self::Mul => "mul",
            Self::Div => "div",
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Lt => "lt",
            Self::Le => "le",
            Self::Gt => "gt",
            Self::Ge => "ge",
        }
    }

    /// Whether it compares: then the result is bool.
    #[must_use]
    pub const fn compares(self) -> bool {
        !matches!(self, Self::Add | Self::Sub | Self::Mul | Self::Div)
    }

    /// Whether it is defined for operands of `dtype`. Bools are compared as 0 and 1.
    #[must_use]
    pub const fn takes(self, dtype: DType) -> bool {
        self.compares() || dtype.is_number()
    }

    /// Type of the result for operands of `dtype`.
    #[must_use]
    pub const fn result(self, dtype: DType) -> DType {
        if self.compares() { DType::Bool } else { dtype }
    }
}

/// Reductions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReduceOp {
    /// The sum; 0 of nothing. Floats keep their type (f16 and bf16 are summed in f32), others give i64, wrapping.
    Sum,
    /// The sum divided by the number of elements, rounded once more; NaN of nothing. Floats.
    Mean,
    /// The greatest element, of the same type. NaN if there is any NaN, and `+0` above `-0`, so that no order matters. Not of nothing.
    Max,
    /// Index of the first greatest element in row-major order over the reduced axes, an i64. The first NaN counts as greatest, and `-0` equals `+0`. Not of
    /// nothing.
    ArgMax,
}

impl ReduceOp {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sum, Self::Mean, Self::Max, Self::ArgMax];

    /// Name as the field writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Max => "max",
            Self::ArgMax => "argmax",
        }
    }

    /// Whether it is defined for elements of `dtype`.
    #[must_use]
    pub const fn takes(self, dtype: DType) -> bool {
        match self {
            Self::Sum | Self::Max | Self::ArgMax => true,
            Self::Mean => dtype.is_float(),
        }
    }

    /// Type of the result for elements of `dtype`.
    #[must_use]
    pub const fn result(self, dtype: DType) -> DType {
        match self {
            Self::Sum if !dtype.is_float() => DType::I64,
            Self::Sum | Self::Mean | Self::Max => dtype,
            Self::ArgMax => DType::I64,
        }
    }

    /// Whether the reduction of no element is defined.
    #[must_use]
    pub const fn has_value_of_nothing(self) -> bool {
        matches!(self, Self::Sum | Self::Mean)
    }
}
