//! Scaled dot-product attention: `softmax(q k^T * scale + bias) v` for each sequence and head.
//!
//! Scores exist for [`QUERIES`] queries and [`KEYS`] keys at a time: a row keeps its greatest score, the sum of its exponentials and its weighted sum of values, and scales the latter two when a later
//! block of keys has a greater score (Milakov, Gimelshein, "Online normalizer calculation for softmax", 2018). Keys are turned as they are read, so that both products go through rows of numbers side by side.
//!
//! **The order** of every sum depends on the number of tokens and on the width of a head alone: a query is computed in the same way whichever rows are asked for with it.
//!
//! **Checked by** the conformance suite, and the tests below.

use millstream_hal::{Kernel, Layout};

use super::number::{Number, Stored};
use super::real::Real;
use crate::Level;
use crate::simd::Work;

/// Queries of a block: as many rows of scores as there are at any time.
pub const QUERIES: usize = 64;
/// Keys of a block.
const KEYS: usize = 64;
/// Numbers that are computed side by side.
const LANES: usize = 16;
/// Queries that share what was read of keys or values.
const ROWS: usize = 8;
const WIDTH: usize = Kernel::HEAD_MAX;

/// `[batch, tokens, heads, width]` of an operand, the last axis side by side. Bounds were checked when it was made.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'a, S> {
    data: &'a [S],
    layout: Layout,
}

impl<'a, S: Stored> Heads<'a, S> {
    /// Panics when `layout` reaches outside `data`.
    #[must_use]
    pub fn new(data: &'a [S], layout: &Layout) -> Self {
        assert!(layout.extent() <= data.len(), "{layout:?} reaches to element {} of {}", layout.extent(), data.len());
        Self { data, layout: *layout }
    }

    /// A head of a token.
    #[inline(always)]
    fn row(&self, sequence: usize, token: usize, head: usize) -> &'a [S] {
        let l = &self.layout;
        let at = l.offset() + sequence * l.stride(0) + token * l.stride(1) + head * l.stride(2);
        &self.data[at..at + l.size(3)]
    }
}

/// What a launch attends with.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a, S> {
    /// The queries.
    pub q: Heads<'a, S>,
    /// The keys.
    pub k: Heads<'a, S>,
    /// The values.
    pub v: Heads<'a, S>,
    /// For each token of each sequence whether it counts as a key: not 0.
    pub mask: Option<&'a [u8]>,
    /// For each head, query and key what is added to the score.
    pub bias: Option<&'a [S]>,
    /// Factor of the scores.
    pub scale: f32,
}

/// The results of the tokens from number `first` on, counted over all sequences: `out` has `heads * width` elements for each.
pub fn attention<S: Stored<Compute: Real>>(level: Level, out: &mut [S], first: usize, with: &Attention<'_, S>) {
    let layout = &with.q.layout;
    let (tokens, each) = (layout.size(1), layout.size(2) * layout.size(3));
    let (mut out, mut first) = (out, first);
    while !out.is_empty() {
        let queries = QUERIES.min(tokens - first % tokens).min(out.len() / each);
        let (block, rest) = out.split_at_mut(queries * each);
        level.run(Block { out: block, sequence: first / tokens, first: first % tokens, queries, with });
        (out, first) = (rest, first + queries);
    }
}

/// Some queries of one sequence, all heads.
struct Block<'a, S> {
    out: &'a mut [S],
    sequence: usize,
    first: usize,
    queries: usize,
    with: &'a Attention<'a, S>,
}

type Lanes<C> = [C; LANES];

/// What a block of queries keeps near the processor.
struct Near<C> {
    /// Queries, times the scale.
    q: [[C; WIDTH]; QUERIES],
    /// Weighted sums of values.
    sums: [[C; WIDTH]; QUERIES],
    /// Keys, turned.
    k: [[C; KEYS]; WIDTH],
    v: [[C; WIDTH]; KEYS],
    scores: [[C; KEYS]; QUERIES],
    /// Greatest score so far, and sum of the exponentials.
    most: [C; QUERIES],
    total: [C; QUERIES],
}

impl<S: Stored<Compute: Real>> Work for Block<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { out, sequence, first, queries, with } = self;
        let layout = &with.q.layout;
        let [tokens, heads, width] = [1, 2, 3].map(|axis| layout.size(axis));
        let (zero, lowest) = (S::Compute::default(), S::Compute::constant(f64::NEG_INFINITY));
        let scale = S::Compute::constant(f64::from(with.scale));
        // Whole registers and whole groups of rows: what is beyond the ends is zero.
        let (wide, rows) = (width.next_multiple_of(LANES), queries.next_multiple_of(ROWS));
        let mut near = Near {
            q: [[zero; WIDTH]; QUERIES],
            sums: [[zero; WIDTH]; QUERIES],
            k: [[zero; KEYS]; WIDTH],
            v: [[zero; WIDTH]; KEYS],
            scores: [[zero; KEYS]; QUERIES],
            most: [zero; QUERIES],
            total: [zero; QUERIES],
        };
        for head in 0..heads {
            for (i, to) in near.q[..queries].iter_mut().enumerate() {
                let from = with.q.row(sequence, first + i, head);
                to.iter_mut().zip(from).for_each(|(to, from)| *to = from.widen().mul(scale));
            }
            near.sums[..rows].iter_mut().for_each(|row| row[..wide].fill(zero));
            (near.most, near.total) = ([lowest; QUERIES], [zero; QUERIES]);
            for from in (0..tokens).step_by(KEYS) {
                let keys = KEYS.min(tokens - from);
                let counts = |j: usize| with.mask.is_none_or(|mask| mask[sequence * tokens + from + j] != 0);
                for j in 0..keys {
                    let key = with.k.row(sequence, from + j, head);
                    near.k.iter_mut().zip(key).for_each(|(to, x)| to[j] = x.widen());
                    // What does not count may be no number.
                    let value = if counts(j) { with.v.row(sequence, from + j, head) } else { &[] };
                    near.v[j].iter_mut().zip(value).for_each(|(to, x)| *to = x.widen());
                    near.v[j][value.len()..wide].fill(zero);
                }
                near.score(rows, width);
                let biased = with.bias.map(|bias| &bias[(head * tokens + first) * tokens..][..queries * tokens]);
                for (row, scores) in biased.iter().flat_map(|bias| bias.chunks_exact(tokens)).zip(&mut near.scores) {
                    scores.iter_mut().zip(&row[from..from + keys]).for_each(|(score, x)| *score = score.add(x.widen()));
                }
                for j in (0..KEYS).filter(|j| *j >= keys || !counts(*j)) {
                    near.scores[..queries].iter_mut().for_each(|row| row[j] = lowest);
                }
                near.weigh(queries, wide);
                near.add_values(rows, keys, wide);
            }
            for (i, sums) in near.sums[..queries].iter().enumerate() {
                let out = &mut out[(i * heads + head) * width..][..width];
                // No key: nothing was added, and nothing is divided.
                let total = if near.total[i] == zero { S::Compute::constant(1.0) } else { near.total[i] };
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out = S::narrow(sum.div(total)));
            }
        }
    }
}

#[inline(always)]
fn fused<C: Real>(x: C, y: &Lanes<C>, sum: &mut Lanes<C>) {
    for l in 0..LANES {
        sum[l] = x.mul_add(y[l], sum[l]);
    }
}

/// The lanes joined by `f`, in halves.
#[inline(always)]
fn across<C: Real>(lanes: &Lanes<C>, f: impl Fn(C, C) -> C) -> C {
    let eight: [C; 8] = std::array::from_fn(|l| f(lanes[l], lanes[l + 8]));
    let four: [C; 4] = std::array::from_fn(|l| f(eight[l], eight[l + 4]));
    f(f(four[0], four[2]), f(four[1], four[3]))
}

/// Sums of [`ROWS`] rows. In two groups, since the compiler keeps those of four rows in registers, and not those of eight: 153 GFLOP/s against 10 (2026-11-25, Intel Xeon with
/// AVX-512, one core).
struct Sums<C>([Lanes<C>; ROWS / 2], [Lanes<C>; ROWS / 2]);

impl<C: Real> Sums<C> {
    #[inline(always)]
    fn new(row: impl Fn(usize) -> Lanes<C>) -> Self {
        let row = &row;
        Self([row(0), row(1), row(2), row(3)], [row(4), row(5), row(6), row(7)])
    }

    /// Adds `x(r) * y` to row `r`.
    #[inline(always)]
    fn add(&mut self, x: impl Fn(usize) -> C, y: &Lanes<C>) {
        for (r, sum) in self.0.iter_mut().enumerate() {
            fused(x(r), y, sum);
        }
        for (r, sum) in self.1.iter_mut().enumerate() {
            fused(x(ROWS / 2 + r), y, sum);
        }
    }

    #[inline(always)]
    fn rows(&self) -> impl Iterator<Item = (usize, &Lanes<C>)> {
        self.0.iter().chain(&self.1).enumerate()
    }
}

impl<C: Real> Near<C> {
    /// The products of `rows` queries with all keys.
    #[inline(always)]
    fn score(&mut self, rows: usize, width: usize) {
        for row in (0..rows).step_by(ROWS) {
            for part in 0..KEYS / LANES {
                let mut sums = Sums::new(|_| [C::default(); LANES]);
                for (d, keys) in self.k[..width].iter().enumerate() {
                    sums.add(|r| self.q[row + r][d], &keys.as_chunks::<LANES>().0[part]);
                }
                for (r, sums) in sums.rows() {
                    self.scores[row + r].as_chunks_mut::<LANES>().0[part] = *sums;
                }
            }
        }
    }

    /// Turns the scores into exponentials, and scales what was summed before.
    #[inline(always)]
    fn weigh(&mut self, queries: usize, wide: usize) {
        let lowest = C::constant(f64::NEG_INFINITY);
        let before = &mut [C::default(); QUERIES];
        // What is taken from a row's scores. As long as no key counts, all exponentials are of minus infinity.
        let base = &mut [C::default(); QUERIES];
        for (scores, base) in self.scores[..queries].iter().zip(&mut *base) {
            let mut lanes = [lowest; LANES];
            for part in scores.as_chunks::<LANES>().0 {
                for l in 0..LANES {
                    lanes[l] = lanes[l].at_least(part[l]);
                }
            }
            *base = across(&lanes, C::at_least);
        }
        for row in 0..QUERIES {
            let most = self.most[row].at_least(base[row]);
            base[row] = if most == lowest { C::default() } else { most };
            before[row] = self.most[row].sub(base[row]).exp();
            self.most[row] = most;
            self.total[row] = self.total[row].mul(before[row]);
        }
        for row in 0..queries {
            let mut sums = [C::default(); LANES];
            for part in self.scores[row].as_chunks_mut::<LANES>().0 {
                for l in 0..LANES {
                    part[l] = part[l].sub(base[row]).exp();
                    sums[l] = sums[l].add(part[l]);
                }
            }
            self.total[row] = self.total[row].add(across(&sums, C::add));
            self.sums[row][..wide].iter_mut().for_each(|sum| *sum = sum.mul(before[row]));
        }
    }

    /// Adds the values by their weights.
    #[inline(always)]
    fn add_values(&mut self, rows: usize, keys: usize, wide: usize) {
        for row in (0..rows).step_by(ROWS) {
            for part in 0..wide / LANES {
                let mut sums = Sums::new(|r| self.sums[row + r].as_chunks::<LANES>().0[part]);
                for (j, values) in self.v[..keys].iter().enumerate() {
                    sums.add(|r| self.scores[row + r][j], &values.as_chunks::<LANES>().0[part]);
                }
                for (r, sums) in sums.rows() {
                    self.sums[row + r].as_chunks_mut::<LANES>().0[part] = *sums;
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "tests/attention.rs"]
mod tests;
