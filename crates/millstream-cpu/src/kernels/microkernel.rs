//! The inner tile of a matrix product: 6 x 64 sums of products, held in registers.
//!
//! Each sum is one chain of fused multiply-adds over `k` in order, at every level; so the levels differ in speed alone. AVX-512 and AVX2
//! are written with intrinsics, because the accumulators must stay in registers whatever the optimiser thinks; the rest is a loop.
//!
//! **Checked by** `every_level_gives_the_bits_of_the_scalar_one`.
#![expect(unsafe_code, reason = "vector loads, and functions that ask for an instruction set")]

use crate::Level;
use crate::simd::Isa;

/// Rows of a tile.
pub(super) const MR: usize = 6;
/// Columns of a tile.
pub(super) const NR: usize = 64;
/// Sums of a tile, row by row.
pub(super) type Sums = [[f32; NR]; MR];

/// The rows of the left factor that a tile reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Left<'a> {
    /// Element `(i, p)` is `[p][i]`.
    Packed(&'a [[f32; MR]]),
    /// Element `(i, p)` is `data[i * stride + p]`, `p < depth`.
    Dense {
        /// From the first element on.
        data: &'a [f32],
        /// Distance of rows.
        stride: usize,
        /// Elements of a row.
        depth: usize,
    },
}

/// `sums[i][j] = a(i, 0) b[0][j] + a(i, 1) b[1][j] + ...` for the first `rows` rows; the others hold anything. Row `p` of `b` begins at
/// `p * b_stride`. Panics when `a` or `b` is shorter than that.
#[inline]
pub(super) fn multiply(level: Level, rows: usize, a: Left<'_>, b: &[f32], b_stride: usize, sums: &mut Sums) {
    let depth = match a {
        Left::Packed(a) => a.len(),
        Left::Dense { depth, .. } => depth,
    };
    if depth == 0 {
        sums[..rows].fill([0.0; NR]);
        return;
    }
    let b = Rows { data: &b[..(depth - 1) * b_stride + NR], stride: b_stride, depth };
    match level.isa() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: asks for AVX-512 F; the processor has it, kept by `level-is-proof` in simd.
        Isa::Avx512 => unsafe { x86::avx512(rows, a, b, sums) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: asks for AVX2 and FMA; the processor has them, kept by `level-is-proof` in simd.
        Isa::Avx2 => unsafe { x86::avx2(rows, a, b, sums) },
        _ => plain(rows, a, b, sums),
    }
}

/// Rows of 64 elements at a distance.
#[derive(Clone, Copy)]
struct Rows<'a> {
    data: &'a [f32],
    stride: usize,
    depth: usize,
}

impl<'a> Rows<'a> {
    #[inline(always)]
    fn row(self, p: usize) -> &'a [f32; NR] {
        debug_assert!(p < self.depth);
        // SAFETY: reads a row inside `data`; all callers keep p < depth, and `multiply` has cut `data` so that row `depth - 1` ends in it.
        unsafe { &*self.data.as_ptr().wrapping_add(p * self.stride).cast::<[f32; NR]>() }
    }
}

/// `R` rows of the left factor. Element by element: a column as a value would be gathered into a vector and taken apart again.
trait Column<const R: usize>: Copy {
    /// Element `(i, p)`, `i < R`.
    fn at(self, i: usize, p: usize) -> f32;
}

/// From row `top` of a packed panel on.
#[derive(Clone, Copy)]
struct PackedRows<'a> {
    panel: &'a [[f32; MR]],
    top: usize,
}

impl<const R: usize> Column<R> for PackedRows<'_> {
    #[inline(always)]
    fn at(self, i: usize, p: usize) -> f32 {
        self.panel[p][self.top + i]
    }
}

#[derive(Clone, Copy)]
struct DenseRows<'a, const R: usize>([&'a [f32]; R]);

impl<'a, const R: usize> DenseRows<'a, R> {
    /// Rows from `top` on; beyond the last one that one again.
    #[inline(always)]
    fn new(data: &'a [f32], stride: usize, depth: usize, top: usize, rows: usize) -> Self {
        Self(std::array::from_fn(|i| &data[(top + i).min(rows - 1) * stride..][..depth]))
    }
}

impl<const R: usize> Column<R> for DenseRows<'_, R> {
    #[inline(always)]
    fn at(self, i: usize, p: usize) -> f32 {
        debug_assert!(p < self.0[i].len());
        // SAFETY: reads an element of the row; all callers keep p < depth, and `new` has cut each row to that.
        unsafe { *self.0[i].as_ptr().wrapping_add(p) }
    }
}

/// Any processor: three rows and eight columns at a time.
fn plain(rows: usize, a: Left<'_>, b: Rows<'_>, sums: &mut Sums) {
    for top in (0..rows).step_by(3) {
        match a {
            Left::Packed(panel) => plain_part(PackedRows { panel, top }, b, sums, top),
            Left::Dense { data, stride, .. } => {
                plain_part(DenseRows::new(data, stride, b.depth, top, rows), b, sums, top);
            }
        }
    }
}

#[inline(always)]
fn plain_part(a: impl Column<3>, b: Rows<'_>, sums: &mut Sums, top: usize) {
    for left in (0..NR).step_by(8) {
        let mut tile = [[0f32; 8]; 3];
        for p in 0..b.depth {
            let row = b.row(p);
            for (i, sums) in tile.iter_mut().enumerate() {
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum = a.at(i, p).mul_add(row[left + j], *sum);
                }
            }
        }
        for (sums, tile) in sums[top..].iter_mut().zip(&tile) {
            sums[left..left + 8].copy_from_slice(tile);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Column, DenseRows, Left, NR, PackedRows, Rows, Sums};

    #[target_feature(enable = "avx512f")]
    pub(super) fn avx512(rows: usize, a: Left<'_>, b: Rows<'_>, sums: &mut Sums) {
        match rows {
            6 => avx512_rows::<6>(rows, a, b, sums),
            5 => avx512_rows::<5>(rows, a, b, sums),
            3..=4 => avx512_rows::<4>(rows, a, b, sums),
            2 => avx512_rows::<2>(rows, a, b, sums),
            _ => avx512_rows::<1>(rows, a, b, sums),
        }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn avx512_rows<const R: usize>(rows: usize, a: Left<'_>, b: Rows<'_>, sums: &mut Sums) {
        match a {
            Left::Packed(panel) => avx512_tile::<R>(PackedRows { panel: &panel[..b.depth], top: 0 }, b, sums),
            Left::Dense { data, stride, .. } => {
                avx512_tile::<R>(DenseRows::new(data, stride, b.depth, 0, rows), b, sums);
            }
        }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn avx512_tile<const R: usize>(a: impl Column<R>, b: Rows<'_>, sums: &mut Sums) {
        let mut tile = [[_mm512_setzero_ps(); 4]; R];
        for p in 0..b.depth {
            let row = b.row(p).as_chunks::<16>().0;
            let row = [load16(&row[0]), load16(&row[1]), load16(&row[2]), load16(&row[3])];
            for (i, sums) in tile.iter_mut().enumerate() {
                let x = _mm512_set1_ps(a.at(i, p));
                for (sum, y) in sums.iter_mut().zip(row) {
                    *sum = _mm512_fmadd_ps(x, y, *sum);
                }
            }
        }
        for (sums, tile) in sums.iter_mut().zip(&tile) {
            for (sums, x) in sums.as_chunks_mut::<16>().0.iter_mut().zip(tile) {
                // SAFETY: writes 16 elements; the array has 16.
                unsafe { _mm512_storeu_ps(sums.as_mut_ptr(), *x) };
            }
        }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn load16(x: &[f32; 16]) -> __m512 {
        // SAFETY: reads 16 elements; the array has 16.
        unsafe { _mm512_loadu_ps(x.as_ptr()) }
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn avx2(rows: usize, a: Left<'_>, b: Rows<'_>, sums: &mut Sums) {
        for top in (0..rows).step_by(6) {
            match a {
                Left::Packed(panel) => avx2_tiles(PackedRows { panel: &panel[..b.depth], top }, b, sums, top),
                Left::Dense { data, stride, .. } => {
                    avx2_tiles(DenseRows::new(data, stride, b.depth, top, rows), b, sums, top);
                }
            }
        }
    }

    /// Six rows, four times 16 columns: twelve accumulators of the sixteen registers.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    fn avx2_tiles(a: impl Column<6>, b: Rows<'_>, sums: &mut Sums, top: usize) {
        for left in (0..NR).step_by(16) {
            let mut tile = [[_mm256_setzero_ps(); 2]; 6];
            for p in 0..b.depth {
                let row: &[f32; 16] = b.row(p)[left..].first_chunk().expect("a part of a row");
                // SAFETY: reads 8 elements; the part has 16.
                let b0 = unsafe { _mm256_loadu_ps(row.as_ptr()) };
                // SAFETY: reads 8 elements from the 8th on; the part has 16.
                let b1 = unsafe { _mm256_loadu_ps(row.as_ptr().wrapping_add(8)) };
                for (i, sums) in tile.iter_mut().enumerate() {
                    let x = _mm256_set1_ps(a.at(i, p));
                    sums[0] = _mm256_fmadd_ps(x, b0, sums[0]);
                    sums[1] = _mm256_fmadd_ps(x, b1, sums[1]);
                }
            }
            for (sums, tile) in sums[top..].iter_mut().zip(&tile) {
                let to: &mut [f32; 16] = sums[left..].first_chunk_mut().expect("a part of a row");
                // SAFETY: writes 8 elements; the part has 16.
                unsafe { _mm256_storeu_ps(to.as_mut_ptr(), tile[0]) };
                // SAFETY: writes 8 elements from the 8th on; the part has 16.
                unsafe { _mm256_storeu_ps(to.as_mut_ptr().wrapping_add(8), tile[1]) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use millstream_hal::PhiloxKey;

    use super::super::randn::randn;
    use super::*;

    #[test]
    fn every_level_gives_the_bits_of_the_scalar_one() {
        for k in [0usize, 1, 2, 7, 64, 256] {
            for stride in [NR, NR + 5] {
                let mut flat = vec![0.0; k * MR];
                randn(Level::best(), PhiloxKey { seed: 1, sequence: 2, offset: 3 }, 0, &mut flat);
                let a = flat.as_chunks::<MR>().0;
                let mut b = vec![0.0; k * stride + NR];
                randn(Level::best(), PhiloxKey { seed: 4, sequence: 5, offset: 6 }, 0, &mut b);
                let dense: Vec<f32> = (0..MR).flat_map(|i| a.iter().map(move |column| column[i])).collect();
                for (rows, level) in (1..=MR).flat_map(|rows| Level::available().into_iter().map(move |l| (rows, l))) {
                    let chain =
                        |i: usize, j: usize| (0..k).fold(0f32, |sum, p| a[p][i].mul_add(b[p * stride + j], sum));
                    for left in [Left::Packed(a), Left::Dense { data: &dense[..rows * k], stride: k, depth: k }] {
                        let mut sums = [[f32::NAN; NR]; MR];
                        multiply(level, rows, left, &b, stride, &mut sums);
                        for (i, j) in (0..rows).flat_map(|i| (0..NR).map(move |j| (i, j))) {
                            assert_eq!(sums[i][j].to_bits(), chain(i, j).to_bits(), "{} {k} {rows}", level.name());
                        }
                    }
                }
            }
        }
    }
}
