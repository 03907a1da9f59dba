//! The head of a cross-encoder: from the state of the first token to one number.

use millstream_tensor::Tensor;

use crate::error::Result;
use crate::family::HeadNames;
use crate::linear::Linear;
use crate::weights::Weights;

/// A product with an activation, and one to a number.
pub(crate) struct Head {
    dense: Linear,
    out: Linear,
    names: &'static HeadNames,
}

impl Head {
    /// Errors: those of a folder.
    pub(crate) fn load(weights: &Weights<'_>, names: &'static HeadNames, width: usize) -> Result<Self> {
        Ok(Self {
            dense: Linear::load(weights, names.dense, [width, width])?,
            out: Linear::load(weights, names.out, [1, width])?,
            names,
        })
    }

    /// `[rows, tokens, width]` to `[rows, 1]`. Enqueues; does not wait.
    pub(crate) fn forward(&self, states: &Tensor) -> Result<Tensor> {
        let first = states.narrow(1, 0, 1)?.squeeze(1)?;
        let dense = self.dense.forward(&first, Some(self.names.activation))?;
        self.out.forward(&dense, None)
    }
}
