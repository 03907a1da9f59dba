//! The elements of a view in row-major order, and the raw bytes of a transfer.

use super::number::Element;
use super::view::View;

/// Side of a tile of a transposition: a tile and its target lines stay in the first-level cache.
const TILE: usize = 32;

/// Elements `first .. first + out.len()` of the view. Panics when it has fewer.
pub fn copy<T: Element>(out: &mut [T], first: usize, a: &View<'_, T>) {
    match a.matrix() {
        Some(matrix) if first.is_multiple_of(matrix.cols) && out.len().is_multiple_of(matrix.cols) => {
            transpose(out, matrix.cols, first / matrix.cols, &matrix);
        }
        _ => a.gather(first, out),
    }
}

/// A view of two axes whose columns lie densely.
pub(crate) struct Matrix<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) cols: usize,
    pub(crate) col_stride: usize,
}

fn transpose<T: Element>(out: &mut [T], cols: usize, first_row: usize, matrix: &Matrix<'_, T>) {
    let rows = out.len() / cols;
    for row in (0..rows).step_by(TILE) {
        let row_end = (row + TILE).min(rows);
        for col in (0..cols).step_by(TILE) {
            for c in col..(col + TILE).min(cols) {
                let from = &matrix.data[first_row + row + c * matrix.col_stride..][..row_end - row];
                for (i, x) in from.iter().enumerate() {
                    out[(row + i) * cols + c] = *x;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use millstream_hal::Layout;

    use super::super::view::tests::numbered;
    use super::*;

    #[test]
    fn a_transposed_matrix_is_copied_tile_by_tile_into_the_same_elements() {
        for (rows, cols) in [(1, 1), (1, 70), (33, 31), (100, 65), (64, 64)] {
            let data = numbered(rows * cols);
            let layout = Layout::contiguous(&[cols, rows]).unwrap().transposed(0, 1);
            let view = View::new(&data, &layout);
            let mut gathered = vec![-1.0; rows * cols];
            view.gather(0, &mut gathered);
            let mut copied = vec![-2.0; rows * cols];
            copy(&mut copied, 0, &view);
            assert_eq!(copied, gathered);
            let half = rows / 2;
            let mut lower = vec![-3.0; (rows - half) * cols];
            copy(&mut lower, half * cols, &view);
            assert_eq!(lower, gathered[half * cols..]);
            let mut odd = vec![-4.0; rows * cols / 2];
            copy(&mut odd, rows * cols / 3, &view);
            assert_eq!(odd, gathered[rows * cols / 3..][..rows * cols / 2]);
        }
    }
}
