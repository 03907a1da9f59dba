//! The layout of a model folder: which modules follow each other, by `modules.json` of sentence-transformers where there is one, and what the other small files say.

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

/// An entry of `modules.json`.
#[derive(Deserialize)]
pub(crate) struct Module {
    pub(crate) path: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

impl Module {
    /// Its last name: `sentence_transformers.models.Pooling`, and deeper since version 5.
    fn name(&self) -> &str {
        self.kind.rsplit('.').next().unwrap_or_default()
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.name() == name
    }
}

/// Most tokens of a text, if a folder says it. A tokenizer without a limit says so by a number that no text reaches.
pub(crate) fn tokens_max(folder: &Path) -> Result<Option<usize>> {
    let path = folder.join("sentence_bert_config.json");
    let asked = if path.exists() { read_json::<SentenceBert>(&path)?.max_seq_length } else { None };
    let path = folder.join("tokenizer_config.json");
    match asked {
        None if path.exists() => Ok(read_json::<TokenizerConfig>(&path)?.model_max_length.map(|most| most as usize)),
        asked => Ok(asked),
    }
}

#[derive(Deserialize)]
struct TokenizerConfig {
    model_max_length: Option<f64>,
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
                match (place, module.name()) {
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
        layout.tokens_max = tokens_max(&layout.encoder)?;
        Ok(layout)
    }
}
