//! Reductions over the last axes of a view: sums in `f64` that keep what they lose (Neumaier 1974), integers in i64, wrapping.

use millstream_hal::{DType, Layout, ReduceOp};

use super::number::{Number, read, write};
use super::positions::positions;

pub(super) fn reduce(op: ReduceOp, dtype: DType, a: &Layout, kept: usize, out: &mut [u8], input: &[u8]) {
    let count = |sizes: &[u32]| sizes.iter().map(|s| *s as usize).product::<usize>();
    let (outputs, each) = (count(&a.sizes()[..kept]), count(&a.sizes()[kept..]));
    let all: Vec<Number> = positions(a).map(|at| read(dtype, input, at)).collect();
    for i in 0..outputs {
        let elements = &all[i * each..(i + 1) * each];
        let value = match op {
            ReduceOp::Sum if dtype.is_float() => Number::Float(sum(elements)),
            ReduceOp::Sum => Number::Int(elements.iter().fold(0, |sum: i64, x| sum.wrapping_add(x.int()))),
            ReduceOp::Mean => Number::Float(sum(elements) / each as f64),
            ReduceOp::Max => greatest(elements),
            ReduceOp::ArgMax => Number::Int(first_greatest(elements) as i64),
        };
        write(op.result(dtype), out, i, value);
    }
}

fn sum(elements: &[Number]) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0f64);
    for element in elements {
        let x = element.float();
        let next = sum + x;
        lost += if sum.abs() >= x.abs() { (sum - next) + x } else { (x - next) + sum };
        sum = next;
    }
    if sum.is_finite() { sum + lost } else { sum }
}

fn greatest(elements: &[Number]) -> Number {
    let first = elements[first_greatest(elements)];
    let zero_above = |x: &Number| matches!(x, Number::Float(x) if *x == 0.0 && x.is_sign_positive());
    match first {
        Number::Float(0.0) if elements.iter().any(zero_above) => Number::Float(0.0),
        other => other,
    }
}

fn first_greatest(elements: &[Number]) -> usize {
    let mut best = 0;
    for (i, element) in elements.iter().enumerate().skip(1) {
        let above = match (element, &elements[best]) {
            (Number::Float(x), Number::Float(y)) => !y.is_nan() && (x > y || x.is_nan()),
            (x, y) => x.int() > y.int(),
        };
        if above {
            best = i;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use millstream_hal::{DType, Kernel, Layout, ReduceOp};

    use crate::interpreter::interpret;
    use crate::testing::{bytes_of, floats_of};

    fn over(op: ReduceOp, a: Layout, kept: u8, values: &[f32], bytes: usize) -> Vec<u8> {
        let mut out = vec![0; bytes];
        interpret(&Kernel::Reduce { op, dtype: DType::F32, a, kept }, &mut out, &[&bytes_of(values)]).unwrap();
        out
    }

    fn reduced(op: ReduceOp, values: &[f32]) -> f32 {
        floats_of(&over(op, Layout::contiguous(&[values.len()]).unwrap(), 0, values, 4))[0]
    }

    fn index(values: &[f32]) -> i64 {
        let out = over(ReduceOp::ArgMax, Layout::contiguous(&[values.len()]).unwrap(), 0, values, 8);
        i64::from_le_bytes(out.try_into().unwrap())
    }

    #[test]
    fn a_sum_keeps_what_single_precision_would_lose() {
        assert_eq!(reduced(ReduceOp::Sum, &[1e8, 1.0, -1e8]), 1.0);
        assert_eq!(reduced(ReduceOp::Sum, &[f32::INFINITY, 1.0]), f32::INFINITY);
        assert_eq!(reduced(ReduceOp::Mean, &[1.0, 2.0, 6.0]), 3.0);
    }

    #[test]
    fn nothing_sums_to_zero_and_has_no_mean() {
        assert_eq!(reduced(ReduceOp::Sum, &[]).to_bits(), 0);
        assert!(reduced(ReduceOp::Mean, &[]).is_nan());
    }

    #[test]
    fn the_first_axes_are_kept() {
        let rows = Layout::contiguous(&[2, 3]).unwrap();
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(floats_of(&over(ReduceOp::Sum, rows, 1, &values, 8)), [6.0, 15.0]);
        assert_eq!(floats_of(&over(ReduceOp::Max, rows.transposed(0, 1), 1, &values, 12)), [4.0, 5.0, 6.0]);
        assert_eq!(floats_of(&over(ReduceOp::Mean, rows, 2, &values, 24)), values);
    }

    #[test]
    fn a_nan_is_greatest_and_of_equals_the_first_is_named() {
        assert!(reduced(ReduceOp::Max, &[1.0, f32::NAN, 3.0]).is_nan());
        assert_eq!(reduced(ReduceOp::Max, &[-0.0, 0.0, -0.0]).to_bits(), 0);
        assert_eq!(reduced(ReduceOp::Max, &[-0.0, -0.0]).to_bits(), (-0.0f32).to_bits());
        assert_eq!(index(&[1.0, f32::NAN, f32::INFINITY, f32::NAN]), 1);
        assert_eq!((index(&[2.0, 3.0, 3.0]), index(&[-0.0, 0.0])), (1, 0));
    }
}
