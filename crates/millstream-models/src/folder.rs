//! The layout of a model folder: which modules follow each other, by `modules.json` of sentence-transformers where there is one.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::read_json;
use crate::error::{Error, Result};
use crate::pooling::Pooling;

/// What a folder says about the way from a text to its vector.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Folder of configuration, weights and tokenizer.
    pub(crate) encoder: PathBuf,
    pub(crate) pooling: Pooling,
    /// Whether vectors get length 1.
    pub(crate) normalise: bool,
    /// Most tokens of a text, if the folder says it.
    pub(crate) tokens_max: Option<usize>,
}

#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct SentenceBert {
    max_seq_length: Option<usize>,
}

impl Layout {
    /// Errors: `Read`, `Damaged`, `Unsupported`.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        std::fs::read_dir(folder).map_err(Error::read(folder))?;
        let path = folder.join("modules.json");
        // Without modules: the mean of the states, as sentence-transformers takes such a folder.
        let mut layout =
            Self { encoder: folder.to_owned(), pooling: Pooling::Mean, normalise: false, tokens_max: None };
        if path.exists() {
            let modules: Vec<Module> = read_json(&path)?;
            for (place, module) in modules.iter().enumerate() {
                // `sentence_transformers.models.Pooling`, and deeper since version 5.
                match (place, module.kind.rsplit('.').next().unwrap_or_default()) {
                    (0, "Transformer") => layout.encoder = folder.join(&module.path),
                    (1, "Pooling") => {
                        layout.pooling = Pooling::read(&folder.join(&module.path).join("config.json"))?;
                    }
                    (2, "Normalize") => layout.normalise = true,
                    _ => {
                        let found = format!("{} at place {place}", module.kind);
                        let supported = "Transformer, Pooling, Normalize, in this order";
                        return Err(Error::Unsupported { path, what: "module", found, supported });
                    }
                }
            }
        }
        let path = layout.encoder.join("sentence_bert_config.json");
        if path.exists() {
            layout.tokens_max = read_json::<SentenceBert>(&path)?.max_seq_length;
        }
        Ok(layout)
    }
}
