//! Matrix products, in index order along `k`. Products of `f32` are exact in `f64` and are added in it; products of `f64` are split into two
//! numbers without error, and what a sum loses is kept (Ogita, Rump, Oishi, "Accurate sum and dot product", 2005). Integers wrap.

use millstream_hal::{DType, Layout};

use super::number::{Number, read, write};
use super::positions::positions;

pub(super) fn matmul(dtype: DType, a: &Layout, b: &Layout, out: &mut [u8], inputs: &[&[u8]]) {
    let dims = a.dims();
    let (m, k, n) = (a.size(dims - 2), a.size(dims - 1), b.size(dims - 1));
    let numbers = |view: &Layout, input: usize| -> Vec<Number> {
        positions(view).map(|at| read(dtype, inputs[input], at)).collect()
    };
    let (left, right) = (numbers(a, 0), numbers(b, 1));
    let batch: usize = a.sizes()[..dims - 2].iter().map(|s| *s as usize).product();
    if matches!(dtype, DType::I64 | DType::F64) {
        for i in 0..batch * m * n {
            let (product, row, column) = (i / (m * n), i / n % m, i % n);
            let pairs = (0..k).map(|j| (left[(product * m + row) * k + j], right[(product * k + j) * n + column]));
            let value = match dtype {
                DType::F64 => Number::Float(accurate(pairs)),
                _ => Number::Int(pairs.fold(0, |sum, (x, y)| x.int().wrapping_mul(y.int()).wrapping_add(sum))),
            };
            write(dtype, out, i, value);
        }
        return;
    }
    let [left, right] = [left, right].map(|all| all.into_iter().map(Number::float).collect::<Vec<f64>>());
    let mut row = vec![0.0f64; n];
    for r in 0..batch * m {
        row.fill(0.0);
        for j in 0..k {
            let (x, line) = (left[r * k + j], &right[(r / m * k + j) * n..][..n]);
            row.iter_mut().zip(line).for_each(|(sum, y)| *sum += x * y);
        }
        row.iter().enumerate().for_each(|(c, sum)| write(dtype, out, r * n + c, Number::Float(*sum)));
    }
}

fn accurate(pairs: impl Iterator<Item = (Number, Number)>) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0f64);
    for (x, y) in pairs {
        let (x, y) = (x.float(), y.float());
        let product = x * y;
        let next = sum + product;
        let back = next - sum;
        lost += x.mul_add(y, -product) + ((sum - (next - back)) + (product - back));
        sum = next;
    }
    // What an infinity loses is no number.
    if sum.is_finite() { sum + lost } else { sum }
}

#[cfg(test)]
mod tests {
    use millstream_hal::{DType, Kernel, Layout};

    use crate::interpreter::interpret;
    use crate::testing::{bytes_of, floats_of};

    fn layout(shape: &[usize]) -> Layout {
        Layout::contiguous(shape).unwrap()
    }

    #[test]
    fn product_of_two_by_three_and_a_transposed_two_by_three() {
        let a = bytes_of(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let (rows, columns) = (layout(&[2, 3]), layout(&[2, 3]).transposed(0, 1));
        let mut out = vec![0; 16];
        interpret(&Kernel::Matmul { dtype: DType::F32, a: rows, b: columns }, &mut out, &[&a, &a]).unwrap();
        assert_eq!(floats_of(&out), [14.0, 32.0, 32.0, 77.0]);
    }

    #[test]
    fn a_batch_with_one_repeated_factor() {
        let (a, b) = (bytes_of(&[1.0, 2.0, 3.0, 4.0]), bytes_of(&[10.0, 100.0]));
        let kernel = Kernel::Matmul {
            dtype: DType::F32,
            a: layout(&[2, 1, 2]),
            b: layout(&[2, 1]).broadcast_to(&[2, 2, 1]).unwrap(),
        };
        let mut out = vec![0; 8];
        interpret(&kernel, &mut out, &[&a, &b]).unwrap();
        assert_eq!(floats_of(&out), [210.0, 430.0]);
    }

    #[test]
    fn an_empty_inner_dimension_gives_zeros() {
        let mut out = vec![7; 8];
        let kernel = Kernel::Matmul { dtype: DType::F32, a: layout(&[1, 0]), b: layout(&[0, 2]) };
        interpret(&kernel, &mut out, &[&[], &[]]).unwrap();
        assert_eq!(floats_of(&out).map_bits(), [0, 0]);
    }

    #[test]
    fn doubles_keep_what_a_sum_would_lose_and_integers_wrap() {
        let bytes = |values: [f64; 3]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
        let mut out = [0u8; 8];
        let kernel = Kernel::Matmul { dtype: DType::F64, a: layout(&[1, 3]), b: layout(&[3, 1]) };
        interpret(&kernel, &mut out, &[&bytes([1e17, 1.0, -1e17]), &bytes([1.0, 1.0, 1.0])]).unwrap();
        assert_eq!(f64::from_le_bytes(out), 1.0);
        let kernel = Kernel::Matmul { dtype: DType::I64, a: layout(&[1, 1]), b: layout(&[1, 1]) };
        interpret(&kernel, &mut out, &[&i64::MAX.to_le_bytes(), &2i64.to_le_bytes()]).unwrap();
        assert_eq!(i64::from_le_bytes(out), -2);
    }

    trait Bits {
        fn map_bits(&self) -> Vec<u32>;
    }

    impl Bits for Vec<f32> {
        fn map_bits(&self) -> Vec<u32> {
            self.iter().map(|x| x.to_bits()).collect()
        }
    }
}
