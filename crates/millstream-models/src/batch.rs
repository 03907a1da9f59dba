//! What is computed together: token numbers in rows of equal length.

use millstream_runtime::Device;
use millstream_tensor::Tensor;

use crate::encoder::Encoder;
use crate::error::Result;

/// The tokens of a text or of a pair, special ones included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) ids: Vec<i64>,
    /// For each token which text of a pair it belongs to, as the tokenizer says: 0 or 1.
    pub(crate) types: Vec<i64>,
}

/// Rows of tokens on a device; shorter ones are filled up.
pub(crate) struct Batch {
    /// i64, `[rows * tokens]`.
    pub(crate) ids: Tensor,
    /// i64, `[rows * tokens]`: what the encoder calls the place of each token.
    pub(crate) places: Tensor,
    pub(crate) rows: usize,
    pub(crate) tokens: usize,
    /// bool `[rows, tokens]`, false where a row is filled up; none when no row is.
    pub(crate) mask: Option<Tensor>,
    /// Tokens of each row, without those that fill it up.
    pub(crate) lengths: Vec<usize>,
}

impl Batch {
    /// `all` has one row at the least. Errors: `Text` of the encoder, `Tensor`.
    pub(crate) fn new(device: &Device, encoder: &dyn Encoder, all: &[&Tokens]) -> Result<Self> {
        let lengths: Vec<usize> = all.iter().map(|row| row.ids.len()).collect();
        let (rows, tokens) = (all.len(), lengths.iter().copied().max().unwrap_or(0));
        let (mut ids, mut places) = (Vec::with_capacity(rows * tokens), Vec::with_capacity(rows * tokens));
        for (row, end) in all.iter().zip((1..).map(|row| row * tokens)) {
            ids.extend_from_slice(&row.ids);
            ids.resize(end, 0);
            places.extend(encoder.places(row)?);
            places.resize(end, 0);
        }
        let mask = match lengths.iter().all(|length| *length == tokens) {
            true => None,
            false => {
                let counts: Vec<bool> = lengths.iter().flat_map(|n| (0..tokens).map(move |i| i < *n)).collect();
                Some(Tensor::from_slice(device, &counts, &[rows, tokens])?)
            }
        };
        let tensor = |values: &[i64]| Tensor::from_slice(device, values, &[rows * tokens]);
        Ok(Self { ids: tensor(&ids)?, places: tensor(&places)?, rows, tokens, mask, lengths })
    }
}
