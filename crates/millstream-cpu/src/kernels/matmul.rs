//! Matrix products, tile by tile.
//!
//! A product of its own instead of a BLAS: the crate `gemm` blocks `k` by the sizes of the caches, picks other paths for thin tiles,
//! allocates in each call and keeps a buffer with a destructor per thread. Here every element of the result is the same sum whatever
//! the tile, the level and the machine: `k` is cut into blocks of 128; a block is one chain of fused multiply-adds, in order, from zero; the
//! blocks are added in order. So a tile may be computed by anyone, and the cut into tiles follows the shape only for the sake of speed.
//!
//! Within a tile the layout is that of Goto and van de Geijn ("Anatomy of high-performance matrix multiplication", 2008): `a` is packed
//! into panels of 6 rows where its rows are not dense, `b` into panels of 64 columns where its rows are not dense or are used often.
//!
//! **Invariants**
//! * `sum-is-k`: an element's bits depend on its row of `a`, its column of `b` and nothing else.
//! * `tiles-cover`: the tiles of a cut cover every element once.
//!
//! **Checked by** the tests below.
//!
//! Speed, GFLOP/s of ours and of `gemm` 0.19 in turns, square products (`benches/kernels.rs`, 2026-11-23, Intel Xeon Ice Lake 2.8 GHz,
//! 2 cores, one thread beside other work): 64: 120, 147; 128: 146, 159; 256: 147, 167; 512: 108, 145; 1024: 47, 64.
#![expect(unsafe_code, reason = "threads write tiles of one result")]

use millstream_hal::MatrixView;

use super::microkernel::{Left, MR, NR, Sums, multiply};
use crate::Level;
use crate::simd::Work;

/// Length of a chain of multiply-adds.
const BLOCK: usize = 128;
/// Multiply-adds below which a product is one tile: cutting it would cost more than a second processor gains.
const ONE_TILE: usize = 1 << 22;
/// Most rows and columns of a tile: a block of both factors stays in the second-level cache.
const TILE: (usize, usize) = (384, 256);
/// Rows of a tile from which on a dense `b` is packed too.
const PACK_FROM: usize = 96;

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

    /// Index of element `(row, col)`.
    #[inline]
    fn at(&self, row: usize, col: usize) -> usize {
        (self.offset as isize + row as isize * self.row_stride + col as isize * self.col_stride) as usize
    }

    fn turned(&self) -> Self {
        Self { row_stride: self.col_stride, col_stride: self.row_stride, ..*self }
    }

    /// Whether elements of a row lie side by side, and the rows forward of each other.
    fn has_dense_rows(&self) -> bool {
        self.col_stride == 1 && self.row_stride >= 0
    }

    /// Packs `W` rows from `row` on: `to[p][i]` is element `(row + i, col + p)`, zero beyond `rows`.
    #[inline(always)]
    fn pack<const W: usize>(&self, row: usize, rows: usize, col: usize, to: &mut [[f32; W]]) {
        let cols = to.len();
        if rows < W {
            to.fill([0.0; W]);
        }
        if self.row_stride == 1 {
            for (p, to) in to.iter_mut().enumerate() {
                let from = self.at(row, col + p);
                if rows == W {
                    *to = *self.data[from..].first_chunk().expect("a view inside its operand");
                } else {
                    to[..rows].copy_from_slice(&self.data[from..from + rows]);
                }
            }
        } else if self.col_stride == 1 {
            for i in 0..rows {
                let from = &self.data[self.at(row + i, col)..][..cols];
                for (to, x) in to.iter_mut().zip(from) {
                    to[i] = *x;
                }
            }
        } else {
            for (p, to) in to.iter_mut().enumerate() {
                for (i, to) in to[..rows].iter_mut().enumerate() {
                    *to = self.data[self.at(row + i, col + p)];
                }
            }
        }
    }
}

/// [`Factor::pack`] as work of a level.
struct Pack<'a, 'b, const W: usize> {
    factor: Factor<'a>,
    row: usize,
    rows: usize,
    col: usize,
    to: &'b mut [[f32; W]],
}

impl<const W: usize> Work for Pack<'_, '_, W> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.factor.pack(self.row, self.rows, self.col, self.to);
    }
}

/// Buffers for packed factors, kept between calls by whoever computes tiles.
#[derive(Debug, Default)]
pub struct Scratch {
    a: Vec<[f32; MR]>,
    b: Vec<Line>,
}

/// A row of a panel of `b`, where a vector load crosses no cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([f32; NR]);

impl Line {
    /// Lines as rows.
    fn rows(lines: &[Self]) -> &[[f32; NR]] {
        // SAFETY: asks for as many arrays of the size and at least the alignment of a line, which is one array and nothing else.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len()) }
    }

    /// The same, to write.
    fn rows_mut(lines: &mut [Self]) -> &mut [[f32; NR]] {
        // SAFETY: as in `rows`; the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len()) }
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
        let even = |n: usize, most: usize, unit: usize| n.div_ceil(n.div_ceil(most).max(1)).next_multiple_of(unit);
        let (rows, cols) = if work <= ONE_TILE && n <= TILE.1 && m <= TILE.0 {
            (m, n)
        } else {
            (even(m, TILE.0, MR), even(n, TILE.1, NR))
        };
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

    /// Computes tile `index`. Grows `scratch` on its first uses.
    ///
    /// # Safety
    /// The slice given to [`Product::new`] is alive and nobody else touches it but calls with other indices.
    pub unsafe fn write_tile(&self, level: Level, index: usize, a: &Factor<'_>, b: &Factor<'_>, scratch: &mut Scratch) {
        let Tiling { k, n, .. } = self.tiling;
        let (row, col, rows, cols) = self.tiling.tile(index);
        let row_of = |r: usize, from: usize, len: usize| -> &mut [f32] {
            // SAFETY: asks for elements of the live result that nobody else touches; these columns of this row belong to this tile, and one
            // slice of them lives at a time.
            unsafe { std::slice::from_raw_parts_mut(self.out.wrapping_add((row + r) * n + col + from), len) }
        };
        if k == 0 {
            (0..rows).for_each(|r| row_of(r, 0, cols).fill(0.0));
        }
        let mut sums: Sums = [[0.0; NR]; MR];
        for first in (0..k).step_by(BLOCK) {
            let depth = BLOCK.min(k - first);
            let panels = Panels::pack(level, scratch, a, b, (row, col, rows, cols), first, depth);
            for left in (0..cols).step_by(NR) {
                let (b, b_stride) = panels.b(left);
                for top in (0..rows).step_by(MR) {
                    let (height, width) = (MR.min(rows - top), NR.min(cols - left));
                    multiply(level, height, panels.a(a, row + top, first, top), b, b_stride, &mut sums);
                    for (i, sums) in sums[..height].iter().enumerate() {
                        level.run(WriteRow { sums, out: row_of(top + i, left, width), add: first > 0 });
                    }
                }
            }
        }
    }
}

/// Sums to the result: written, or added to those of the blocks before.
struct WriteRow<'a> {
    sums: &'a [f32; NR],
    out: &'a mut [f32],
    add: bool,
}

impl Work for WriteRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match (<&mut [f32; NR]>::try_from(&mut *self.out), self.add) {
            (Ok(out), false) => *out = *self.sums,
            (Ok(out), true) => out.iter_mut().zip(self.sums).for_each(|(out, sum)| *out += sum),
            (Err(_), false) => self.out.copy_from_slice(&self.sums[..self.out.len()]),
            (Err(_), true) => self.out.iter_mut().zip(self.sums).for_each(|(out, sum)| *out += sum),
        }
    }
}

/// The factors of a tile over one block of `k`, packed.
struct Panels<'a> {
    depth: usize,
    a: &'a [[f32; MR]],
    /// Packed columns, from column `packed_from` of the tile on.
    b: &'a [[f32; NR]],
    packed_from: usize,
    /// Dense rows of `b`, from the tile's first column on.
    dense: &'a [f32],
    dense_stride: usize,
}

impl<'a> Panels<'a> {
    fn pack(
        level: Level,
        scratch: &'a mut Scratch,
        a: &Factor<'a>,
        b: &Factor<'a>,
        (row, col, rows, cols): (usize, usize, usize, usize),
        first: usize,
        depth: usize,
    ) -> Self {
        // Columns that can stay where they are: whole panels of dense rows that are read by few rows of `a`.
        let stays = b.has_dense_rows() && rows < PACK_FROM;
        let packed_from = if stays { cols / NR * NR } else { 0 };
        let a_rows = if a.has_dense_rows() { 0 } else { rows.div_ceil(MR) * depth };
        let b_rows = (cols - packed_from).div_ceil(NR) * depth;
        if scratch.a.len() < a_rows {
            scratch.a.resize(a_rows, [0.0; MR]);
        }
        if scratch.b.len() < b_rows {
            scratch.b.resize(b_rows, Line([0.0; NR]));
        }
        for (i, panel) in scratch.a[..a_rows].chunks_exact_mut(depth).enumerate() {
            level.run(Pack { factor: *a, row: row + i * MR, rows: MR.min(rows - i * MR), col: first, to: panel });
        }
        for (i, panel) in Line::rows_mut(&mut scratch.b[..b_rows]).chunks_exact_mut(depth).enumerate() {
            let left = packed_from + i * NR;
            let rows = NR.min(cols - left);
            level.run(Pack { factor: b.turned(), row: col + left, rows, col: first, to: panel });
        }
        let dense = if stays { &b.data[b.at(first, col)..] } else { &[] };
        let dense_stride = b.row_stride as usize;
        Self { depth, a: &scratch.a[..a_rows], b: Line::rows(&scratch.b[..b_rows]), packed_from, dense, dense_stride }
    }

    /// The 6 rows from `top` of the tile on, which is row `row` of `a`, from column `first` on.
    fn a(&self, a: &Factor<'a>, row: usize, first: usize, top: usize) -> Left<'a> {
        if a.has_dense_rows() {
            Left::Dense { data: &a.data[a.at(row, first)..], stride: a.row_stride as usize, depth: self.depth }
        } else {
            Left::Packed(&self.a[top / MR * self.depth..][..self.depth])
        }
    }

    /// The 64 columns from `left` on, and the distance of their rows.
    fn b(&self, left: usize) -> (&'a [f32], usize) {
        if left < self.packed_from {
            (&self.dense[left..], self.dense_stride)
        } else {
            let panel = &self.b[(left - self.packed_from) / NR * self.depth..][..self.depth];
            (panel.as_flattened(), NR)
        }
    }
}

/// `[m, k] x [k, n] -> [m, n]` on the calling thread. `k == 0` gives zeros; `m == 0` or `n == 0` does nothing.
pub fn matmul(level: Level, out: &mut [f32], tiling: Tiling, a: &Factor<'_>, b: &Factor<'_>, scratch: &mut Scratch) {
    let product = Product::new(out, tiling);
    for index in 0..tiling.tiles() {
        // SAFETY: `out` is borrowed until after the loop, which is the only writer.
        unsafe { product.write_tile(level, index, a, b, scratch) };
    }
}

#[cfg(test)]
#[path = "tests/matmul.rs"]
mod tests;
