//! Matrix products, tile by tile, by the library `gemm`.
//!
//! f32 and f64 are the library's; f16 and bf16 come here widened to f32, so that they accumulate in it and are rounded once; integers have a
//! plain loop of their own.
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

use gemm_common::Parallelism;
use millstream_hal::Layout;

use super::number::Element;

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

/// The library's product: `m`, `n`, `k`; pointer, column stride and row stride of result, left and right factor; factors of the result and of the
/// product; conjugations. It wants rows of the result side by side.
type Call<T> = unsafe fn(
    usize,
    usize,
    usize,
    *mut T,
    isize,
    isize,
    bool,
    *const T,
    isize,
    isize,
    *const T,
    isize,
    isize,
    T,
    T,
    bool,
    bool,
    bool,
    Parallelism,
);

/// What the library multiplies.
pub trait Float: Element {
    /// 0
    const ZERO: Self;
    /// 1
    const ONE: Self;
    /// The library's product for this processor.
    fn product() -> Call<Self>;
}

impl Float for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    fn product() -> Call<Self> {
        gemm_f32::gemm::f32::get_gemm_fn()
    }
}

impl Float for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    fn product() -> Call<Self> {
        gemm_f64::gemm::f64::get_gemm_fn()
    }
}

/// That the result is to be conjugated, which changes no real number: the library then leaves its short cuts for thin and small products alone. They
/// are chosen by strides, and add in another order.
const ALWAYS_BLOCKED: bool = true;

/// An operand: for each index of the batch axes a matrix whose element `(r, c)` is at `r * row_stride + c * col_stride` from its first. Bounds were
/// checked when it was made.
#[derive(Clone, Copy, Debug)]
pub struct Factor<'a, T> {
    data: &'a [T],
    layout: Layout,
    row_stride: isize,
    col_stride: isize,
}

impl<'a, T: Element> Factor<'a, T> {
    /// The matrices that `layout`, of two axes or more, names. Panics when it reaches outside `data`: the operand of a launch was too small.
    #[must_use]
    pub fn new(data: &'a [T], layout: &Layout) -> Self {
        assert!(layout.extent() <= data.len(), "{layout:?} reaches to element {} of {}", layout.extent(), data.len());
        let stride = |from_last| layout.stride(layout.dims() - from_last) as isize;
        Self { data, layout: *layout, row_stride: stride(2), col_stride: stride(1) }
    }

    /// Address of element `(row, col)` of matrix `index`.
    fn at(&self, index: usize, row: usize, col: usize) -> *const T {
        let mut at = self.layout.offset() + row * self.row_stride as usize + col * self.col_stride as usize;
        let mut rest = index;
        for axis in (0..self.layout.dims() - 2).rev() {
            at += rest % self.layout.size(axis) * self.layout.stride(axis);
            rest /= self.layout.size(axis);
        }
        self.data.as_ptr().wrapping_add(at)
    }
}

/// Number of matrices of a layout of two axes or more.
#[must_use]
pub fn batch(layout: &Layout) -> usize {
    layout.sizes()[..layout.dims() - 2].iter().map(|size| *size as usize).product()
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

/// The row-major results of a batch of products whose tiles several threads may write.
#[derive(Clone, Copy, Debug)]
pub struct Product<T> {
    out: *mut T,
    tiling: Tiling,
}

// SAFETY: the pointer is only written through `write_tile`, whose caller promises that no two threads write one tile.
unsafe impl<T: Float> Send for Product<T> {}
// SAFETY: as above.
unsafe impl<T: Float> Sync for Product<T> {}

impl<T: Float> Product<T> {
    /// `batch` products of shape `tiling` in `out`. Panics when `out` has another size. Borrowing ends here: see [`Product::write_tile`].
    #[must_use]
    pub fn new(out: &mut [T], batch: usize, tiling: Tiling) -> Self {
        assert_eq!(out.len(), batch * tiling.m * tiling.n, "{batch} results of {} x {}", tiling.m, tiling.n);
        Self { out: out.as_mut_ptr(), tiling }
    }

    /// Computes tile `index`: the tiles of one product after the other.
    ///
    /// # Safety
    /// The slice given to [`Product::new`] is alive and nobody else touches it but calls with other indices.
    pub unsafe fn write_tile(&self, index: usize, a: &Factor<'_, T>, b: &Factor<'_, T>) {
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
    unsafe fn call_library(&self, index: usize, a: &Factor<'_, T>, b: &Factor<'_, T>) {
        let Tiling { m, k, n, .. } = self.tiling;
        let (product, tile) = (index / self.tiling.tiles(), index % self.tiling.tiles());
        let (row, col, rows, cols) = self.tiling.tile(tile);
        let out = self.out.wrapping_add(product * m * n + row * n + col);
        let (out_down, left, right) = (n as isize, a.at(product, row, 0), b.at(product, 0, col));
        // The library likes columns that lie side by side, so it computes the transposed product: factors and strides change places.
        // SAFETY: asks for `rows x cols` elements to write that nobody else touches, which is the caller's promise, and for factors of
        // `rows x k` and `k x cols` elements to read, whose bounds `Factor::new` has checked; for `k == 0` nothing is read. Nor is the
        // result, since it is not to be read. That the processor has the instructions was looked up by the library.
        unsafe {
            T::product()(
                cols, rows, k,
                out, out_down, 1, false,
                right, b.row_stride, b.col_stride,
                left, a.row_stride, a.col_stride,
                T::ZERO, T::ONE, ALWAYS_BLOCKED, false, false, Parallelism::None,
            );
        }
    }
}

/// `[batch.., m, k] x [batch.., k, n] -> [batch.., m, n]` on the calling thread. `k == 0` gives zeros; no element, nothing.
pub fn matmul<T: Float>(out: &mut [T], tiling: Tiling, a: &Factor<'_, T>, b: &Factor<'_, T>) {
    let batch = batch(&a.layout);
    let product = Product::new(out, batch, tiling);
    for index in 0..batch * tiling.tiles() {
        // SAFETY: `out` is borrowed until after the loop, which is the only writer.
        unsafe { product.write_tile(index, a, b) };
    }
}

/// Rows `first_row ..` of a product of integers, as many as `out` has: `a` and `b` are dense, of `k` columns and of `k` rows and `n` columns. Wraps.
pub fn integers(out: &mut [i64], first_row: usize, k: usize, n: usize, a: &[i64], b: &[i64]) {
    out.fill(0);
    for (i, row) in out.chunks_exact_mut(n.max(1)).enumerate() {
        for (x, line) in a[(first_row + i) * k..][..k].iter().zip(b.chunks_exact(n)) {
            for (out, y) in row.iter_mut().zip(line) {
                *out = out.wrapping_add(x.wrapping_mul(*y));
            }
        }
    }
}

#[cfg(test)]
#[path = "tests/matmul.rs"]
mod tests;
