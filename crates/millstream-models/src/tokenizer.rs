//! Texts to token numbers, by the folder's `tokenizer.json`. Padding and cutting that the file asks for are left out: both are the caller's to decide.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use tokenizers::utils::truncation::truncate_encodings;
use tokenizers::{Encoding, PostProcessor, Tokenizer as Inner, TruncationParams};

use crate::batch::Tokens;
use crate::config::read_json;
use crate::encoder::Encoder;
use crate::error::{Error, Result};

/// What is tokenized: special tokens are added to each in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Pair,
}

pub(crate) struct Tokenizer {
    inner: Inner,
    path: PathBuf,
    /// Whether the model is told the types of tokens.
    types: bool,
}

/// `tokenizer_config.json`, as far as it says what a model is given.
#[derive(Deserialize)]
struct Given {
    model_input_names: Option<Vec<String>>,
}

fn refused(error: tokenizers::Error) -> Error {
    Error::Text(error.to_string())
}

impl Tokenizer {
    /// Errors: `Read`, `Damaged`.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(Error::read(&path))?;
        let mut inner = Inner::from_bytes(&bytes).map_err(|error| Error::damaged(&path, error.to_string()))?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| Error::damaged(&path, error.to_string()))?;
        let given = folder.join("tokenizer_config.json");
        let names = if given.exists() { read_json::<Given>(&given)?.model_input_names } else { None };
        let types = names.is_none_or(|names| names.iter().any(|name| name == "token_type_ids"));
        Ok(Self { inner, path, types })
    }

    /// Whether the encoder knows every token. Errors: `Damaged`.
    pub(crate) fn within(&self, encoder: &dyn Encoder) -> Result<()> {
        let most = self.inner.get_vocab(true).values().max().copied();
        match (most, encoder.vocabulary()) {
            (Some(most), known) if most as usize >= known => {
                let reason = format!("it has tokens up to number {most}, the model knows {known}");
                Err(Error::damaged(&self.path, reason))
            }
            _ => Ok(()),
        }
    }

    /// Most tokens: what is asked for, else what the folder says, as far as the encoder takes it. Errors: `Limit`.
    pub(crate) fn limit(
        &self,
        kind: Kind,
        encoder: &dyn Encoder,
        asked: Option<usize>,
        said: Option<usize>,
    ) -> Result<usize> {
        let (least, most) = (self.special(kind) + 1, encoder.positions());
        let limit = asked.unwrap_or(said.unwrap_or(most).min(most));
        match (least..=most).contains(&limit) {
            true => Ok(limit),
            false => Err(Error::Limit { asked: limit, least, most }),
        }
    }

    /// Special tokens of a text or a pair.
    fn special(&self, kind: Kind) -> usize {
        self.inner.get_post_processor().map_or(0, |processor| processor.added_tokens(kind == Kind::Pair))
    }

    /// The tokens of `text` with the special ones, `limit` at most. A longer text is an error, or with `cut` loses its end but keeps the special tokens. Errors: `TooLong`, `Text`.
    pub(crate) fn encode(&self, text: &str, limit: usize, cut: bool) -> Result<Tokens> {
        self.finish(self.plain(text)?, None, limit, cut)
    }

    /// The same of a pair; with `cut` the longer text loses its end first.
    pub(crate) fn encode_pair(&self, first: &str, second: &str, limit: usize, cut: bool) -> Result<Tokens> {
        self.finish(self.plain(first)?, Some(self.plain(second)?), limit, cut)
    }

    /// Without special tokens.
    fn plain(&self, text: &str) -> Result<Encoding> {
        self.inner.encode_fast(text, false).map_err(refused)
    }

    fn finish(&self, first: Encoding, second: Option<Encoding>, limit: usize, cut: bool) -> Result<Tokens> {
        let special = self.special(if second.is_some() { Kind::Pair } else { Kind::Text });
        let tokens = first.len() + second.as_ref().map_or(0, Encoding::len) + special;
        let (first, second) = match tokens > limit {
            true if !cut => return Err(Error::TooLong { tokens, limit }),
            true => {
                let params = TruncationParams { max_length: limit - special, ..TruncationParams::default() };
                truncate_encodings(first, second, &params).map_err(refused)?
            }
            false => (first, second),
        };
        let all = self.inner.post_process(first, second, true).map_err(refused)?;
        let ids: Vec<i64> = all.get_ids().iter().map(|id| i64::from(*id)).collect();
        if ids.is_empty() {
            return Err(Error::Text("it has no tokens, and no special ones are added".to_owned()));
        }
        let kind = |kind: &u32| if self.types { i64::from(*kind) } else { 0 };
        Ok(Tokens { ids, types: all.get_type_ids().iter().map(kind).collect() })
    }
}
