//! Texts to token numbers, by the folder's `tokenizer.json`. Padding and cutting that the file asks for are left out: both are the caller's to decide.

use std::path::Path;

use tokenizers::{PostProcessor, Tokenizer as Inner, TruncationDirection};

use crate::error::{Error, Result};

pub(crate) struct Tokenizer {
    inner: Inner,
}

impl Tokenizer {
    /// Errors: `Read`, `Damaged`.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(Error::read(&path))?;
        let mut inner = Inner::from_bytes(&bytes).map_err(|error| Error::damaged(&path, error.to_string()))?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| Error::damaged(&path, error.to_string()))?;
        Ok(Self { inner })
    }

    /// Numbers that it gives are below this.
    pub(crate) fn vocabulary(&self) -> usize {
        let all = self.inner.get_vocab(true);
        all.values().max().map_or(0, |id| *id as usize + 1)
    }

    /// Special tokens of one text.
    pub(crate) fn special(&self) -> usize {
        self.inner.get_post_processor().map_or(0, |processor| processor.added_tokens(false))
    }

    /// The tokens of `text` with the special ones, `limit` at most. A longer text is an error, or with `cut` loses its end but keeps the special tokens. Errors: `TooLong`, `Text`.
    pub(crate) fn encode(&self, text: &str, limit: usize, cut: bool) -> Result<Vec<i64>> {
        let refused = |error: tokenizers::Error| Error::Text(error.to_string());
        let mut encoding = self.inner.encode_fast(text, false).map_err(refused)?;
        let (tokens, special) = (encoding.len() + self.special(), self.special());
        if tokens > limit {
            if !cut {
                return Err(Error::TooLong { tokens, limit });
            }
            encoding.truncate(limit - special, 0, TruncationDirection::Right);
        }
        let encoding = self.inner.post_process(encoding, None, true).map_err(refused)?;
        let ids: Vec<i64> = encoding.get_ids().iter().map(|id| i64::from(*id)).collect();
        if ids.is_empty() {
            Err(Error::Text("it has no tokens, and no special ones are added".to_owned()))
        } else {
            Ok(ids)
        }
    }
}
