//! Sentences to vectors.

use std::path::Path;

use millstream_runtime::Device;
use millstream_sync::Arc;

use crate::batch::{Batch, Tokens};
use crate::encoder::{self, Encoder};
use crate::error::Result;
use crate::folder::Layout;
use crate::pooling::{Pooling, normalised};
use crate::tokenizer::{Kind, Tokenizer};

/// What a caller may choose; the defaults are the folder's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Most tokens of a text, special ones included. Default: what the folder says, else what the model takes.
    pub tokens_max: Option<usize>,
    /// Whether a longer text loses its end. Without it a longer text is an error.
    pub truncate: bool,
    /// How states become a vector.
    pub pooling: Option<Pooling>,
}

/// The vector of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// Tokens of the text, special ones included.
    pub tokens: usize,
    /// Its elements.
    pub values: Vec<f32>,
}

/// A sentence encoder on a device: weights, tokenizer, pooling. `Clone + Send + Sync`; clones share all of it, and any number of threads may call it at once, each on the stream of its own.
///
/// The vector of a text depends on the text and on the shape of its batch alone, bit for bit, whatever the threads. In another batch the last bits may differ: sums are cut by shape.
#[derive(Clone)]
pub struct Embedder {
    shared: Arc<Shared>,
}

struct Shared {
    device: Device,
    encoder: Box<dyn Encoder>,
    tokenizer: Tokenizer,
    pooling: Pooling,
    normalise: bool,
    tokens_max: usize,
    truncate: bool,
}

impl std::fmt::Debug for Embedder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Embedder(width={}, tokens_max={})", self.width(), self.tokens_max())
    }
}

impl Embedder {
    /// The model in `folder` as it lies there. Blocks on the file system and until the weights are on the device. Errors: as [`Embedder::open_with`].
    pub fn open(device: &Device, folder: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(device, folder, &Options::default())
    }

    /// The same with choices of the caller's. As with every mapped file, nobody may change or cut the weights while an embedder is alive.
    /// Errors: `Read`, `Damaged`, `NoTensor`, `Shape`, `WeightType`, `Architecture`, `Unsupported` for what is in the folder; `Limit` for `tokens_max`; `Tensor` (no memory, a failed device).
    pub fn open_with(device: &Device, folder: impl AsRef<Path>, options: &Options) -> Result<Self> {
        let layout = Layout::read(folder.as_ref())?;
        let tokenizer = Tokenizer::open(&layout.encoder)?;
        let encoder = encoder::load(device, &layout.encoder)?;
        tokenizer.within(&*encoder)?;
        let tokens_max = tokenizer.limit(Kind::Text, &*encoder, options.tokens_max, layout.tokens_max)?;
        device.synchronize().map_err(millstream_tensor::Error::from)?;
        let shared = Shared {
            device: device.clone(),
            encoder,
            tokenizer,
            pooling: options.pooling.unwrap_or(layout.pooling),
            normalise: layout.normalise,
            tokens_max,
            truncate: options.truncate,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Elements of a vector.
    #[must_use]
    pub fn width(&self) -> usize {
        self.shared.encoder.width()
    }

    /// Most tokens of a text, special ones included.
    #[must_use]
    pub fn tokens_max(&self) -> usize {
        self.shared.tokens_max
    }

    /// The vector of one text; an empty one has its special tokens. Blocks the host until it is computed. Errors: `TooLong`, `Text`, `Tensor`.
    pub fn embed(&self, text: &str) -> Result<Embedding> {
        let mut all = self.embed_batch(&[text])?;
        Ok(all.swap_remove(0))
    }

    /// The vectors of several texts, computed together: shorter ones are filled up to the longest, and what they are filled up with counts for nobody. Blocks the host until they are computed.
    /// Errors: as [`Embedder::embed`], for the first text that has one; nothing is computed then.
    pub fn embed_batch(&self, texts: &[&str]) -> Result<Vec<Embedding>> {
        let encoded: Vec<Tokens> = texts.iter().map(|text| self.encode(text)).collect::<Result<_>>()?;
        if encoded.is_empty() {
            return Ok(Vec::new());
        }
        self.embed_tokens(&encoded.iter().collect::<Vec<_>>())
    }

    pub(crate) fn device(&self) -> &Device {
        &self.shared.device
    }

    /// The tokens of a text. Errors: `TooLong`, `Text`.
    pub(crate) fn encode(&self, text: &str) -> Result<Tokens> {
        self.shared.tokenizer.encode(text, self.shared.tokens_max, self.shared.truncate)
    }

    /// The vectors of one text at the least. Errors: `Text`, `Tensor`.
    pub(crate) fn embed_tokens(&self, encoded: &[&Tokens]) -> Result<Vec<Embedding>> {
        let shared = &*self.shared;
        let batch = Batch::new(&shared.device, &*shared.encoder, encoded)?;
        let states = shared.encoder.forward(&batch)?;
        let mut pooled = shared.pooling.pool(&states, &batch)?;
        if shared.normalise {
            pooled = normalised(&pooled)?;
        }
        let values: Vec<f32> = pooled.to_vec()?;
        let rows = values.chunks_exact(self.width()).zip(batch.lengths);
        Ok(rows.map(|(values, tokens)| Embedding { tokens, values: values.to_vec() }).collect())
    }
}
