//! Reductions and fingerprints: how many blocks, and who joins.
//!
//! **Invariants**
//! * `tree-is-number`: rows or chunks, and the size of a chunk, follow from the number of reduced elements alone. Whether chunks have blocks of their own
//!   follows from the shape, and changes no bit.

use millstream_hal::{DType, Layout, ReduceOp};

use super::To;
use super::arguments::{Fingerprint, Reduce};
use super::walk::Walk;
use crate::driver::Answer;
use crate::stream::Scratch;

/// Elements up to which a warp makes a result.
const ROW: usize = 1024;
/// Least elements of a chunk, and most chunks of a result: `CHUNKS_MAX` of reduce.cu.
const CHUNK: usize = 4096;
const CHUNKS_MAX: usize = 256;
const THREADS: u32 = 256;

/// Elements of a chunk of `each`.
fn chunk(each: usize) -> usize {
    each.div_ceil(CHUNKS_MAX).next_multiple_of(THREADS as usize).max(CHUNK)
}

pub(super) fn enqueue(
    to: &To<'_>,
    [out, a]: [u64; 2],
    op: ReduceOp,
    dtype: DType,
    layout: &Layout,
    kept: usize,
) -> Answer {
    let count = |sizes: &[u32]| sizes.iter().map(|s| *s as usize).product::<usize>();
    let (outputs, each) = (count(&layout.sizes()[..kept]), count(&layout.sizes()[kept..]));
    if outputs == 0 {
        return Ok(());
    }
    let in_chunks = each > ROW;
    let chunk = chunk(each);
    let chunks = each.div_ceil(chunk);
    let split = in_chunks && chunks > 1 && outputs.saturating_mul(chunks) <= Scratch::PARTIALS;
    let argument = Reduce {
        out,
        a: a + (layout.offset() * dtype.bytes()) as u64,
        partials: to.scratch.partials(),
        counters: to.scratch.counters(),
        outputs: outputs as u64,
        each: each as u64,
        chunk: chunk as u64,
        chunks: chunks as u32,
        mean: u32::from(op == ReduceOp::Mean),
        split: u32::from(split),
        unused: 0,
        walk: Walk::new(&[*layout]),
    };
    let function = to.functions.reduce(op, dtype, in_chunks);
    if split {
        // Every chunk needs its block: no clamp.
        return to.driver.launch(function, [(outputs * chunks) as u32, 1], THREADS, to.stream, &argument);
    }
    let blocks = if in_chunks { outputs } else { outputs.div_ceil(THREADS as usize / 32) };
    to.blocks(function, blocks, THREADS, &argument)
}

pub(super) fn fingerprint(to: &To<'_>, [out, a]: [u64; 2], bytes: usize) -> Answer {
    let argument =
        Fingerprint { out, a, bytes: bytes as u64, sum: to.scratch.sum(), counter: to.scratch.sum_counter() };
    to.blocks(to.functions.fingerprint, bytes.div_ceil(4 * 4 * THREADS as usize), THREADS, &argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_few_and_cover_every_element() {
        for each in [ROW + 1, CHUNK, CHUNK + 1, CHUNK * CHUNKS_MAX, CHUNK * CHUNKS_MAX + 1, 123_456_789, 1 << 40] {
            let chunk = chunk(each);
            let chunks = each.div_ceil(chunk);
            assert!((1..=CHUNKS_MAX).contains(&chunks) && chunk >= CHUNK, "{each}: {chunks} chunks of {chunk}");
        }
    }
}
