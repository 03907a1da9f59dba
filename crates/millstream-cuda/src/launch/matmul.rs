//! Matrix products: which tile, and how the operands lie.
//!
//! **Invariants**
//! * `tile-is-shape`: the tile follows from the shape alone. It would change no bit either: every result is one sum over k.

use millstream_hal::{DType, Layout};

use super::To;
use super::arguments::{BATCH_DIMS, Matmul};
use crate::driver::Answer;
use crate::functions::Tile;

/// Most blocks along the second axis of a grid.
const GRID_MAX: usize = 65_535;

impl Tile {
    /// The largest tile of which there are enough to spread over the multiprocessors.
    fn of(m: usize, n: usize, batch: usize) -> Self {
        let enough = |tile: Self, least: usize| {
            let (rows, columns) = tile.size();
            m.div_ceil(rows).saturating_mul(n.div_ceil(columns)).saturating_mul(batch) >= least
        };
        match () {
            () if enough(Self::Large, 96) => Self::Large,
            () if enough(Self::Middle, 48) => Self::Middle,
            () => Self::Small,
        }
    }

    /// Rows and columns: as in matmul.cu.
    fn size(self) -> (usize, usize) {
        match self {
            Self::Small => (32, 32),
            Self::Middle => (64, 64),
            Self::Large => (64, 128),
        }
    }

    /// Steps of k at once, without edges.
    fn steps(self) -> usize {
        match self {
            Self::Small => 32,
            Self::Middle | Self::Large => 16,
        }
    }
}

pub(super) fn enqueue(to: &To<'_>, [out, a_ptr, b_ptr]: [u64; 3], dtype: DType, a: &Layout, b: &Layout) -> Answer {
    let batch_dims = a.dims() - 2;
    let (m, k, n) = (a.size(batch_dims), a.size(batch_dims + 1), b.size(batch_dims + 1));
    let batch: usize = a.sizes()[..batch_dims].iter().map(|s| *s as usize).product();
    if m * n == 0 || batch == 0 {
        return Ok(());
    }
    let stride = |layout: &Layout, axis: usize| layout.stride(axis) as u32;
    let along = |layout: &Layout| -> [u32; BATCH_DIMS] {
        std::array::from_fn(|axis| if axis < batch_dims { stride(layout, axis) } else { 0 })
    };
    let mut argument = Matmul {
        out,
        a: a_ptr + (a.offset() * dtype.bytes()) as u64,
        b: b_ptr + (b.offset() * dtype.bytes()) as u64,
        batch: batch as u64,
        m: m as u32,
        n: n as u32,
        k: k as u32,
        a_row: stride(a, batch_dims),
        a_col: stride(a, batch_dims + 1),
        b_row: stride(b, batch_dims),
        b_col: stride(b, batch_dims + 1),
        batch_dims: batch_dims as u32,
        sizes: std::array::from_fn(|axis| if axis < batch_dims { a.size(axis) as u32 } else { 1 }),
        a_batch: along(a),
        b_batch: along(b),
        ..Matmul::default()
    };
    argument.a_along_m = u32::from(argument.a_row == 1 && argument.a_col != 1);
    argument.b_along_k = u32::from(argument.b_row == 1 && argument.b_col != 1);
    let (function, (rows, columns), threads) = if dtype == DType::F32 {
        let tile = Tile::of(m, n, batch);
        (to.functions.product_f32(tile, !is_whole(&argument, tile)), tile.size(), 128)
    } else {
        (to.functions.product(dtype), (32, 32), 256)
    };
    argument.columns = n.div_ceil(columns) as u32;
    let tiles = m.div_ceil(rows) * n.div_ceil(columns);
    let grid = [u32::try_from(tiles).unwrap_or(u32::MAX), batch.min(GRID_MAX) as u32];
    to.driver.launch(function, grid, threads, to.stream, &argument)
}

/// Whether the operands are whole tiles, row-major and aligned to vectors.
fn is_whole(x: &Matmul, tile: Tile) -> bool {
    let (rows, columns) = tile.size();
    let in_one = x.batch <= GRID_MAX as u64;
    let whole = |size: u32, of: usize| size > 0 && (size as usize).is_multiple_of(of);
    let vectors = [x.a_row, x.b_row].into_iter().chain(x.a_batch).chain(x.b_batch).all(|s| s.is_multiple_of(4));
    let aligned = [x.out, x.a, x.b].into_iter().all(|ptr| ptr.is_multiple_of(16));
    in_one
        && whole(x.m, rows)
        && whole(x.n, columns)
        && whole(x.k, tile.steps())
        && x.a_col == 1
        && x.b_col == 1
        && vectors
        && aligned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_follows_from_the_shape() {
        assert_eq!(Tile::of(1024, 1024, 1), Tile::Large);
        assert_eq!(Tile::of(768, 768, 1), Tile::Middle);
        assert_eq!(Tile::of(512, 512, 1), Tile::Middle);
        assert_eq!(Tile::of(256, 256, 1), Tile::Small);
        assert_eq!(Tile::of(1, 1, 1), Tile::Small);
        assert_eq!(Tile::of(128, 128, 64), Tile::Large);
    }
}
