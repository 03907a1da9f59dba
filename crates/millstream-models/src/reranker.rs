//! Pairs of texts to scores.

use std::path::Path;

use millstream_runtime::Device;
use millstream_sync::Arc;

use crate::batch::{Batch, Tokens};
use crate::encoder::{self, Encoder};
use crate::error::Result;
use crate::head::Head;
use crate::scoring::{Activation, Scoring};
use crate::tokenizer::{Kind, Tokenizer};

/// What a caller may choose; the defaults are the folder's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RerankOptions {
    /// Most tokens of a pair, special ones included. Default: what the folder says, else what the model takes.
    pub tokens_max: Option<usize>,
    /// Whether a longer pair is cut: the longer text loses its end, and both do when they are as long as each other. Without it a longer pair is an error.
    pub truncate: bool,
    /// How the model's number becomes a score.
    pub activation: Option<Activation>,
}

/// The score of a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Tokens of the pair, special ones included.
    pub tokens: usize,
    /// How well the second text answers the first: greater is better.
    pub value: f32,
}

/// A text in an order by score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// Which of the texts.
    pub index: usize,
    /// Its score.
    pub score: f32,
}

/// A cross-encoder on a device: it reads a query and a text together and scores how well they fit. `Clone + Send + Sync`; clones share the weights, and any number of threads may call it at once, each on the stream of its own.
///
/// The score of a pair depends on the pair and on the shape of its batch alone, bit for bit, whatever the threads. In another batch the last bits may differ.
#[derive(Clone)]
pub struct Reranker {
    shared: Arc<Shared>,
}

struct Shared {
    device: Device,
    encoder: Box<dyn Encoder>,
    head: Head,
    tokenizer: Tokenizer,
    activation: Activation,
    tokens_max: usize,
    truncate: bool,
}

impl std::fmt::Debug for Reranker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reranker(activation={:?}, tokens_max={})", self.activation(), self.tokens_max())
    }
}

impl Reranker {
    /// The model in `folder` as it lies there. Blocks on the file system and until the weights are on the device. Errors: as [`Reranker::open_with`].
    pub fn open(device: &Device, folder: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(device, folder, &RerankOptions::default())
    }

    /// The same with choices of the caller's. As with every mapped file, nobody may change or cut the weights while a reranker is alive.
    /// Errors: `Read`, `Damaged`, `NoTensor`, `Shape`, `WeightType`, `Architecture`, `Unsupported` for what is in the folder, such as more labels than one; `Limit` for `tokens_max`; `Tensor` (no memory, a failed device).
    pub fn open_with(device: &Device, folder: impl AsRef<Path>, options: &RerankOptions) -> Result<Self> {
        let scoring = Scoring::read(folder.as_ref())?;
        let tokenizer = Tokenizer::open(&scoring.encoder)?;
        let (encoder, head) = encoder::load_cross(device, &scoring.encoder)?;
        tokenizer.within(&*encoder)?;
        let tokens_max = tokenizer.limit(Kind::Pair, &*encoder, options.tokens_max, scoring.tokens_max)?;
        device.synchronize().map_err(millstream_tensor::Error::from)?;
        let shared = Shared {
            device: device.clone(),
            encoder,
            head,
            tokenizer,
            activation: options.activation.unwrap_or(scoring.activation),
            tokens_max,
            truncate: options.truncate,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Most tokens of a pair, special ones included.
    #[must_use]
    pub fn tokens_max(&self) -> usize {
        self.shared.tokens_max
    }

    /// How the model's number becomes a score.
    #[must_use]
    pub fn activation(&self) -> Activation {
        self.shared.activation
    }

    /// The score of one pair; an empty text has no tokens of its own. Blocks the host until it is computed. Errors: `TooLong`, `Text`, `Tensor`.
    pub fn score(&self, query: &str, text: &str) -> Result<Score> {
        let all = self.score_batch(&[(query, text)])?;
        Ok(all[0])
    }

    /// The scores of several pairs, computed together: shorter ones are filled up to the longest, and what they are filled up with counts for nobody. Blocks the host until they are computed.
    /// Errors: as [`Reranker::score`], for the first pair that has one; nothing is computed then.
    pub fn score_batch(&self, pairs: &[(&str, &str)]) -> Result<Vec<Score>> {
        let encode = |(query, text): &(&str, &str)| self.encode(query, text);
        let encoded: Vec<Tokens> = pairs.iter().map(encode).collect::<Result<_>>()?;
        if encoded.is_empty() {
            return Ok(Vec::new());
        }
        self.score_tokens(&encoded.iter().collect::<Vec<_>>())
    }

    pub(crate) fn device(&self) -> &Device {
        &self.shared.device
    }

    /// The tokens of a pair. Errors: `TooLong`, `Text`.
    pub(crate) fn encode(&self, query: &str, text: &str) -> Result<Tokens> {
        self.shared.tokenizer.encode_pair(query, text, self.shared.tokens_max, self.shared.truncate)
    }

    /// The scores of one pair at the least. Errors: `Text`, `Tensor`.
    pub(crate) fn score_tokens(&self, encoded: &[&Tokens]) -> Result<Vec<Score>> {
        let shared = &*self.shared;
        let batch = Batch::new(&shared.device, &*shared.encoder, encoded)?;
        let states = shared.encoder.forward(&batch)?;
        let numbers: Vec<f32> = shared.head.forward(&states)?.to_vec()?;
        let score = |(number, tokens)| Score { tokens, value: shared.activation.of(number) };
        Ok(numbers.into_iter().zip(batch.lengths).map(score).collect())
    }

    /// The texts by how well they answer the query, the best first; those with equal scores in their own order. One batch, as [`Reranker::score_batch`]: for more texts than fit into the device's memory
    /// score them in parts. Blocks the host until it is computed. Errors: as [`Reranker::score_batch`].
    pub fn rank(&self, query: &str, texts: &[&str]) -> Result<Vec<Ranked>> {
        let pairs: Vec<(&str, &str)> = texts.iter().map(|text| (query, *text)).collect();
        let scores = self.score_batch(&pairs)?;
        let mut all: Vec<Ranked> =
            scores.iter().enumerate().map(|(index, score)| Ranked { index, score: score.value }).collect();
        all.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(all)
    }
}
