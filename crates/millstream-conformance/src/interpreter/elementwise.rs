//! Element-wise kernels. `f64` arithmetic on `f32` operands rounds to `f32` exactly as `f32` arithmetic does (53 >= 2 * 24 + 2
//! bits), so every backend must agree to the bit.

use millstream_hal::Layout;

use super::words::{f32_at, positions, put_f32, u32_at};

pub(super) fn binary(op: impl Fn(f64, f64) -> f64, a: &Layout, b: &Layout, out: &mut [u8], inputs: &[&[u8]]) {
    for (i, (x, y)) in positions(a).zip(positions(b)).enumerate() {
        let value = op(f64::from(f32_at(inputs[0], x)), f64::from(f32_at(inputs[1], y)));
        put_f32(out, i, value as f32);
    }
}

pub(super) fn copy(a: &Layout, out: &mut [u8], input: &[u8]) {
    for (i, x) in positions(a).enumerate() {
        out[i * 4..i * 4 + 4].copy_from_slice(&u32_at(input, x).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use millstream_hal::{BinaryOp, Kernel, Layout};

    use crate::interpreter::interpret;
    use crate::testing::{bytes_of, floats_of};

    #[test]
    fn add_of_a_matrix_and_its_transpose() {
        let view = Layout::contiguous(&[2, 2]).unwrap();
        let a = bytes_of(&[1.0, 2.0, 3.0, 4.0]);
        let mut out = vec![0; 16];
        let kernel = Kernel::Binary { op: BinaryOp::Add, a: view, b: view.transposed(0, 1) };
        interpret(&kernel, &mut out, &[&a, &a]).unwrap();
        assert_eq!(floats_of(&out), [2.0, 5.0, 5.0, 8.0]);
    }

    #[test]
    fn products_round_as_single_precision_does() {
        let view = Layout::contiguous(&[3]).unwrap();
        let (a, b) = ([1.000_000_1f32, 1e-38, 3e38], [1.000_000_1f32, 1e-3, 10.0]);
        let mut out = vec![0; 12];
        let kernel = Kernel::Binary { op: BinaryOp::Mul, a: view, b: view };
        interpret(&kernel, &mut out, &[&bytes_of(&a), &bytes_of(&b)]).unwrap();
        let single: Vec<u32> = a.iter().zip(&b).map(|(x, y)| (x * y).to_bits()).collect();
        assert_eq!(floats_of(&out).iter().map(|x| x.to_bits()).collect::<Vec<_>>(), single);
    }

    #[test]
    fn copy_makes_a_view_contiguous() {
        let view = Layout::contiguous(&[2, 3]).unwrap().transposed(0, 1);
        let mut out = vec![0; 24];
        interpret(&Kernel::Copy { a: view }, &mut out, &[&bytes_of(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])]).unwrap();
        assert_eq!(floats_of(&out), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }
}
