//! From the states of a text to one vector.

use std::collections::BTreeMap;
use std::path::Path;

use millstream_hal::DType;
use millstream_tensor::Tensor;

use crate::batch::Batch;
use crate::config::read_json;
use crate::error::{Error, Result};

/// How the states of a text become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over all tokens, special ones included.
    Mean,
    /// The state of the first token.
    Cls,
    /// The state of the last token.
    Last,
}

const SUPPORTED: &str = "one of pooling_mode_mean_tokens, pooling_mode_cls_token, pooling_mode_lasttoken";

impl Pooling {
    /// The configuration of a pooling module. Errors: `Read`, `Damaged`, `Unsupported`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let all: BTreeMap<String, serde_json::Value> = read_json(path)?;
        let chosen: Vec<&str> = all
            .iter()
            .filter(|(name, value)| name.starts_with("pooling_mode_") && value.as_bool() == Some(true))
            .map(|(name, _)| name.as_str())
            .collect();
        match chosen[..] {
            ["pooling_mode_mean_tokens"] => Ok(Self::Mean),
            ["pooling_mode_cls_token"] => Ok(Self::Cls),
            ["pooling_mode_lasttoken"] => Ok(Self::Last),
            _ => {
                let found = if chosen.is_empty() { "none".to_owned() } else { chosen.join(", ") };
                Err(Error::Unsupported { path: path.to_owned(), what: "pooling", found, supported: SUPPORTED })
            }
        }
    }

    /// `[rows, tokens, width]` to `[rows, width]`. Enqueues; does not wait.
    pub(crate) fn pool(self, states: &Tensor, batch: &Batch) -> Result<Tensor> {
        let (width, lengths) = (states.shape()[2], &batch.lengths);
        match (self, &batch.mask) {
            (Self::Mean, None) => Ok(states.mean_over(&[1])?),
            (Self::Mean, Some(mask)) => {
                let counts = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
                let lengths: Vec<f32> = lengths.iter().map(|n| *n as f32).collect();
                let lengths = Tensor::from_slice(states.device(), &lengths, &[lengths.len(), 1])?;
                Ok(states.mul(&counts)?.sum_over(&[1])?.div(&lengths)?)
            }
            (Self::Cls, _) => Ok(states.narrow(1, 0, 1)?.squeeze(1)?),
            (Self::Last, _) => {
                let last = |(row, length): (usize, &usize)| (row * batch.tokens + length - 1) as i64;
                let last: Vec<i64> = lengths.iter().enumerate().map(last).collect();
                let last = Tensor::from_slice(states.device(), &last, &[last.len()])?;
                Ok(states.reshape(&[batch.rows * batch.tokens, width])?.index_select(0, &last)?)
            }
        }
    }
}

/// Rows of length 1, as `x / |x|`: a length of zero stays zero.
pub(crate) fn normalised(rows: &Tensor) -> Result<Tensor> {
    // Far below the length of any vector of states, where the sum is the length to the last bit.
    const LEAST: f32 = 1e-12;
    let length = rows.mul(rows)?.sum_keepdim(&[1])?.sqrt()?;
    Ok(rows.div(&length.add(LEAST)?)?)
}
