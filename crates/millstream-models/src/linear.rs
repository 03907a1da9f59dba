//! A product with weights and a bias, the weights laid out for it.
//!
//! A file has `[out, in]`. Here it becomes `[parts, in, out / parts]`: a product reads one part from its first byte to its last, a row of it after the other, and computes one part of the columns. That is one copy at loading; all other weights
//! stay where the file is mapped. 2026-11-25, Intel Xeon with AVX-512, one core beside other work, weights of 2.4 MB that are in no cache but the last: 16 x 384 x 1536 as `[in, out]` 35 GFLOP/s, in parts of 192 columns 56; 128 x 384 x 1536:
//! 132 and 156.

use millstream_hal::UnaryOp;
use millstream_tensor::Tensor;

use crate::error::Result;
use crate::weights::Weights;

/// Most columns of a part, and what they are a multiple of: whole registers.
const COLUMNS: usize = 192;
const UNIT: usize = 16;

/// `x w + b`, `[rows, in]` to `[rows, out]`.
pub(crate) struct Linear {
    /// `[parts, in, out / parts]`.
    weight: Tensor,
    /// `[parts, out / parts]`.
    bias: Tensor,
    outs: usize,
    ins: usize,
}

impl Linear {
    /// `name.weight`, `[out, in]`, and `name.bias`, `[out]`. Errors: those of a folder.
    pub(crate) fn load(weights: &Weights<'_>, name: &str, [outs, ins]: [usize; 2]) -> Result<Self> {
        let parts = outs / columns(outs);
        let weight = weights.tensor(&format!("{name}.weight"), &[outs, ins])?;
        let weight = weight.reshape(&[parts, outs / parts, ins])?.transpose(1, 2)?.contiguous()?;
        let bias = weights.tensor(&format!("{name}.bias"), &[outs])?.reshape(&[parts, outs / parts])?;
        Ok(Self { weight, bias, outs, ins })
    }

    /// Enqueues; does not wait.
    pub(crate) fn forward(&self, x: &Tensor, activation: Option<UnaryOp>) -> Result<Tensor> {
        let rows = x.shape()[0];
        // [parts, rows, out / parts]; the bias puts the parts side by side.
        let product = x.reshape(&[1, rows, self.ins])?.matmul(&self.weight)?;
        let sum = product.transpose(0, 1)?.add_bias(&self.bias, activation)?;
        Ok(sum.reshape(&[rows, self.outs])?)
    }
}

/// Columns of a part: the most that divide `outs`, or all where none do.
fn columns(outs: usize) -> usize {
    (UNIT..=COLUMNS).rev().find(|n| n.is_multiple_of(UNIT) && outs.is_multiple_of(*n)).unwrap_or(outs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_of_one_size_and_whole_registers_where_they_can() {
        for (outs, wanted) in [
            (384, 192),
            (1536, 192),
            (768, 192),
            (3072, 192),
            (1024, 128),
            (24, 24),
            (40, 40),
            (16, 16),
            (1, 1),
            (208, 16),
        ] {
            assert_eq!(columns(outs), wanted, "{outs}");
        }
    }
}
