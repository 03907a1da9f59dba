//! Kernels as data: what to compute, without a word about how.
//!
//! A new operation is one variant here; the compiler then lists the interpreter and every backend.
//!
//! Operands are given beside the kernel in [`crate::Launch`], outputs first, in the order written at each variant. All matrices and
//! vectors are `f32` unless said otherwise.

use crate::Layout;

/// Element-wise operations of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `a + b`
    Add,
    /// `a * b`
    Mul,
}

/// Reductions over all elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReduceOp {
    /// Sum of all elements.
    Sum,
    /// Sum divided by the number of elements; NaN for none.
    Mean,
}

/// Where a launch stands in the stream of random numbers: counter-based Philox4x32-10 (Salmon et al., SC11).
///
/// Element `i` of a launch is word `i % 4` of the block whose 128-bit counter is `(offset + i / 4) | sequence << 64` under the key
/// `seed`; normals take the words in pairs through Box-Muller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PhiloxKey {
    /// The key: low word first.
    pub seed: u64,
    /// High half of the counter: which independent sequence.
    pub sequence: u64,
    /// Low half of the counter: the first block of four numbers.
    pub offset: u64,
}

/// A matrix inside a buffer: element `(r, c)` is at `offset + r * row_stride + c * col_stride`, all in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatrixView {
    /// First element.
    pub offset: usize,
    /// Elements between rows.
    pub row_stride: i64,
    /// Elements between columns.
    pub col_stride: i64,
}

/// What to run. Plain data of fixed size: enqueueing one allocates nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Kernel {
    /// `[out]`: every element becomes `value`.
    Fill {
        /// Elements to write.
        elements: usize,
        /// The value.
        value: f32,
    },
    /// `[out]`: standard normal numbers.
    Randn {
        /// Elements to write.
        elements: usize,
        /// Position in the stream of random numbers.
        key: PhiloxKey,
    },
    /// `[out, a, b]`: `out[i] = a[i] op b[i]`; `out` is row-major and contiguous, the views have one shape.
    Binary {
        /// The operation.
        op: BinaryOp,
        /// View of `a`.
        a: Layout,
        /// View of `b`.
        b: Layout,
    },
    /// `[out, a]`: `out` gets the elements of the view in row-major order.
    Copy {
        /// View of `a`.
        a: Layout,
    },
    /// `[out, a, b]`: `[m, k] x [k, n] -> [m, n]`, `out` row-major. `k == 0` gives zeros.
    Matmul {
        /// Rows of `a` and `out`.
        m: usize,
        /// Columns of `b` and `out`.
        n: usize,
        /// Columns of `a`, rows of `b`.
        k: usize,
        /// View of `a`, `m` by `k`.
        a: MatrixView,
        /// View of `b`, `k` by `n`.
        b: MatrixView,
    },
    /// `[out, a]`: one element from all elements of `a` in row-major order, by a fixed tree that depends on the number of
    /// elements alone.
    Reduce {
        /// The reduction.
        op: ReduceOp,
        /// View of `a`.
        a: Layout,
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
    /// `[out (8 bytes), a]`: a 64-bit hash over the bits of every element, by position; see [`Kernel::fingerprint_of`].
    Fingerprint {
        /// Number of 32-bit words of `a`.
        words: usize,
    },
}

impl Kernel {
    /// The word that [`Kernel::Poison`] writes.
    pub const POISON_WORD: u32 = 0x7fa5_a5a5;

    /// Name for profiles and messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fill { .. } => "fill",
            Self::Randn { .. } => "randn",
            Self::Binary { op: BinaryOp::Add, .. } => "add",
            Self::Binary { op: BinaryOp::Mul, .. } => "mul",
            Self::Copy { .. } => "copy",
            Self::Matmul { .. } => "matmul",
            Self::Reduce { op: ReduceOp::Sum, .. } => "sum",
            Self::Reduce { op: ReduceOp::Mean, .. } => "mean",
            Self::Upload { .. } => "upload",
            Self::Download { .. } => "download",
            Self::Spin { .. } => "spin",
            Self::Poison { .. } => "poison",
            Self::Fingerprint { .. } => "fingerprint",
        }
    }

    /// The hash of [`Kernel::Fingerprint`]: the wrapping sum over all words of a mix of word and position, so that any partition of
    /// the work gives the same value. The mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
    #[must_use]
    pub fn fingerprint_of(words: impl IntoIterator<Item = u32>) -> u64 {
        words.into_iter().enumerate().fold(0u64, |sum, (i, w)| sum.wrapping_add(Self::fingerprint_word(i as u64, w)))
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_sees_the_position_of_a_word() {
        assert_ne!(Kernel::fingerprint_of([1, 2, 3]), Kernel::fingerprint_of([2, 1, 3]));
        assert_ne!(Kernel::fingerprint_of([1, 2, 3]), Kernel::fingerprint_of([1, 2, 3, 0]));
        assert_eq!(Kernel::fingerprint_of([]), 0);
    }
}
