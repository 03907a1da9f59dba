//! Sums by a tree that depends on the number of elements alone.
//!
//! Element `i` belongs to block `i / 1024`, there to lane `i % 64`. A lane adds its 16 elements of a block in order; blocks are added
//! lane by lane in pairs, the pairs in pairs, as a binary counter does; at the end the 64 lanes are folded in halves. So the longest
//! chain of additions has 16 + log2(blocks) + 6 links, the error is at most that many roundings of the sum of absolute values, and
//! neither the level nor the number of threads nor the strides change a bit.
//!
//! **Invariants**
//! * `tree-is-shape`: two reductions of the same number of elements add in the same tree.
//! * `chunk-is-subtree`: the [`CHUNK`] elements from a multiple of `CHUNK` on are a complete subtree, so that a chunk may be summed by anyone.
//!
//! **Checked by** the tests below.

use millstream_hal::ReduceOp;

use super::view::{PIECE, View};
use crate::Level;
use crate::simd::Work;

const LANES: usize = 64;
const BLOCK: usize = PIECE;
/// Blocks of a chunk as a power of two.
const CHUNK_LEVEL: usize = 6;
/// Elements of a part that threads may sum apart.
pub const CHUNK: usize = BLOCK << CHUNK_LEVEL;
/// Levels of a tree of chunks: enough for all elements that can be addressed.
const CHUNK_LEVELS: usize = 48;

/// One node of the tree: a sum in 64 lanes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct Node([f32; LANES]);

impl Node {
    /// The sum of nothing.
    pub const ZERO: Self = Self([0.0; LANES]);

    #[inline(always)]
    fn add(&mut self, right: &Self) {
        for (l, r) in self.0.iter_mut().zip(&right.0) {
            *l += r;
        }
    }

    /// The lanes in halves.
    fn fold(mut self) -> f32 {
        let mut width = LANES / 2;
        while width > 0 {
            for i in 0..width {
                self.0[i] += self.0[i + width];
            }
            width /= 2;
        }
        self.0[0]
    }
}

/// The nodes of a sum under way: at most one per level, as the bits of a counter.
struct Tree<const LEVELS: usize> {
    nodes: [Node; LEVELS],
    count: u64,
}

impl<const LEVELS: usize> Tree<LEVELS> {
    fn new() -> Self {
        Self { nodes: [Node::ZERO; LEVELS], count: 0 }
    }

    /// Adds the next complete node.
    #[inline(always)]
    fn push(&mut self, node: Node) {
        let mut node = node;
        let mut level = 0;
        while self.count >> level & 1 != 0 {
            let mut left = self.nodes[level];
            left.add(&node);
            node = left;
            level += 1;
        }
        self.nodes[level] = node;
        self.count += 1;
    }

    /// The nodes that are left over, lowest level first, beginning with `last`: the node of an incomplete block or chunk.
    fn finish(&self, last: Option<Node>) -> Node {
        let mut sum = last;
        for (_, node) in self.nodes.iter().enumerate().filter(|(level, _)| self.count >> level & 1 != 0) {
            let mut left = *node;
            if let Some(right) = &sum {
                left.add(right);
            }
            sum = Some(left);
        }
        sum.unwrap_or(Node::ZERO)
    }
}

/// Number of chunks of `elements`.
#[must_use]
pub fn chunks(elements: usize) -> usize {
    elements.div_ceil(CHUNK)
}

/// The node of chunk `index` of the view. Panics when there is no such chunk.
#[must_use]
pub fn chunk(level: Level, view: &View<'_>, index: usize) -> Node {
    let from = index * CHUNK;
    assert!(from < view.len(), "chunk {index} of {} elements", view.len());
    let len = CHUNK.min(view.len() - from);
    let mut tree = Tree::<{ CHUNK_LEVEL + 1 }>::new();
    let mut last = None;
    if let Some(slice) = view.slice(from, len) {
        last = level.run(Blocks { data: slice, tree: &mut tree });
    } else {
        view.pieces(from, len, |_, piece| last = level.run(Blocks { data: piece, tree: &mut tree }));
    }
    tree.finish(last)
}

/// The sum, or the mean, from the nodes of all chunks of `elements` elements, in order. The mean of none is NaN.
#[must_use]
pub fn combine(op: ReduceOp, elements: usize, mut chunks: impl Iterator<Item = Node>) -> f32 {
    let node = if elements <= CHUNK { chunks.next().unwrap_or(Node::ZERO) } else { combine_nodes(elements, chunks) };
    let sum = node.fold();
    match op {
        ReduceOp::Sum => sum,
        ReduceOp::Mean => (f64::from(sum) / elements as f64) as f32,
    }
}

fn combine_nodes(elements: usize, chunks: impl Iterator<Item = Node>) -> Node {
    let mut tree = Tree::<CHUNK_LEVELS>::new();
    let mut last = None;
    let whole = elements / CHUNK;
    for (i, node) in chunks.enumerate() {
        if i < whole {
            tree.push(node);
        } else {
            last = Some(node);
        }
    }
    tree.finish(last)
}

/// The whole reduction on the calling thread.
#[must_use]
pub fn reduce(level: Level, op: ReduceOp, view: &View<'_>) -> f32 {
    combine(op, view.len(), (0..chunks(view.len())).map(|i| chunk(level, view, i)))
}

/// Pushes the whole blocks of `data` and returns the node of an incomplete last one.
struct Blocks<'a> {
    data: &'a [f32],
    tree: &'a mut Tree<{ CHUNK_LEVEL + 1 }>,
}

impl Work for Blocks<'_> {
    type Output = Option<Node>;

    #[inline(always)]
    fn run(self) -> Option<Node> {
        let (blocks, rest) = self.data.as_chunks::<BLOCK>();
        for block in blocks {
            self.tree.push(rows(block.as_chunks::<LANES>().0));
        }
        if rest.is_empty() {
            return None;
        }
        let (whole, tail) = rest.as_chunks::<LANES>();
        let mut node = rows(whole);
        for (lane, x) in node.0.iter_mut().zip(tail) {
            *lane += x;
        }
        Some(node)
    }
}

/// Sums rows lane by lane, in order.
#[inline(always)]
fn rows(rows: &[[f32; LANES]]) -> Node {
    let mut sum = [0f32; LANES];
    for row in rows {
        for l in 0..LANES {
            sum[l] += row[l];
        }
    }
    Node(sum)
}

#[cfg(test)]
#[path = "tests/reduce.rs"]
mod tests;
