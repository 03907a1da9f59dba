//! Kernels as data: what to compute, without a word about how.
//!
//! A new operation is one variant here; the compiler then lists the interpreter and every backend.
//!
//! Operands are given beside the kernel in [`crate::Launch`], outputs first, in the order written at each variant. An output is always
//! row-major and contiguous from its first byte on; inputs are views. `dtype` is the type of the inputs unless said otherwise.
//! How numbers change their type is said once, at [`crate::DType`]'s module: rounding to nearest, truncation, wrapping.
//!
//! **Arithmetic.** Floats follow IEEE 754; f16 and bf16 are computed with in f32 and rounded once, at the end. Integers wrap; an integer
//! divided by zero is 0, and a quotient is truncated. Add, sub, mul, div, neg, abs, sqrt, relu, comparisons and casts are exact to the bit on every backend;
//! exp, log, tanh, erf, gelu, sums, products, normalisation and attention have the error that the conformance suite allows.

mod defect;

use crate::dtype::{DType, Scalar};
use crate::layout::{Layout, Views};
use crate::operation::{BinaryOp, ReduceOp, UnaryOp};

/// Where a launch stands in the stream of random numbers: counter-based Philox4x32-10 (Salmon et al., SC11).
///
/// Element `i` of a launch is made from word `i % 4` of the block whose 128-bit counter is `(offset + i / 4) | sequence << 64` under the
/// key `seed`.
///
/// * **Uniform** numbers take the upper 24 bits of the element's own word.
/// * **Normal** numbers take the words of a block in pairs `(w0, w1)` through Box-Muller (Box, Muller 1958): with
///   `u = (w0 + 1) / 2^32` in (0, 1] and `v = w1 / 2^32` in [0, 1), the even element is `sqrt(-2 ln u) cos(2 pi v)` and the odd
///   one `sqrt(-2 ln u) sin(2 pi v)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PhiloxKey {
    /// The key: low word first.
    pub seed: u64,
    /// High half of the counter: which independent sequence.
    pub sequence: u64,
    /// Low half of the counter: the first block of four numbers.
    pub offset: u64,
}

/// What to run. Plain data of fixed size: enqueueing one allocates nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kernel {
    /// `[out]`: every element becomes `value`.
    Fill {
        /// Elements to write.
        elements: usize,
        /// Their type.
        dtype: DType,
        /// The value.
        value: Scalar,
    },
    /// `[out]`: element `i` becomes `start + i * step`. Integers: in i64, wrapping. Floats: in f64, the product rounded and then
    /// the sum, and the result rounded to `dtype` once. Not for bool.
    Arange {
        /// Elements to write.
        elements: usize,
        /// Their type.
        dtype: DType,
        /// Element 0.
        start: Scalar,
        /// Distance of two elements.
        step: Scalar,
    },
    /// `[out]`: f32 numbers from `low` up to but without `high`, `u * (high - low) + low` with one rounding of the difference and one of the
    /// rest, `u` being 24 bits of [`PhiloxKey`]'s word over 2^24; what rounds up to `high` becomes the number below it. `low < high`,
    /// and their distance is finite.
    Uniform {
        /// Elements to write.
        elements: usize,
        /// Least number.
        low: f32,
        /// Bound that is not reached.
        high: f32,
        /// Position in the stream of random numbers.
        key: PhiloxKey,
    },
    /// `[out]`: f32 standard normal numbers.
    Randn {
        /// Elements to write.
        elements: usize,
        /// Position in the stream of random numbers.
        key: PhiloxKey,
    },
    /// `[out, a]`: `out[i] = op(a[i])`.
    Unary {
        /// The operation.
        op: UnaryOp,
        /// Type of `a` and `out`.
        dtype: DType,
        /// View of `a`.
        a: Layout,
    },
    /// `[out, a, b]`: `out[i] = a[i] op b[i]`. Comparisons write bool.
    Binary {
        /// The operation.
        op: BinaryOp,
        /// Type of `a` and `b`.
        dtype: DType,
        /// Views of `a` and `b`.
        views: Views<2>,
    },
    /// `[out, cond, a, b]`: `out[i]` is `a[i]` where `cond[i]`, which is bool, and `b[i]` elsewhere. Bits are kept.
    Where {
        /// Type of `a`, `b` and `out`.
        dtype: DType,
        /// Views of `cond`, `a` and `b`.
        views: Views<3>,
    },
    /// `[out, a]`: the elements of `a` in another type. A cast to the same type is a copy.
    Cast {
        /// Type of `a`.
        from: DType,
        /// Type of `out`.
        to: DType,
        /// View of `a`.
        a: Layout,
    },
    /// `[out, a]`: `out` gets the elements of the view in row-major order, bit by bit.
    Copy {
        /// Type of `a` and `out`.
        dtype: DType,
        /// View of `a`.
        a: Layout,
    },
    /// `[out, a, b]`: `[batch.., m, k] x [batch.., k, n] -> [batch.., m, n]`, with equal batch axes (a repeated one has stride 0). `k == 0` gives
    /// zeros. f16 and bf16 accumulate in f32. Not for u8 and bool.
    Matmul {
        /// Type of all three.
        dtype: DType,
        /// View of `a`.
        a: Layout,
        /// View of `b`.
        b: Layout,
    },
    /// `[out, a]`: one element for each index of the first `kept` axes, from the elements of the other axes in row-major order, by a fixed
    /// tree that depends on their number alone. See [`ReduceOp`] for types and empty reductions.
    Reduce {
        /// The reduction.
        op: ReduceOp,
        /// Type of `a`.
        dtype: DType,
        /// View of `a`, the kept axes first.
        a: Layout,
        /// How many axes are kept.
        kept: u8,
    },
    /// `[out, table, indices]`: row `i` of `out` is row `indices[i]` of `table`, bit by bit; zeros where `table` has no such row. `table` is row-major
    /// `[rows, width]` and `indices` are `count` i64, both from their first byte on.
    IndexSelect {
        /// Type of `table` and `out`.
        dtype: DType,
        /// Rows of `table`.
        rows: usize,
        /// Elements of a row.
        width: usize,
        /// Rows of `out`.
        count: usize,
    },
    /// `[out, a, bias]`: `out[i]` is `activation(a[i] + bias[i % width])`, rounded once, at the end. `bias` has `width` elements from its first byte on, and `a` a
    /// multiple of them. Floats.
    AddBias {
        /// Type of all three.
        dtype: DType,
        /// View of `a`.
        a: Layout,
        /// Elements of `bias`.
        width: usize,
        /// What follows the sum.
        activation: Option<UnaryOp>,
    },
    /// `[out, a, weight, bias]`, or `[out, a, residual, weight, bias]`: each row of `x`, which is `a` or `a + residual`, becomes
    /// `(x - mean) / sqrt(variance + epsilon) * weight + bias`, its variance being the mean of `(x - mean)^2` (Ba, Kiros, Hinton 2016). `a` and `residual` are
    /// row-major `[rows, width]`, `weight` and `bias` have `width` elements, all from their first byte on. Floats.
    LayerNorm {
        /// Type of all.
        dtype: DType,
        /// Rows.
        rows: usize,
        /// Elements of a row.
        width: usize,
        /// What keeps the root above zero.
        epsilon: f32,
        /// Whether there is a residual.
        residual: bool,
    },
    /// `[out, q, k, v]`, then `mask` and `bias` where there are: `softmax(q k^T * scale + bias) v` for each sequence and head; the views are
    /// `[batch, tokens, heads, width]`, elements of the last axis side by side. `mask` is bool, row-major `[batch, tokens]` from its first byte on: keys that are false count
    /// for nobody, and a query without a key gives zeros. `bias` is row-major `[heads, tokens, tokens]` of queries and keys from its first byte on, finite or minus infinity: such a key does not count for that query. No more than a few rows of scores exist at any time. Floats; `width` at most [`Kernel::HEAD_MAX`].
    Attention {
        /// Type of all but the mask.
        dtype: DType,
        /// Views of `q`, `k` and `v`.
        views: Views<3>,
        /// Factor of the scores.
        scale: f32,
        /// Whether there is a mask.
        masked: bool,
        /// Whether there is a bias.
        biased: bool,
    },
    /// `[out, staging]`: host to device, `bytes` from the start of the staging operand.
    Upload {
        /// Bytes to copy.
        bytes: usize,
    },
    /// `[staging, a]`: device to host, `bytes` to byte `to` of the staging operand.
    Download {
        /// Bytes to copy.
        bytes: usize,
        /// First byte of `a`.
        from: usize,
        /// First byte of the staging operand.
        to: usize,
    },
    /// `[]`: keeps the stream busy for a while. Makes a missing wait give a wrong value every time.
    Spin {
        /// For how long, in microseconds.
        micros: u32,
    },
    /// `[out]`: overwrites a freed block with a pattern that no result contains (`0x7fa5_a5a5`, a NaN).
    Poison {
        /// Bytes to overwrite, a multiple of 4.
        bytes: usize,
    },
    /// `[out (8 bytes), a]`: a 64-bit hash over every byte, by position; see [`Kernel::fingerprint_of`].
    Fingerprint {
        /// Bytes of `a`.
        bytes: usize,
    },
}

impl Kernel {
    /// The word that [`Kernel::Poison`] writes.
    pub const POISON_WORD: u32 = 0x7fa5_a5a5;
    /// Most elements of a head of [`Kernel::Attention`]: what backends keep of it near the processor is sized by this.
    pub const HEAD_MAX: usize = 128;

    /// Name for profiles and messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fill { .. } => "fill",
            Self::Arange { .. } => "arange",
            Self::Uniform { .. } => "uniform",
            Self::Randn { .. } => "randn",
            Self::Unary { op, .. } => op.name(),
            Self::Binary { op, .. } => op.name(),
            Self::Where { .. } => "where",
            Self::Cast { .. } => "cast",
            Self::Copy { .. } => "copy",
            Self::Matmul { .. } => "matmul",
            Self::Reduce { op, .. } => op.name(),
            Self::IndexSelect { .. } => "index_select",
            Self::AddBias { activation: None, .. } => "add_bias",
            Self::AddBias { .. } => "add_bias_activation",
            Self::LayerNorm { residual: false, .. } => "layer_norm",
            Self::LayerNorm { .. } => "add_layer_norm",
            Self::Attention { .. } => "attention",
            Self::Upload { .. } => "upload",
            Self::Download { .. } => "download",
            Self::Spin { .. } => "spin",
            Self::Poison { .. } => "poison",
            Self::Fingerprint { .. } => "fingerprint",
        }
    }

    /// Type and number of the elements that it writes; `None` for a kernel that writes bytes or nothing.
    #[must_use]
    pub fn output(&self) -> Option<(DType, usize)> {
        Some(match self {
            Self::Fill { dtype, elements, .. } | Self::Arange { dtype, elements, .. } => (*dtype, *elements),
            Self::Uniform { elements, .. } | Self::Randn { elements, .. } => (DType::F32, *elements),
            Self::Unary { dtype, a, .. } | Self::Copy { dtype, a } | Self::Cast { to: dtype, a, .. } => {
                (*dtype, a.elements())
            }
            Self::Binary { op, dtype, views } => (op.result(*dtype), views.elements()),
            Self::Where { dtype, views } => (*dtype, views.elements()),
            Self::Matmul { dtype, a, b } => {
                let columns = if b.dims() == 0 { 0 } else { b.size(b.dims() - 1) };
                let rows = a.sizes().split_last().map_or(0, |(_, rows)| product(rows));
                (*dtype, rows.saturating_mul(columns))
            }
            Self::Reduce { op, dtype, a, kept } => {
                (op.result(*dtype), product(&a.sizes()[..a.dims().min(usize::from(*kept))]))
            }
            Self::IndexSelect { dtype, width, count, .. } => (*dtype, width.saturating_mul(*count)),
            Self::AddBias { dtype, a, .. } => (*dtype, a.elements()),
            Self::LayerNorm { dtype, rows, width, .. } => (*dtype, rows.saturating_mul(*width)),
            Self::Attention { dtype, views, .. } => (*dtype, views.elements()),
            Self::Upload { .. }
            | Self::Download { .. }
            | Self::Spin { .. }
            | Self::Poison { .. }
            | Self::Fingerprint { .. } => return None,
        })
    }

    /// The hash of [`Kernel::Fingerprint`]: the wrapping sum over all words of a mix of word and position, so that any partition of
    /// the work gives the same value. The mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014). Words are little-endian, 4 bytes each;
    /// 1 to 3 bytes at the end are [`Kernel::fingerprint_tail`].
    #[must_use]
    pub fn fingerprint_of(bytes: &[u8]) -> u64 {
        let (words, tail) = bytes.as_chunks::<4>();
        let sum = words
            .iter()
            .enumerate()
            .fold(0u64, |sum, (i, word)| sum.wrapping_add(Self::fingerprint_word(i as u64, u32::from_le_bytes(*word))));
        sum.wrapping_add(Self::fingerprint_tail(words.len() as u64, tail))
    }

    /// One word's share of [`Kernel::fingerprint_of`].
    #[inline]
    #[must_use]
    pub fn fingerprint_word(index: u64, word: u32) -> u64 {
        let mut z = (u64::from(word) | (index << 32)).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_add(index >> 32);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The share of the last 0 to 3 bytes of [`Kernel::fingerprint_of`], which come after `words` whole words: nothing for none, else a word
    /// filled up with zeros whose position has the number of bytes in its two highest bits, so that no word of a longer input stands for it.
    #[must_use]
    pub fn fingerprint_tail(words: u64, tail: &[u8]) -> u64 {
        if tail.is_empty() {
            return 0;
        }
        let word = tail.iter().rev().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
        Self::fingerprint_word(words | (tail.len() as u64) << 62, word)
    }
}

fn product(sizes: &[u32]) -> usize {
    if sizes.contains(&0) { 0 } else { sizes.iter().fold(1, |n, s| n.saturating_mul(*s as usize)) }
}

#[cfg(test)]
#[path = "tests/kernel.rs"]
mod tests;
