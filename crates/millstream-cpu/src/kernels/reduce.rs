//! Sums and greatest elements, over all elements of a view or over its last axes.
//!
//! **The tree** of one result depends on the number of its elements alone. Element `i` belongs to block `i / 1024`, there to lane `i % 64`. A lane takes
//! its 16 elements of a block in order; blocks are joined lane by lane in pairs, the pairs in pairs, as a binary counter does; at the
//! end the 64 lanes are folded in halves. So the longest chain of additions has 16 + log2(blocks) + 6 links, the error is at
//! most that many roundings of the sum of absolute values, and neither the level nor the number of threads nor the strides change a bit.
//!
//! Lanes that no element reaches are left out of the fold: they hold `+0`, and a lane never holds `-0`, since it begins with `+0`.
//!
//! **Ways through memory.** Results whose elements lie side by side are taken one after the other; where instead the results lie side by side (a sum down the
//! columns), [`COLUMNS`] of them are taken at once, each with lanes of its own; all other views are gathered.
//!
//! **Invariants**
//! * `tree-is-shape`: two reductions of the same number of elements join in the same tree.
//! * `chunk-is-subtree`: the [`CHUNK`] elements from a multiple of `CHUNK` on are a complete subtree, so that a chunk may be taken by anyone.
//!
//! **Checked by** the tests below.

use super::fold::Fold;
use super::number::{Number, Stored};
use super::view::{PIECE, View};
use crate::Level;
use crate::simd::Work;

/// Lanes of a node.
const LANES: usize = 64;
const BLOCK: usize = PIECE;
/// Blocks of a chunk as a power of two.
const CHUNK_LEVEL: usize = 6;
/// Elements of a part that threads may take apart.
pub const CHUNK: usize = BLOCK << CHUNK_LEVEL;

/// One node of the tree, for `W` results side by side.
#[derive(Debug)]
#[repr(align(64))]
pub struct Node<F: Fold, const W: usize>([[F::Lane; W]; LANES]);

impl<F: Fold, const W: usize> Clone for Node<F, W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Fold, const W: usize> Copy for Node<F, W> {}

impl<F: Fold, const W: usize> Node<F, W> {
    /// The node of no element.
    pub const START: Self = Self([[F::START; W]; LANES]);

    #[inline(always)]
    fn join(&mut self, right: &Self) {
        for (l, r) in self.0.as_flattened_mut().iter_mut().zip(right.0.as_flattened()) {
            *l = F::join(*l, *r);
        }
    }

    /// Joins the first `width` lanes with as many behind them.
    #[inline(always)]
    fn halve(&mut self, width: usize) {
        let (left, right) = self.0.split_at_mut(width);
        for (l, r) in left.as_flattened_mut().iter_mut().zip(right.as_flattened()) {
            *l = F::join(*l, *r);
        }
    }

    /// The first `reached` lanes in halves.
    #[inline(always)]
    fn fold(&mut self, reached: usize) -> [F::Lane; W] {
        if reached >= LANES {
            // Written out, so that the lanes stay in registers.
            [32, 16, 8, 4, 2, 1].into_iter().for_each(|width| self.halve(width));
        } else {
            let mut width = reached.max(1).next_power_of_two() / 2;
            while width > 0 {
                self.halve(width);
                width /= 2;
            }
        }
        self.0[0]
    }
}

/// The nodes of a chunk under way: at most one per level, as the bits of a counter.
struct Tree<F: Fold, const W: usize> {
    nodes: [Node<F, W>; CHUNK_LEVEL + 1],
    count: usize,
}

impl<F: Fold, const W: usize> Tree<F, W> {
    #[inline(always)]
    fn new() -> Self {
        Self { nodes: [const { Node::START }; CHUNK_LEVEL + 1], count: 0 }
    }

    /// Adds the next complete subtree of `1 << level` blocks; the blocks before it are a multiple of them.
    #[inline(always)]
    fn push(&mut self, node: &Node<F, W>, level: usize) {
        let (mut node, mut at) = (*node, level);
        while self.count >> at & 1 != 0 {
            let mut left = self.nodes[at];
            left.join(&node);
            node = left;
            at += 1;
        }
        self.nodes[at] = node;
        self.count += 1 << level;
    }

    /// The nodes that are left over, lowest level first, beginning with `last`: the node of an incomplete block.
    #[inline(always)]
    fn finish(&self, last: Option<Node<F, W>>) -> Node<F, W> {
        let mut all = last;
        for (_, node) in self.nodes.iter().enumerate().filter(|(level, _)| self.count >> level & 1 != 0) {
            let mut left = *node;
            if let Some(right) = &all {
                left.join(right);
            }
            all = Some(left);
        }
        all.unwrap_or(Node::START)
    }
}

/// Number of chunks of `elements`.
#[must_use]
pub fn chunks(elements: usize) -> usize {
    elements.div_ceil(CHUNK)
}

/// The node of chunk `index` of the `each` elements of `view` from `from` on. Panics when there is no such chunk.
#[must_use]
pub fn chunk<F: Fold>(level: Level, view: &View<'_, F::From>, from: usize, each: usize, index: usize) -> Node<F, 1> {
    let skip = index * CHUNK;
    assert!(skip < each, "chunk {index} of {each} elements");
    let len = CHUNK.min(each - skip);
    if let Some(data) = view.slice(from + skip, len) {
        return level.run(Whole::<F>(data));
    }
    let mut tree = Tree::<F, 1>::new();
    let mut buffer = [F::From::default(); BLOCK];
    let mut done = 0;
    while len - done >= BLOCK {
        view.gather(from + skip + done, &mut buffer);
        level.run(Push { block: &buffer, tree: &mut tree });
        done += BLOCK;
    }
    let rest = &mut buffer[..len - done];
    view.gather(from + skip + done, rest);
    level.run(Rest { rest, tree: &tree })
}

/// The result of `each` elements from the nodes of all their chunks.
#[must_use]
pub fn combine<F: Fold, const W: usize>(each: usize, nodes: &[Node<F, W>]) -> [F::Lane; W] {
    let mut node = join_all(nodes);
    node.fold(each)
}

/// The larger half of a tree is the largest complete one that leaves something to the right.
fn join_all<F: Fold, const W: usize>(nodes: &[Node<F, W>]) -> Node<F, W> {
    match nodes {
        [] => Node::START,
        [one] => *one,
        _ => {
            let (left, right) = nodes.split_at(nodes.len().next_power_of_two() / 2);
            let mut node = join_all(left);
            node.join(&join_all(right));
            node
        }
    }
}

/// Results `first ..` of a view of which every `each` elements are one result, as many as `out` has, on the calling thread.
pub fn rows<F: Fold>(level: Level, view: &View<'_, F::From>, each: usize, first: usize, out: &mut [F::Lane]) {
    if each == 0 {
        out.fill(F::START);
    } else if each > BLOCK {
        for (i, out) in out.iter_mut().enumerate() {
            let chunk = |index| chunk::<F>(level, view, (first + i) * each, each, index);
            [*out] = if each <= CHUNK
                && let Some(data) = view.slice((first + i) * each, each)
            {
                level.run(Alone::<F>(data))
            } else if each <= CHUNK {
                combine(each, &[chunk(0)])
            } else {
                combine(each, &(0..chunks(each)).map(chunk).collect::<Vec<_>>())
            };
        }
    } else if let Some(data) = view.slice(first * each, out.len() * each) {
        level.run(Rows::<F> { data, each, out });
    } else {
        let mut buffer = [F::From::default(); BLOCK];
        for (i, out) in out.chunks_mut(BLOCK / each).enumerate() {
            let data = &mut buffer[..out.len() * each];
            view.gather((first + i * (BLOCK / each)) * each, data);
            level.run(Rows::<F> { data, each, out });
        }
    }
}

/// The elements of a block in their lanes.
#[inline(always)]
fn block<F: Fold>(data: &[F::From]) -> Node<F, 1> {
    let mut node = [F::START; LANES];
    let (whole, tail) = data.as_chunks::<LANES>();
    for row in whole {
        for l in 0..LANES {
            node[l] = F::step(node[l], row[l]);
        }
    }
    for (lane, x) in node.iter_mut().zip(tail) {
        *lane = F::step(*lane, *x);
    }
    Node(node.map(|lane| [lane]))
}

/// Results of at most [`BLOCK`] elements that lie one after the other.
struct Rows<'a, F: Fold> {
    data: &'a [F::From],
    each: usize,
    out: &'a mut [F::Lane],
}

impl<F: Fold> Work for Rows<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (row, out) in self.data.chunks_exact(self.each).zip(self.out) {
            [*out] = block::<F>(row).fold(self.each);
        }
    }
}

/// Pushes one whole block.
struct Push<'a, F: Fold> {
    block: &'a [F::From; BLOCK],
    tree: &'a mut Tree<F, 1>,
}

impl<F: Fold> Work for Push<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.tree.push(&block::<F>(self.block), 0);
    }
}

/// Four blocks as one node, without a way through memory in between.
#[inline(always)]
fn four<F: Fold>(data: &[F::From; 4 * BLOCK]) -> Node<F, 1> {
    let mut left = block::<F>(&data[..BLOCK]);
    left.join(&block::<F>(&data[BLOCK..2 * BLOCK]));
    let mut right = block::<F>(&data[2 * BLOCK..3 * BLOCK]);
    right.join(&block::<F>(&data[3 * BLOCK..]));
    left.join(&right);
    left
}

/// The same, two blocks at a time: what comes from the second-level cache comes faster from two places.
#[inline(always)]
fn in_pairs<F: Fold>(data: &[F::From; 4 * BLOCK]) -> Node<F, 1> {
    let (halves, _) = data.as_chunks::<{ 2 * BLOCK }>();
    let mut left = pair::<F>(&halves[0]);
    left.join(&pair::<F>(&halves[1]));
    left
}

/// Two blocks as one node.
#[inline(always)]
fn pair<F: Fold>(data: &[F::From; 2 * BLOCK]) -> Node<F, 1> {
    let (mut left, mut right) = ([F::START; LANES], [F::START; LANES]);
    let (a, b) = data.split_at(BLOCK);
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for l in 0..LANES {
            left[l] = F::step(left[l], a[l]);
        }
        for l in 0..LANES {
            right[l] = F::step(right[l], b[l]);
        }
    }
    let mut node = Node(left.map(|lane| [lane]));
    node.join(&Node(right.map(|lane| [lane])));
    node
}

/// A chunk that lies side by side. Its tree is made here, where the level's registers write it.
struct Whole<'a, F: Fold>(&'a [F::From]);

impl<F: Fold> Work for Whole<'_, F> {
    type Output = Node<F, 1>;

    #[inline(always)]
    fn run(self) -> Node<F, 1> {
        let (fours, rest) = self.0.as_chunks::<{ 4 * BLOCK }>();
        if let ([one], []) = (fours, rest) {
            return four::<F>(one);
        }
        let mut tree = Tree::<F, 1>::new();
        for four_blocks in fours {
            tree.push(&in_pairs::<F>(four_blocks), 2);
        }
        let (blocks, rest) = rest.as_chunks::<BLOCK>();
        for whole in blocks {
            tree.push(&block::<F>(whole), 0);
        }
        tree.finish((!rest.is_empty()).then(|| block::<F>(rest)))
    }
}

/// The result of a chunk that lies side by side and is all there is.
struct Alone<'a, F: Fold>(&'a [F::From]);

impl<F: Fold> Work for Alone<'_, F> {
    type Output = [F::Lane; 1];

    #[inline(always)]
    fn run(self) -> [F::Lane; 1] {
        Whole::<F>(self.0).run().fold(self.0.len())
    }
}

/// Joins all that was pushed with the incomplete block `rest`.
struct Rest<'a, F: Fold> {
    rest: &'a [F::From],
    tree: &'a Tree<F, 1>,
}

impl<F: Fold> Work for Rest<'_, F> {
    type Output = Node<F, 1>;

    #[inline(always)]
    fn run(self) -> Node<F, 1> {
        self.tree.finish((!self.rest.is_empty()).then(|| block::<F>(self.rest)))
    }
}

/// Index of the first element equal to `greatest` among the `each` elements from `from` on; a NaN is equal to any NaN. `each` when there is none.
#[must_use]
pub fn first_equal<S: Stored>(
    level: Level,
    view: &View<'_, S>,
    from: usize,
    each: usize,
    greatest: S::Compute,
) -> usize {
    let mut buffer = [S::default(); BLOCK];
    for at in (0..each).step_by(BLOCK) {
        let data = view.piece(from + at, &mut buffer[..BLOCK.min(each - at)]);
        if level.run(Contains { data, greatest }) {
            let found = data.iter().position(|x| is_same(x.widen(), greatest));
            return at + found.unwrap_or(each);
        }
    }
    each
}

#[inline(always)]
#[expect(clippy::eq_op, reason = "a NaN differs from itself")]
fn is_same<N: Number>(x: N, greatest: N) -> bool {
    (x == greatest) | ((x != x) & (greatest != greatest))
}

struct Contains<'a, S: Stored> {
    data: &'a [S],
    greatest: S::Compute,
}

impl<S: Stored> Work for Contains<'_, S> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        self.data.iter().fold(false, |any, x| any | is_same(x.widen(), self.greatest))
    }
}

#[cfg(test)]
#[path = "tests/reduce.rs"]
mod tests;
