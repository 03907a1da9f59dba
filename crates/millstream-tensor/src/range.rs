//! How many numbers an `arange` has, and whether its type has them.

use millstream_hal::{DType, Scalar};

use crate::error::{Error, Result};
use crate::operand::fits;

/// Errors: [`Error::Argument`], [`Error::DType`].
pub(crate) fn elements(
    operation: &'static str,
    start: Scalar,
    end: Scalar,
    step: Scalar,
    dtype: DType,
) -> Result<usize> {
    if !dtype.is_number() {
        return Err(Error::DType { operation, dtype, takes: "numbers alone" });
    }
    let refused = |name, value, rule| Err(Error::Argument { operation, name, value, rule });
    // The step and the end may lie outside the type where no element does.
    let wide = if dtype.is_float() { dtype } else { DType::I64 };
    for (name, value) in [("start", start), ("end", end), ("step", step)] {
        fits(operation, name, value, wide)?;
        if matches!(value, Scalar::F64(x) if !x.is_finite()) {
            return refused(name, value, "it must be finite");
        }
    }
    if matches!(step, Scalar::I64(0)) || matches!(step, Scalar::F64(0.0)) {
        return refused("step", step, "it must not be 0");
    }
    if dtype.is_float() {
        let (start, end_number, step) = (real(start), real(end), real(step));
        let count = ((end_number - start) / step).ceil().max(0.0);
        if count > f64::from(u32::MAX) {
            return refused("end", end, "an axis has at most 4294967295 elements");
        }
        return Ok(count as usize);
    }
    let (first, end_number, by) = (whole(start), whole(end), whole(step));
    let distance = (end_number - first) * by.signum();
    let count = if distance <= 0 { 0 } else { (distance - 1) / by.abs() + 1 };
    if count > i128::from(u32::MAX) {
        return refused("end", end, "an axis has at most 4294967295 elements");
    }
    if count > 0 && dtype == DType::U8 {
        fits(operation, "start", start, dtype)?;
        let last = first + (count - 1) * by;
        fits(operation, "last element", Scalar::I64(last as i64), dtype)?;
    }
    Ok(count as usize)
}

fn real(value: Scalar) -> f64 {
    match value {
        Scalar::F64(x) => x,
        Scalar::I64(x) => x as f64,
        Scalar::Bool(x) => f64::from(u8::from(x)),
    }
}

fn whole(value: Scalar) -> i128 {
    match value {
        Scalar::F64(x) => x as i128,
        Scalar::I64(x) => x.into(),
        Scalar::Bool(x) => x.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(start: impl Into<Scalar>, end: impl Into<Scalar>, step: impl Into<Scalar>, dtype: DType) -> Result<usize> {
        elements("arange", start.into(), end.into(), step.into(), dtype)
    }

    #[test]
    fn the_end_is_never_reached() {
        assert_eq!(count(0, 10, 3, DType::I64).unwrap(), 4);
        assert_eq!(count(0, 9, 3, DType::I64).unwrap(), 3);
        assert_eq!(count(5, 0, -2, DType::I64).unwrap(), 3);
        assert_eq!(count(0.0, 1.0, 0.25, DType::F32).unwrap(), 4);
        assert_eq!(count(0.0, 1.1, 0.25, DType::F64).unwrap(), 5);
        assert_eq!(
            count(250, 300, 5, DType::U8).unwrap_err().to_string(),
            "arange: last element is 295: u8 goes from 0 to 255"
        );
    }

    #[test]
    fn an_end_behind_the_start_gives_nothing() {
        assert_eq!(count(3, 3, 1, DType::I64).unwrap(), 0);
        assert_eq!(count(3, 0, 1, DType::U8).unwrap(), 0);
        assert_eq!(count(3.0, 0.0, 1.0, DType::F16).unwrap(), 0);
    }

    #[test]
    fn the_whole_range_of_integers_does_not_overflow() {
        assert_eq!(count(i64::MIN, i64::MAX, i64::MAX, DType::I64).unwrap(), 3);
        assert!(count(i64::MIN, i64::MAX, 1, DType::I64).is_err());
        assert_eq!(count(i64::MAX, i64::MIN, i64::MIN, DType::I64).unwrap(), 2);
    }
}
