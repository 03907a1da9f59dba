//! BERT and its family: embeddings of words, places and types, then layers of attention and of two products, each followed by a residual and a normalisation. What its members call
//! things and where they differ is in `family.rs`.

use millstream_tensor::Tensor;

use crate::batch::{Batch, Tokens};
use crate::config::Sizes;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::family::{Family, First, Types};
use crate::linear::Linear;
use crate::relative;
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
    fn load(weights: &Weights<'_>, family: &Family, number: usize, sizes: &Sizes) -> Result<Self> {
        let (width, inner, names) = (sizes.width, sizes.inner, &family.layer);
        let of_layer = |name: &str| format!("{}.{number}.{name}", family.layers);
        let linear = |name: &str, shape| Linear::load(weights, &of_layer(name), shape);
        let norm = |name: &str| Norm::load(weights, &of_layer(name), sizes);
        Ok(Self {
            query: linear(names.query, [width, width])?,
            key: linear(names.key, [width, width])?,
            value: linear(names.value, [width, width])?,
            output: linear(names.output, [width, width])?,
            output_norm: norm(names.output_norm)?,
            up: linear(names.up, [inner, width])?,
            down: linear(names.down, [width, inner])?,
            down_norm: norm(names.down_norm)?,
        })
    }

    /// `[rows * tokens, width]` to the same; `bias` is `[heads, tokens, tokens]`.
    fn forward(&self, x: &Tensor, batch: &Batch, bias: Option<&Tensor>, sizes: &Sizes) -> Result<Tensor> {
        let each = sizes.width / sizes.heads;
        let heads = |linear: &Linear| -> Result<Tensor> {
            Ok(linear.forward(x, None)?.reshape(&[batch.rows, batch.tokens, sizes.heads, each])?)
        };
        let (query, key, value) = (heads(&self.query)?, heads(&self.key)?, heads(&self.value)?);
        let scale = 1.0 / (each as f32).sqrt();
        let seen = Tensor::attention(&query, &key, &value, batch.mask.as_ref(), bias, scale)?;
        let seen = self.output.forward(&seen.reshape(&x.shape())?, None)?;
        let x = self.output_norm.forward(&seen, x)?;
        let inner = self.up.forward(&x, Some(sizes.activation))?;
        self.down_norm.forward(&self.down.forward(&inner, None)?, &x)
    }
}

/// Places that a token of a text can have.
fn usable(sizes: &Sizes, padding: Option<i64>) -> usize {
    sizes.positions.saturating_sub(padding.map_or(0, |padding| padding as usize + 1))
}

/// The model on a device.
pub(crate) struct Bert {
    sizes: Sizes,
    /// The padding token's number, where places are counted from behind it.
    padding: Option<i64>,
    /// How many types of tokens there are, and whether the tokenizer says which.
    types: usize,
    given: bool,
    words: Tensor,
    /// Of each type and place, the places of the first type first: `[types * positions, width]`.
    places: Tensor,
    /// What attention adds to its scores: `[heads, positions, positions]`.
    relative: Option<Tensor>,
    norm: Norm,
    layers: Vec<Layer>,
}

impl Bert {
    /// Errors: those of a folder.
    pub(crate) fn load(weights: &Weights<'_>, sizes: Sizes, family: &Family) -> Result<Self> {
        let words = "embeddings.word_embeddings.weight";
        let weights = weights.behind(&["", family.prefix], words);
        let table =
            |name: &str, rows: usize| weights.tensor(&format!("embeddings.{name}.weight"), &[rows, sizes.width]);
        let mut places = table("position_embeddings", sizes.positions)?;
        let padding = match family.first {
            First::Zero => None,
            First::BehindPadding => Some(sizes.padding),
            First::Behind(number) => Some(number),
        };
        let relative = match family.relative {
            Some(name) => {
                let table = weights.tensor(name, &[relative::BUCKETS, sizes.heads])?;
                Some(relative::bias(places.device(), &table, usable(&sizes, padding))?)
            }
            None => None,
        };
        let types = match family.types {
            Types::Given => sizes.types,
            Types::First | Types::None => 1,
        };
        if family.types != Types::None {
            let all = table("token_type_embeddings", sizes.types)?.narrow(0, 0, types)?.unsqueeze(1)?;
            places = places.add(&all)?.reshape(&[types * sizes.positions, sizes.width])?;
        }
        Ok(Self {
            padding,
            relative,
            types,
            given: family.types == Types::Given,
            words: weights.tensor(words, &[sizes.vocabulary, sizes.width])?,
            places,
            norm: Norm::load(&weights, "embeddings.LayerNorm", &sizes)?,
            layers: (0..sizes.layers).map(|n| Layer::load(&weights, family, n, &sizes)).collect::<Result<_>>()?,
            sizes,
        })
    }
}

impl Encoder for Bert {
    fn places(&self, tokens: &Tokens) -> Result<Vec<i64>> {
        let (positions, types) = (self.sizes.positions as i64, self.types as i64);
        let mut next = 0..;
        let place = |(id, kind): (&i64, &i64)| {
            let kind = if self.given { *kind } else { 0 };
            let at = match self.padding {
                Some(padding) if *id == padding => padding,
                Some(padding) => padding + 1 + next.next().unwrap_or(0),
                None => next.next().unwrap_or(0),
            };
            match kind < types {
                true => Ok(kind * positions + at),
                false => Err(Error::Text(format!("a token is of type {kind}, the model knows {types} of them"))),
            }
        };
        tokens.ids.iter().zip(&tokens.types).map(place).collect()
    }

    fn forward(&self, batch: &Batch) -> Result<Tensor> {
        let (rows, tokens, width) = (batch.rows, batch.tokens, self.sizes.width);
        let words = self.words.index_select(0, &batch.ids)?;
        let mut x = self.norm.forward(&words, &self.places.index_select(0, &batch.places)?)?;
        let corner = |all: &Tensor| all.narrow(1, 0, tokens)?.narrow(2, 0, tokens)?.contiguous();
        let bias = self.relative.as_ref().map(corner).transpose()?;
        for layer in &self.layers {
            x = layer.forward(&x, batch, bias.as_ref(), &self.sizes)?;
        }
        Ok(x.reshape(&[rows, tokens, width])?)
    }

    fn width(&self) -> usize {
        self.sizes.width
    }

    fn positions(&self) -> usize {
        usable(&self.sizes, self.padding)
    }

    fn vocabulary(&self) -> usize {
        self.sizes.vocabulary
    }
}
