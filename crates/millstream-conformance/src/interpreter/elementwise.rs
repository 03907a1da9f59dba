//! Element-wise kernels. `f64` arithmetic on `f32`, `f16` or `bf16` operands rounds to their type exactly as `f32` arithmetic does that
//! is rounded once more (53 >= 2 * 24 + 2 bits, and 24 >= 2 * 11 + 2), so every backend must agree to the bit where hal says "exact".

use millstream_hal::{BinaryOp, DType, Layout, Scalar, UnaryOp};

use super::number::{Number, read, write};
use super::positions::positions;

pub(super) fn fill(dtype: DType, elements: usize, value: Scalar, out: &mut [u8]) {
    (0..elements).for_each(|i| write(dtype, out, i, value.into()));
}

pub(super) fn arange(dtype: DType, elements: usize, start: Scalar, step: Scalar, out: &mut [u8]) {
    let (start, step) = (Number::from(start), Number::from(step));
    for i in 0..elements {
        let value = if dtype.is_float() {
            Number::Float(start.float() + i as f64 * step.float())
        } else {
            Number::Int(start.int().wrapping_add(step.int().wrapping_mul(i as i64)))
        };
        write(dtype, out, i, value);
    }
}

pub(super) fn unary(op: UnaryOp, dtype: DType, a: &Layout, out: &mut [u8], input: &[u8]) {
    for (i, at) in positions(a).enumerate() {
        let value = match read(dtype, input, at) {
            Number::Float(x) => Number::Float(unary_of_float(op, x)),
            other => Number::Int(match op {
                UnaryOp::Neg => other.int().wrapping_neg(),
                UnaryOp::Abs => other.int().wrapping_abs(),
                UnaryOp::Relu => other.int().max(0),
                _ => unreachable!("of floats alone"),
            }),
        };
        write(dtype, out, i, value);
    }
}

pub(super) fn unary_of_float(op: UnaryOp, x: f64) -> f64 {
    use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
    match op {
        UnaryOp::Neg => -x,
        UnaryOp::Abs => x.abs(),
        UnaryOp::Exp => x.exp(),
        UnaryOp::Log => x.ln(),
        UnaryOp::Sqrt => x.sqrt(),
        UnaryOp::Tanh => x.tanh(),
        UnaryOp::Relu if x > 0.0 || x.is_nan() => x,
        UnaryOp::Relu => 0.0,
        UnaryOp::Erf => libm::erf(x),
        UnaryOp::Gelu => 0.5 * x * (1.0 + libm::erf(x * FRAC_1_SQRT_2)),
        // sqrt(2 / pi) is 2 / sqrt(pi) over sqrt(2).
        UnaryOp::GeluTanh => 0.5 * x * (1.0 + (FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * (x + 0.044_715 * x * x * x)).tanh()),
    }
}

pub(super) fn binary(op: BinaryOp, dtype: DType, [a, b]: [Layout; 2], out: &mut [u8], inputs: &[&[u8]]) {
    for (i, (x, y)) in positions(&a).zip(positions(&b)).enumerate() {
        let value = match (read(dtype, inputs[0], x), read(dtype, inputs[1], y)) {
            (Number::Float(x), Number::Float(y)) => of_floats(op, x, y),
            (x, y) => of_integers(op, x.int(), y.int()),
        };
        write(op.result(dtype), out, i, value);
    }
}

fn of_floats(op: BinaryOp, x: f64, y: f64) -> Number {
    match op {
        BinaryOp::Add => Number::Float(x + y),
        BinaryOp::Sub => Number::Float(x - y),
        BinaryOp::Mul => Number::Float(x * y),
        BinaryOp::Div => Number::Float(x / y),
        _ => compared(op, &x, &y),
    }
}

fn of_integers(op: BinaryOp, x: i64, y: i64) -> Number {
    match op {
        BinaryOp::Add => Number::Int(x.wrapping_add(y)),
        BinaryOp::Sub => Number::Int(x.wrapping_sub(y)),
        BinaryOp::Mul => Number::Int(x.wrapping_mul(y)),
        BinaryOp::Div => Number::Int(if y == 0 { 0 } else { x.wrapping_div(y) }),
        _ => compared(op, &x, &y),
    }
}

fn compared<T: PartialOrd>(op: BinaryOp, x: &T, y: &T) -> Number {
    Number::Bool(match op {
        BinaryOp::Eq => x == y,
        BinaryOp::Ne => x != y,
        BinaryOp::Lt => x < y,
        BinaryOp::Le => x <= y,
        BinaryOp::Gt => x > y,
        BinaryOp::Ge => x >= y,
        BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div => unreachable!("arithmetic"),
    })
}

pub(super) fn select(dtype: DType, [cond, a, b]: [Layout; 3], out: &mut [u8], inputs: &[&[u8]]) {
    for (i, ((c, x), y)) in positions(&cond).zip(positions(&a)).zip(positions(&b)).enumerate() {
        let (from, at) = if read(DType::Bool, inputs[0], c).truth() { (inputs[1], x) } else { (inputs[2], y) };
        copy_element(dtype, out, i, from, at);
    }
}

pub(super) fn cast(from: DType, to: DType, a: &Layout, out: &mut [u8], input: &[u8]) {
    if from == to {
        return copy(from, a, out, input);
    }
    positions(a).enumerate().for_each(|(i, at)| write(to, out, i, read(from, input, at)));
}

pub(super) fn copy(dtype: DType, a: &Layout, out: &mut [u8], input: &[u8]) {
    positions(a).enumerate().for_each(|(i, at)| copy_element(dtype, out, i, input, at));
}

fn copy_element(dtype: DType, out: &mut [u8], to: usize, input: &[u8], from: usize) {
    let size = dtype.bytes();
    out[to * size..(to + 1) * size].copy_from_slice(&input[from * size..(from + 1) * size]);
}

#[cfg(test)]
#[path = "tests/elementwise.rs"]
mod tests;
