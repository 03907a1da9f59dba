//! Matrix products, tile by tile, by the library `gemm`.
//!
//! The library computes one tile per call on the calling thread (`Parallelism::None`); what is a tile follows from the shape alone, and a
//! tile is never cut along `k`. So whoever computes a tile, one thread or many, the call is the same and so are the bits. Strided and
//! transposed factors are given to the library as they are; it packs what it needs.
//!
//! The library chooses its instruction set itself, the widest that the processor has, whatever the [`Level`](crate::Level) of the other kernels.
//! It blocks by the sizes of the caches, and takes other ways for thin tiles: bits are promised per machine class only, and two machines
//! with the same instruction set but other caches may differ. It keeps a scratch buffer per thread, of the size of the second-level
//! cache and with a destructor: a thread-local of a dependency, which the probes of ours do not cover. A product asked for by a destructor that
//! runs after it goes to a thread of its own.
//!
//! **Invariants**
//! * `cut-is-shape`: the tiles are a function of `m`, `n` and `k`.
//! * `tiles-cover`: the tiles of a cut cover every element once.
//!
//! **Checked by** the tests below.
//!
//! Speed (2026-11-23, Intel Xeon Ice Lake 2.8 GHz, one core beside other work, GFLOP/s, `benches/kernels.rs`): 64: 142, 128: 154, 256: 167;
//! 512 in one tile 112, cut in columns 130. A kernel of our own did 120, 146, 147 and 108, and lost at each of them.
#![expect(unsafe_code, reason = "the library takes addresses, and threads write tiles of one result")]

use gemm::Parallelism;
use millstream_hal::MatrixView;

/// Multiply-adds up to which a product is one tile: 256 x 256 x 256, a tenth of a millisecond.
const ONE_TILE: usize = 1 << 24;
/// Most columns of a tile of a larger one: what the library packs of `b` then stays in the second-level cache.
const COLUMNS: usize = 256;
/// Multiply-adds above which the rows of a tile are halved, about a millisecond, and the rows that stay however long `k` is: fewer of them
/// would not repay the packing of `b`.
const LARGE_TILE: usize = 1 << 27;
const LEAST_ROWS: usize = 256;
/// Rows and columns of a cut are multiples of this: whole registers in the library's inner loops.
const UNIT: usize = 64;

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

    /// Address of element `(row, col)`.
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
        let (mut rows, mut cols) = (m.max(1), n.max(1));
        if rows.saturating_mul(cols).saturating_mul(k) > ONE_TILE {
            if cols > COLUMNS {
                cols = cols.div_ceil(cols.div_ceil(COLUMNS)).next_multiple_of(UNIT);
            }
            while rows.saturating_mul(cols).saturating_mul(k) > LARGE_TILE && rows >= 2 * LEAST_ROWS {
                rows = rows.div_ceil(2).next_multiple_of(UNIT);
            }
        }
        Self { m, k, n, rows, cols }
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
    /// The slice given to [`Product::new`] is alive and nobody else touches it but calls with other indices.
    pub unsafe fn write_tile(&self, index: usize, a: &Factor<'_>, b: &Factor<'_>) {
        // SAFETY: the caller's promise, passed on.
        let work = || unsafe { self.call_library(index, a, b) };
        if gemm_common::gemm::L2_SLAB.try_with(|_| ()).is_ok() {
            work();
        } else {
            // A destructor at the end of this thread: the library would panic without its scratch buffer.
            std::thread::scope(|scope| drop(scope.spawn(work)));
        }
    }

    /// [`Product::write_tile`] on a thread that has the library's scratch buffer.
    #[rustfmt::skip] // Pointer, column stride and row stride of each matrix in a line.
    unsafe fn call_library(&self, index: usize, a: &Factor<'_>, b: &Factor<'_>) {
        let Tiling { k, n, .. } = self.tiling;
        let (row, col, rows, cols) = self.tiling.tile(index);
        let out = self.out.wrapping_add(row * n + col);
        let (out_down, left, right) = (n as isize, a.at(row, 0), b.at(0, col));
        // SAFETY: asks for `rows x cols` elements to write that nobody else touches, which is the caller's promise, and for factors of
        // `rows x k` and `k x cols` elements to read, whose bounds `Factor::new` has checked; for `k == 0` nothing is read. Nor is the
        // result, without `read_dst`.
        unsafe {
            gemm::gemm(
                rows, cols, k,
                out, 1, out_down, false,
                left, a.col_stride, a.row_stride,
                right, b.col_stride, b.row_stride,
                0.0, 1.0, false, false, false, Parallelism::None,
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
#[path = "tests/matmul.rs"]
mod tests;
