//! Layers of networks: which arguments, and how many blocks.

use millstream_hal::{DType, Launch, Layout, UnaryOp};

use super::To;
use super::arguments::{AddBias, Attention, IndexSelect, LayerNorm};
use super::walk::Walk;
use crate::driver::Answer;

/// Queries of a block of attention, a warp each: as in layers.cu.
const QUERIES: usize = 8;
/// Code of no operation: as in layers.cu.
const NO_OP: u32 = u32::MAX;
const THREADS: u32 = 256;

fn ptr(launch: &Launch, n: usize) -> u64 {
    launch.operands()[n].ptr.0
}

pub(super) fn index_select(to: &To<'_>, launch: &Launch, dtype: DType, [rows, width, count]: [usize; 3]) -> Answer {
    let elements = width * count;
    if elements == 0 {
        return Ok(());
    }
    let [out, table, indices] = std::array::from_fn(|n| ptr(launch, n));
    let [rows, width, all] = [rows, width, elements].map(|n| n as u64);
    let argument = IndexSelect { out, table, indices, rows, width, elements: all };
    to.over(to.functions.index_select(dtype), elements, THREADS, &argument)
}

pub(super) fn add_bias(
    to: &To<'_>,
    launch: &Launch,
    dtype: DType,
    a: &Layout,
    width: usize,
    activation: Option<UnaryOp>,
) -> Answer {
    let elements = a.elements();
    if elements == 0 {
        return Ok(());
    }
    let argument = AddBias {
        out: ptr(launch, 0),
        a: ptr(launch, 1) + (a.offset() * dtype.bytes()) as u64,
        bias: ptr(launch, 2),
        width: width as u64,
        op: activation.map_or(NO_OP, |op| op as u32),
        unused: 0,
        walk: Walk::new(&[*a]),
    };
    to.over(to.functions.add_bias(dtype), elements, THREADS, &argument)
}

pub(super) fn layer_norm(
    to: &To<'_>,
    launch: &Launch,
    dtype: DType,
    [rows, width]: [usize; 2],
    epsilon: f32,
    residual: bool,
) -> Answer {
    if rows * width == 0 {
        return Ok(());
    }
    let last = 2 + usize::from(residual);
    let argument = LayerNorm {
        out: ptr(launch, 0),
        a: ptr(launch, 1),
        residual: if residual { ptr(launch, 2) } else { 0 },
        weight: ptr(launch, last),
        bias: ptr(launch, last + 1),
        rows: rows as u64,
        width: width as u64,
        epsilon,
        unused: 0,
    };
    to.blocks(to.functions.layer_norm(dtype), rows.div_ceil(THREADS as usize / 32), THREADS, &argument)
}

pub(super) fn attention(
    to: &To<'_>,
    launch: &Launch,
    dtype: DType,
    views: &[Layout; 3],
    scale: f32,
    [masked, biased]: [bool; 2],
) -> Answer {
    let [batch, tokens, heads, width] = std::array::from_fn(|axis| views[0].size(axis));
    if views[0].elements() == 0 {
        return Ok(());
    }
    let argument = Attention {
        out: ptr(launch, 0),
        inputs: std::array::from_fn(|n| ptr(launch, n + 1) + (views[n].offset() * dtype.bytes()) as u64),
        mask: if masked { ptr(launch, 4) } else { 0 },
        bias: if biased { ptr(launch, 4 + usize::from(masked)) } else { 0 },
        batch: batch as u64,
        tokens: tokens as u32,
        heads: heads as u32,
        width: width as u32,
        scale,
        strides: std::array::from_fn(|n| std::array::from_fn(|axis| views[n].stride(axis) as u32)),
        unused: 0,
    };
    let blocks = batch.saturating_mul(heads).saturating_mul(tokens.div_ceil(QUERIES));
    to.blocks(to.functions.attention(dtype), blocks, QUERIES as u32 * 32, &argument)
}
