//! `config.json`: what kind of model, and its sizes.

use std::path::{Path, PathBuf};

use millstream_hal::UnaryOp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// A JSON file of a model folder. Errors: `Read`, `Damaged`.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).map_err(Error::read(path))?;
    serde_json::from_slice(&bytes).map_err(|error| Error::damaged(path, error.to_string()))
}

/// Which architecture a configuration names.
#[derive(Deserialize)]
pub(crate) struct Named {
    #[serde(default)]
    pub(crate) architectures: Vec<String>,
}

#[derive(Deserialize)]
struct Raw {
    vocab_size: usize,
    // DistilBERT has names of its own.
    #[serde(alias = "dim")]
    hidden_size: usize,
    #[serde(alias = "n_layers")]
    num_hidden_layers: usize,
    #[serde(alias = "n_heads")]
    num_attention_heads: usize,
    #[serde(alias = "hidden_dim")]
    intermediate_size: usize,
    max_position_embeddings: usize,
    pad_token_id: Option<u32>,
    #[serde(default = "two")]
    type_vocab_size: usize,
    #[serde(default = "small")]
    layer_norm_eps: f32,
    #[serde(default = "gelu", alias = "activation")]
    hidden_act: String,
    position_embedding_type: Option<String>,
}

fn two() -> usize {
    2
}

fn small() -> f32 {
    1e-12
}

fn gelu() -> String {
    "gelu".to_owned()
}

/// The sizes of an encoder of the BERT family, checked.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    pub(crate) vocabulary: usize,
    pub(crate) width: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) inner: usize,
    pub(crate) positions: usize,
    pub(crate) types: usize,
    /// Number of the padding token; 1 where none is named, as RoBERTa has it.
    pub(crate) padding: i64,
    pub(crate) epsilon: f32,
    pub(crate) activation: UnaryOp,
}

/// Widest head that the operation takes.
const HEAD_MAX: usize = millstream_hal::Kernel::HEAD_MAX;

impl Sizes {
    /// Errors: `Read`, `Damaged`, `Unsupported`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let raw: Raw = read_json(path)?;
        let unsupported =
            |what, found: String, supported| Error::Unsupported { path: PathBuf::from(path), what, found, supported };
        let activation = match raw.hidden_act.as_str() {
            "gelu" => UnaryOp::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" => UnaryOp::GeluTanh,
            "relu" => UnaryOp::Relu,
            _ => return Err(unsupported("activation", raw.hidden_act, "gelu, gelu_new, gelu_pytorch_tanh, relu")),
        };
        if let Some(kind) = raw.position_embedding_type.filter(|kind| kind != "absolute") {
            return Err(unsupported("position embedding", kind, "absolute"));
        }
        let sizes = [
            ("vocab_size", raw.vocab_size),
            ("hidden_size", raw.hidden_size),
            ("num_attention_heads", raw.num_attention_heads),
            ("intermediate_size", raw.intermediate_size),
            ("max_position_embeddings", raw.max_position_embeddings),
            ("type_vocab_size", raw.type_vocab_size),
        ];
        if let Some((name, size)) = sizes.into_iter().find(|(_, size)| *size == 0 || *size > u32::MAX as usize) {
            return Err(Error::damaged(path, format!("{name} is {size}")));
        }
        let (width, heads) = (raw.hidden_size, raw.num_attention_heads);
        if !width.is_multiple_of(heads) {
            return Err(Error::damaged(path, format!("hidden_size {width} in {heads} heads")));
        }
        if width / heads > HEAD_MAX {
            return Err(unsupported("a head of size", (width / heads).to_string(), "128 at most"));
        }
        Ok(Self {
            vocabulary: raw.vocab_size,
            width,
            layers: raw.num_hidden_layers,
            heads,
            inner: raw.intermediate_size,
            positions: raw.max_position_embeddings,
            types: raw.type_vocab_size,
            padding: i64::from(raw.pad_token_id.unwrap_or(1)),
            epsilon: raw.layer_norm_eps,
            activation,
        })
    }
}
