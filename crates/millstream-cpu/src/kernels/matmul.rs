//! Matrix products, tile by tile.
//!
//! The crate `gemm` does a tile, on the calling thread alone; this file cuts the product into tiles. The cut is a function of the shape,
//! never along `k`, and is the same on one thread: `gemm` picks its blocking and its paths for thin matrices by the shape of what it is
//! given, so that another cut could give other bits. That blocking also follows the sizes of the caches, which is why those are in the
//! numeric class of the device. `gemm` allocates its packing buffers on the host heap in each call and keeps one buffer of the size
//! of the second-level cache per thread that ever multiplied.
//!
//! **Invariants**
//! * `tiles-are-shape`: two products of one shape have the same tiles, whoever computes them.
//!
//! **Checked by** the tests below.
#![expect(unsafe_code, reason = "the product is computed through pointers with strides")]

use millstream_hal::MatrixView;

/// Multiply-adds below which a product is one tile: cutting it would cost more than a second processor gains.
const ONE_TILE: usize = 1 << 22;
/// Rows and columns of a tile of a large product.
const TILE: (usize, usize) = (128, 512);

/// An operand: element `(r, c)` is at `offset + r * row_stride + c * col_stride`. Bounds were checked when it was made.
#[derive(Clone, Copy, Debug)]
pub struct Factor<'a> {
    data: &'a [f32],
    offset: usize,
    row_stride: isize,
    col_stride: isize,
}

impl<'a> Factor<'a> {
    /// The `[rows, cols]` matrix that `view` names. Panics when it reaches outside `data`: the operand of a launch was too small.
    #[must_use]
    pub fn new(data: &'a [f32], view: &MatrixView, rows: usize, cols: usize) -> Self {
        let factor = Self {
            data,
            offset: view.offset,
            row_stride: view.row_stride as isize,
            col_stride: view.col_stride as isize,
        };
        if rows > 0 && cols > 0 {
            let down = (rows as i128 - 1) * i128::from(view.row_stride);
            let right = (cols as i128 - 1) * i128::from(view.col_stride);
            let low = view.offset as i128 + down.min(0) + right.min(0);
            let high = view.offset as i128 + down.max(0) + right.max(0);
            assert!(
                low >= 0 && high < data.len() as i128,
                "{rows} x {cols} matrix {view:?} reaches {low}..={high} of {} elements",
                data.len()
            );
        }
        factor
    }

    /// Address of element `(row, col)`, which lies inside, or of nothing that is read.
    fn at(&self, row: usize, col: usize) -> *const f32 {
        let index = self.offset as isize + row as isize * self.row_stride + col as isize * self.col_stride;
        self.data.as_ptr().wrapping_offset(index)
    }
}

/// How a product of one shape is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiling {
    m: usize,
    k: usize,
    n: usize,
    rows: usize,
    cols: usize,
}

impl Tiling {
    /// The cut of `[m, k] x [k, n]`.
    #[must_use]
    pub fn of(m: usize, k: usize, n: usize) -> Self {
        let work = m.saturating_mul(n).saturating_mul(k);
        let (rows, cols) = if work <= ONE_TILE { (m, n) } else { (TILE.0.min(m), TILE.1.min(n)) };
        Self { m, k, n, rows: rows.max(1), cols: cols.max(1) }
    }

    /// Number of tiles; none when the product has no element.
    #[must_use]
    pub fn tiles(&self) -> usize {
        self.m.div_ceil(self.rows) * self.n.div_ceil(self.cols)
    }

    /// First row, first column, rows and columns of tile `index`.
    #[must_use]
    pub fn tile(&self, index: usize) -> (usize, usize, usize, usize) {
        let across = self.n.div_ceil(self.cols);
        let (row, col) = (index / across * self.rows, index % across * self.cols);
        (row, col, self.rows.min(self.m - row), self.cols.min(self.n - col))
    }
}

/// The row-major result of a product whose tiles several threads may write.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    out: *mut f32,
    tiling: Tiling,
}

// SAFETY: the pointer is only written through `write_tile`, whose caller promises that no two threads write one tile.
unsafe impl Send for Product {}
// SAFETY: as above.
unsafe impl Sync for Product {}

impl Product {
    /// The product of shape `tiling` in `out`. Panics when `out` has another size. Borrowing ends here: see [`Product::write_tile`].
    #[must_use]
    pub fn new(out: &mut [f32], tiling: Tiling) -> Self {
        assert_eq!(out.len(), tiling.m * tiling.n, "result of {} x {}", tiling.m, tiling.n);
        Self { out: out.as_mut_ptr(), tiling }
    }

    /// Computes tile `index`.
    ///
    /// # Safety
    /// The slice given to [`Product::new`] is alive and nobody else touches it but calls with other indices; `a` is `[m, k]` and `b`
    /// `[k, n]` of the tiling, as checked by [`Factor::new`].
    pub unsafe fn write_tile(&self, index: usize, a: &Factor<'_>, b: &Factor<'_>) {
        let (row, col, rows, cols) = self.tiling.tile(index);
        let n = self.tiling.n;
        let to = self.out.wrapping_add(row * n + col);
        if self.tiling.k == 0 {
            for r in 0..rows {
                // SAFETY: `cols` elements from column `col` of row `row + r` lie inside the result, and are this tile's alone.
                unsafe { std::slice::from_raw_parts_mut(to.wrapping_add(r * n), cols) }.fill(0.0);
            }
            return;
        }
        let (lhs, rhs) = (a.at(row, 0), b.at(0, col));
        // SAFETY: `gemm` reads `rows x k` from `lhs`, `k x cols` from `rhs` and writes `rows x cols` at `to`, with these strides; the
        // factors were checked in `Factor::new`, the tile lies in the result and is this call's alone.
        unsafe {
            gemm::gemm(
                rows,
                cols,
                self.tiling.k,
                to,
                1,
                n as isize,
                false,
                lhs,
                a.col_stride,
                a.row_stride,
                rhs,
                b.col_stride,
                b.row_stride,
                0.0f32,
                1.0f32,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }
}

/// `[m, k] x [k, n] -> [m, n]` on the calling thread. `k == 0` gives zeros; `m == 0` or `n == 0` does nothing.
pub fn matmul(out: &mut [f32], tiling: Tiling, a: &Factor<'_>, b: &Factor<'_>) {
    let product = Product::new(out, tiling);
    for index in 0..tiling.tiles() {
        // SAFETY: `out` is borrowed until after the loop, which is the only writer.
        unsafe { product.write_tile(index, a, b) };
    }
}

#[cfg(test)]
mod tests {
    use millstream_hal::PhiloxKey;

    use super::super::randn::randn;
    use super::*;
    use crate::Level;

    fn normals(n: usize, sequence: u64) -> Vec<f32> {
        let mut x = vec![0.0; n];
        randn(Level::best(), PhiloxKey { seed: 1, sequence, offset: 0 }, 0, &mut x);
        x
    }

    fn dense(cols: usize) -> MatrixView {
        MatrixView { offset: 0, row_stride: cols as i64, col_stride: 1 }
    }

    fn turned(rows: usize) -> MatrixView {
        MatrixView { offset: 0, row_stride: 1, col_stride: rows as i64 }
    }

    #[test]
    fn products_agree_with_double_precision_for_dense_and_transposed_factors() {
        for (m, k, n) in [(1, 1, 1), (3, 5, 7), (1, 64, 33), (64, 1, 2), (64, 64, 64), (65, 130, 37), (150, 300, 530)] {
            let (a, b) = (normals(m * k, 1), normals(k * n, 2));
            for (va, vb) in [(dense(k), dense(n)), (turned(m), dense(n)), (dense(k), turned(k)), (turned(m), turned(k))]
            {
                let mut out = vec![f32::NAN; m * n];
                matmul(&mut out, Tiling::of(m, k, n), &Factor::new(&a, &va, m, k), &Factor::new(&b, &vb, k, n));
                for r in 0..m {
                    for c in 0..n {
                        let (mut exact, mut absolute) = (0f64, 0f64);
                        for i in 0..k {
                            let x = f64::from(a[r * va.row_stride as usize + i * va.col_stride as usize]);
                            let y = f64::from(b[i * vb.row_stride as usize + c * vb.col_stride as usize]);
                            exact += x * y;
                            absolute += (x * y).abs();
                        }
                        let error = (f64::from(out[r * n + c]) - exact).abs();
                        assert!(
                            error <= absolute * (k as f64).sqrt() * 4.0 * f64::from(f32::EPSILON),
                            "{m} {k} {n} at {r}, {c}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn no_terms_give_zeros_and_no_elements_nothing() {
        let mut out = vec![f32::NAN; 12];
        matmul(&mut out, Tiling::of(3, 0, 4), &Factor::new(&[], &dense(0), 3, 0), &Factor::new(&[], &dense(4), 0, 4));
        assert_eq!(out, [0.0; 12]);
        for (m, n) in [(0, 4), (3, 0), (0, 0)] {
            assert_eq!(Tiling::of(m, 5, n).tiles(), 0);
            matmul(
                &mut [],
                Tiling::of(m, 5, n),
                &Factor::new(&[1.0; 15], &dense(5), m, 5),
                &Factor::new(&[1.0; 20], &dense(n), 5, n),
            );
        }
    }

    #[test]
    fn tiles_cover_each_element_once() {
        for (m, k, n) in
            [(1, 1, 1), (64, 64, 64), (128, 1 << 16, 3), (257, 300, 1025), (1, 1 << 20, 513), (1024, 1024, 1024)]
        {
            let tiling = Tiling::of(m, k, n);
            let mut seen = vec![0u8; m * n];
            for i in 0..tiling.tiles() {
                let (row, col, rows, cols) = tiling.tile(i);
                (row..row + rows).for_each(|r| seen[r * n + col..r * n + col + cols].iter_mut().for_each(|s| *s += 1));
            }
            assert!(seen.iter().all(|s| *s == 1), "{m} {k} {n}");
        }
    }

    #[test]
    fn nan_and_infinity_reach_the_result() {
        let (mut a, b) = (vec![1.0; 64 * 64], vec![1.0; 64 * 64]);
        a[5 * 64 + 7] = f32::NAN;
        a[6 * 64 + 63] = f32::INFINITY;
        let mut out = vec![0.0; 64 * 64];
        matmul(
            &mut out,
            Tiling::of(64, 64, 64),
            &Factor::new(&a, &dense(64), 64, 64),
            &Factor::new(&b, &dense(64), 64, 64),
        );
        assert!(out[5 * 64..6 * 64].iter().all(|x| x.is_nan()));
        assert!(out[6 * 64..7 * 64].iter().all(|x| *x == f32::INFINITY));
        assert!(out[..5 * 64].iter().all(|x| *x == 64.0));
    }

    #[test]
    #[should_panic(expected = "reaches")]
    fn a_factor_that_reaches_outside_its_operand_is_refused() {
        let _ = Factor::new(&[0.0; 11], &dense(4), 3, 4);
    }
}
