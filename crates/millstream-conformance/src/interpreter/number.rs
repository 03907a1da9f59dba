//! Elements as numbers: reading, writing, and how a number changes its type (the table in hal's `dtype` module).
//!
//! Floats are computed with as `f64` and rounded to their type once. `half` rounds only from `f32`, so the wider numbers go to `f32` first by
//! rounding to odd, which keeps what the second rounding must know (Boldo, Melquiond, "When double rounding is odd", 2005).

use half::{bf16, f16};
use millstream_hal::{DType, Scalar};

/// One element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Float(f64),
    Int(i64),
    Bool(bool),
}

impl From<Scalar> for Number {
    fn from(value: Scalar) -> Self {
        match value {
            Scalar::F64(x) => Self::Float(x),
            Scalar::I64(x) => Self::Int(x),
            Scalar::Bool(x) => Self::Bool(x),
        }
    }
}

impl Number {
    /// As a float, rounded to `f64`.
    pub(crate) fn float(self) -> f64 {
        match self {
            Self::Float(x) => x,
            Self::Int(x) => x as f64,
            Self::Bool(x) => f64::from(u8::from(x)),
        }
    }

    /// As an i64.
    pub(super) fn int(self) -> i64 {
        match self {
            // What `as` does is the rule: truncated, saturated, NaN to 0.
            Self::Float(x) => x as i64,
            Self::Int(x) => x,
            Self::Bool(x) => i64::from(x),
        }
    }

    /// Whether it is not zero.
    pub(super) fn truth(self) -> bool {
        match self {
            Self::Float(x) => x != 0.0,
            Self::Int(x) => x != 0,
            Self::Bool(x) => x,
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Float(x) => x as u8,
            Self::Int(x) => x as u8,
            Self::Bool(x) => u8::from(x),
        }
    }

    /// Rounded once to `f32`.
    fn single(self) -> f32 {
        match self {
            Self::Int(x) => x as f32,
            other => other.float() as f32,
        }
    }

    /// Rounded to `f32` towards the odd neighbour, for another rounding.
    fn odd_single(self) -> f32 {
        let exact: i128;
        let near = self.single();
        let low = match self {
            Self::Float(x) if x.is_finite() => {
                if f64::from(near) == x || near.is_infinite() {
                    return near;
                }
                f64::from(near) > x
            }
            Self::Int(x) => {
                exact = i128::from(x);
                if near as i128 == exact {
                    return near;
                }
                near as i128 > exact
            }
            _ => return near,
        };
        // Of the two neighbours the one whose last bit is 1.
        match (near.to_bits() & 1 == 1, low) {
            (true, _) => near,
            (false, true) => near.next_down(),
            (false, false) => near.next_up(),
        }
    }
}

/// Element `index` of an operand of `dtype`.
pub(crate) fn read(dtype: DType, bytes: &[u8], index: usize) -> Number {
    let at = &bytes[index * dtype.bytes()..];
    match dtype {
        DType::F32 => Number::Float(f64::from(f32::from_le_bytes(array(at)))),
        DType::F64 => Number::Float(f64::from_le_bytes(array(at))),
        DType::F16 => Number::Float(f16::from_le_bytes(array(at)).to_f64()),
        DType::BF16 => Number::Float(bf16::from_le_bytes(array(at)).to_f64()),
        DType::I64 => Number::Int(i64::from_le_bytes(array(at))),
        DType::U8 => Number::Int(i64::from(at[0])),
        DType::Bool => Number::Bool(at[0] != 0),
    }
}

/// Writes `value` as element `index` of an operand of `dtype`.
pub(crate) fn write(dtype: DType, bytes: &mut [u8], index: usize, value: Number) {
    let at = index * dtype.bytes();
    let mut put = |value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    match dtype {
        DType::F32 => put(&value.single().to_le_bytes()),
        DType::F64 => put(&value.float().to_le_bytes()),
        DType::F16 => put(&f16::from_f32(value.odd_single()).to_le_bytes()),
        DType::BF16 => put(&bf16::from_f32(value.odd_single()).to_le_bytes()),
        DType::I64 => put(&value.int().to_le_bytes()),
        DType::U8 => put(&[value.byte()]),
        DType::Bool => put(&[u8::from(value.truth())]),
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    std::array::from_fn(|i| bytes[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(dtype: DType, value: Number) -> Number {
        let mut bytes = [0u8; 8];
        write(dtype, &mut bytes, 0, value);
        read(dtype, &bytes, 0)
    }

    #[test]
    fn a_number_is_rounded_once_also_to_half() {
        // Just above the middle between 1 and the next f16: two roundings would give 1.
        let above = 1.0 + f64::from(f16::EPSILON.to_f32()) / 2.0 + 1e-12;
        assert_eq!(written(DType::F16, Number::Float(above)), Number::Float(1.0 + 0.000_976_562_5));
        assert_eq!(written(DType::F16, Number::Float(above - 1e-12)), Number::Float(1.0));
        let above = (1i64 << 60) + (1 << 52) + 1;
        assert_eq!(written(DType::BF16, Number::Int(above)), Number::Float(((1i64 << 60) + (1 << 53)) as f64));
        assert_eq!(written(DType::BF16, Number::Int(above - 1)), Number::Float((1i64 << 60) as f64));
        assert_eq!(
            written(DType::F32, Number::Int((1 << 54) + (1 << 30) + 1)),
            Number::Float(((1i64 << 54) + (1 << 31)) as f64)
        );
        assert_eq!(written(DType::F16, Number::Float(65_520.0)), Number::Float(f64::INFINITY));
        assert_eq!(written(DType::F16, Number::Float(-65_519.9)), Number::Float(-65_504.0));
        assert_eq!(written(DType::F16, Number::Float(3e-8)), Number::Float(5.960_464_477_539_063e-8));
    }

    #[test]
    fn floats_are_truncated_and_saturated_to_integers_and_integers_wrap() {
        for (value, wanted) in [(2.9, 2), (-2.9, -2), (1e30, i64::MAX), (-1e30, i64::MIN), (f64::NAN, 0)] {
            assert_eq!(written(DType::I64, Number::Float(value)), Number::Int(wanted));
        }
        for (value, wanted) in [(255.9, 255), (256.0, 255), (-1.0, 0), (f64::NAN, 0)] {
            assert_eq!(written(DType::U8, Number::Float(value)), Number::Int(wanted));
        }
        assert_eq!(written(DType::U8, Number::Int(-1)), Number::Int(255));
        assert_eq!(written(DType::U8, Number::Int(257)), Number::Int(1));
        assert_eq!(written(DType::Bool, Number::Float(f64::NAN)), Number::Bool(true));
        assert_eq!(written(DType::Bool, Number::Float(-0.0)), Number::Bool(false));
        assert_eq!(written(DType::F16, Number::Bool(true)), Number::Float(1.0));
    }
}
