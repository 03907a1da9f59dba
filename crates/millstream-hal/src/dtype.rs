//! Element types, and a number that is not of any type yet.
//!
//! **How a number changes its type** (everywhere: [`crate::Kernel::Cast`], [`crate::Kernel::Fill`], [`crate::Kernel::Arange`]):
//!
//! | from | to | rule |
//! |---|---|---|
//! | any number | float | rounded to nearest, ties to even, once; too large is an infinity |
//! | float | integer | truncated towards zero; what lies outside the range becomes its nearest end; NaN becomes 0 |
//! | integer | integer | modulo the range: the low bits stay |
//! | any number | bool | whether it is not zero; NaN is not zero |
//! | bool | any number | 0 or 1 |

/// The type of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// IEEE 754 binary16. Computed with in f32 and rounded once.
    F16,
    /// The high half of binary32. Computed with in f32 and rounded once.
    BF16,
    /// Signed, 64 bits, two's complement; arithmetic wraps.
    I64,
    /// Unsigned, 8 bits; arithmetic wraps.
    U8,
    /// One byte, 0 or 1. Kernels read any other byte as 1.
    Bool,
}

impl DType {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::F32, Self::F64, Self::F16, Self::BF16, Self::I64, Self::U8, Self::Bool];

    /// Size of one element in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::U8 | Self::Bool => 1,
        }
    }

    /// Name as the field writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::I64 => "i64",
            Self::U8 => "u8",
            Self::Bool => "bool",
        }
    }

    /// Whether it is one of the four floating-point types.
    #[must_use]
    pub const fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64 | Self::F16 | Self::BF16)
    }

    /// Whether it is an integer type: i64 or u8.
    #[must_use]
    pub const fn is_integer(self) -> bool {
        matches!(self, Self::I64 | Self::U8)
    }

    /// Whether it can be added and multiplied: every type but bool.
    #[must_use]
    pub const fn is_number(self) -> bool {
        !matches!(self, Self::Bool)
    }

    /// Distance from 1 to the next larger number; 0 for types that are exact.
    #[must_use]
    pub const fn epsilon(self) -> f64 {
        match self {
            Self::F32 => f32::EPSILON as f64,
            Self::F64 => f64::EPSILON,
            Self::F16 => 0.000_976_562_5,
            Self::BF16 => 0.007_812_5,
            Self::I64 | Self::U8 | Self::Bool => 0.0,
        }
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A number as it was written down, before it gets the type of a kernel by the rules of this module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// A real number.
    F64(f64),
    /// An integer.
    I64(i64),
    /// A truth value.
    Bool(bool),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::F64(value) => write!(f, "{value:?}"),
            Self::I64(value) => write!(f, "{value}"),
            Self::Bool(value) => write!(f, "{value}"),
        }
    }
}

impl From<f32> for Scalar {
    fn from(value: f32) -> Self {
        Self::F64(f64::from(value))
    }
}

impl From<f64> for Scalar {
    fn from(value: f64) -> Self {
        Self::F64(value)
    }
}

impl From<i64> for Scalar {
    fn from(value: i64) -> Self {
        Self::I64(value)
    }
}

impl From<i32> for Scalar {
    fn from(value: i32) -> Self {
        Self::I64(value.into())
    }
}

impl From<u8> for Scalar {
    fn from(value: u8) -> Self {
        Self::I64(value.into())
    }
}

impl From<bool> for Scalar {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_name_and_a_size_of_its_own_kind() {
        let names: std::collections::HashSet<_> = DType::ALL.iter().map(|d| d.name()).collect();
        assert_eq!(names.len(), DType::ALL.len());
        for dtype in DType::ALL {
            assert_eq!(dtype.is_float(), dtype.epsilon() > 0.0, "{dtype}");
            assert_eq!(dtype.is_number(), dtype.is_float() || dtype.is_integer(), "{dtype}");
        }
        assert_eq!(DType::ALL.map(DType::bytes), [4, 8, 2, 2, 8, 1, 1]);
    }
}
