//! Matrix product, accumulated in `f64` along `k` in index order. Products of `f32` are exact in `f64`.

use millstream_hal::MatrixView;

use super::words::{f32_at, put_f32};

pub(super) fn matmul([m, n, k]: [usize; 3], a: &MatrixView, b: &MatrixView, out: &mut [u8], inputs: &[&[u8]]) {
    let left = gather(a, m, k, inputs[0]);
    let right = gather(b, k, n, inputs[1]);
    let mut row = vec![0.0f64; n];
    for r in 0..m {
        row.fill(0.0);
        for i in 0..k {
            let x = left[r * k + i];
            for (sum, y) in row.iter_mut().zip(&right[i * n..(i + 1) * n]) {
                *sum += x * y;
            }
        }
        for (c, sum) in row.iter().enumerate() {
            put_f32(out, r * n + c, *sum as f32);
        }
    }
}

fn gather(view: &MatrixView, rows: usize, columns: usize, bytes: &[u8]) -> Vec<f64> {
    let mut all = Vec::with_capacity(rows * columns);
    for r in 0..rows as i64 {
        for c in 0..columns as i64 {
            let at = view.offset as i64 + r * view.row_stride + c * view.col_stride;
            all.push(f64::from(f32_at(bytes, at as usize)));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use millstream_hal::{Kernel, MatrixView};

    use crate::interpreter::interpret;
    use crate::testing::{bytes_of, floats_of};

    #[test]
    fn product_of_two_by_three_and_a_transposed_two_by_three() {
        let a = bytes_of(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let rows = MatrixView { offset: 0, row_stride: 3, col_stride: 1 };
        let columns = MatrixView { offset: 0, row_stride: 1, col_stride: 3 };
        let mut out = vec![0; 16];
        interpret(&Kernel::Matmul { m: 2, n: 2, k: 3, a: rows, b: columns }, &mut out, &[&a, &a]).unwrap();
        assert_eq!(floats_of(&out), [14.0, 32.0, 32.0, 77.0]);
    }

    #[test]
    fn an_empty_inner_dimension_gives_zeros() {
        let view = MatrixView { offset: 0, row_stride: 0, col_stride: 1 };
        let mut out = vec![7; 8];
        interpret(&Kernel::Matmul { m: 1, n: 2, k: 0, a: view, b: view }, &mut out, &[&[], &[]]).unwrap();
        assert_eq!(floats_of(&out), [0.0, 0.0]);
    }
}
