//! BERT (Devlin and others 2018): embeddings of words, places and kinds, then layers of attention and of two products, each followed by a residual and a normalisation.

use std::path::Path;

use millstream_runtime::Device;
use millstream_tensor::Tensor;

use crate::config::Sizes;
use crate::encoder::{Batch, Encoder};
use crate::error::Result;
use crate::linear::Linear;
use crate::weights::Weights;

/// Normalises what is added to a residual.
struct Norm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f32,
}

impl Norm {
    fn load(weights: &Weights<'_>, name: &str, sizes: &Sizes) -> Result<Self> {
        let of = |part: &str| weights.tensor(&format!("{name}.{part}"), &[sizes.width]);
        Ok(Self { weight: of("weight")?, bias: of("bias")?, epsilon: sizes.epsilon })
    }

    fn forward(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        Ok(x.add_layer_norm(residual, &self.weight, &self.bias, self.epsilon)?)
    }
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    output_norm: Norm,
    up: Linear,
    down: Linear,
    down_norm: Norm,
}

impl Layer {
    fn load(weights: &Weights<'_>, number: usize, sizes: &Sizes) -> Result<Self> {
        let (width, inner) = (sizes.width, sizes.inner);
        let linear = |name: &str, shape| Linear::load(weights, &format!("encoder.layer.{number}.{name}"), shape);
        let norm = |name: &str| Norm::load(weights, &format!("encoder.layer.{number}.{name}"), sizes);
        Ok(Self {
            query: linear("attention.self.query", [width, width])?,
            key: linear("attention.self.key", [width, width])?,
            value: linear("attention.self.value", [width, width])?,
            output: linear("attention.output.dense", [width, width])?,
            output_norm: norm("attention.output.LayerNorm")?,
            up: linear("intermediate.dense", [inner, width])?,
            down: linear("output.dense", [width, inner])?,
            down_norm: norm("output.LayerNorm")?,
        })
    }

    /// `[rows * tokens, width]` to the same.
    fn forward(&self, x: &Tensor, batch: &Batch, sizes: &Sizes) -> Result<Tensor> {
        let each = sizes.width / sizes.heads;
        let heads = |linear: &Linear| -> Result<Tensor> {
            Ok(linear.forward(x, None)?.reshape(&[batch.rows, batch.tokens, sizes.heads, each])?)
        };
        let (query, key, value) = (heads(&self.query)?, heads(&self.key)?, heads(&self.value)?);
        let scale = 1.0 / (each as f32).sqrt();
        let seen = Tensor::attention(&query, &key, &value, batch.mask.as_ref(), scale)?;
        let seen = self.output.forward(&seen.reshape(&x.shape())?, None)?;
        let x = self.output_norm.forward(&seen, x)?;
        let inner = self.up.forward(&x, Some(sizes.activation))?;
        self.down_norm.forward(&self.down.forward(&inner, None)?, &x)
    }
}

/// The model on a device.
pub(crate) struct Bert {
    sizes: Sizes,
    words: Tensor,
    /// Of each place, with the embedding of the first kind: one text has no second.
    places: Tensor,
    norm: Norm,
    layers: Vec<Layer>,
}

impl Bert {
    /// Errors: those of a folder.
    pub(crate) fn load(device: &Device, folder: &Path) -> Result<Self> {
        let sizes = Sizes::read(&folder.join("config.json"))?;
        let words = "embeddings.word_embeddings.weight";
        let weights = Weights::open(device, &folder.join("model.safetensors"))?.behind(&["", "bert."], words);
        let table =
            |name: &str, rows: usize| weights.tensor(&format!("embeddings.{name}.weight"), &[rows, sizes.width]);
        let kind = table("token_type_embeddings", sizes.types)?.narrow(0, 0, 1)?;
        Ok(Self {
            words: weights.tensor(words, &[sizes.vocabulary, sizes.width])?,
            places: table("position_embeddings", sizes.positions)?.add(&kind)?,
            norm: Norm::load(&weights, "embeddings.LayerNorm", &sizes)?,
            layers: (0..sizes.layers).map(|n| Layer::load(&weights, n, &sizes)).collect::<Result<_>>()?,
            sizes,
        })
    }
}

impl Encoder for Bert {
    fn forward(&self, batch: &Batch) -> Result<Tensor> {
        let (rows, tokens, width) = (batch.rows, batch.tokens, self.sizes.width);
        let words = self.words.index_select(0, &batch.ids)?.reshape(&[rows, tokens, width])?;
        let places = self.places.narrow(0, 0, tokens)?.broadcast_to(&[rows, tokens, width])?;
        let mut x = self.norm.forward(&words, &places)?.reshape(&[rows * tokens, width])?;
        for layer in &self.layers {
            x = layer.forward(&x, batch, &self.sizes)?;
        }
        Ok(x.reshape(&[rows, tokens, width])?)
    }

    fn width(&self) -> usize {
        self.sizes.width
    }

    fn positions(&self) -> usize {
        self.sizes.positions
    }

    fn vocabulary(&self) -> usize {
        self.sizes.vocabulary
    }
}
