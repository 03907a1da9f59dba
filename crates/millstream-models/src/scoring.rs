//! What the folder of a cross-encoder says besides its weights: where they are, how many labels there are, and how the one number becomes a score.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::read_json;
use crate::error::{Error, Result};
use crate::folder::{Module, tokens_max};

/// How the number that a cross-encoder gives becomes a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `1 / (1 + exp(-x))`: between 0 and 1.
    Sigmoid,
    /// The number itself.
    Identity,
}

impl Activation {
    /// The score of `x`.
    pub(crate) fn of(self, x: f32) -> f32 {
        match self {
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Identity => x,
        }
    }

    /// By the name of a class of PyTorch.
    fn named(path: &Path, name: &str) -> Result<Self> {
        match name {
            "torch.nn.modules.activation.Sigmoid" | "torch.nn.Sigmoid" => Ok(Self::Sigmoid),
            "torch.nn.modules.linear.Identity" | "torch.nn.Identity" => Ok(Self::Identity),
            _ => {
                let (what, supported) = ("activation of the score", "torch.nn.Sigmoid, torch.nn.Identity");
                Err(Error::Unsupported { path: path.to_owned(), what, found: name.to_owned(), supported })
            }
        }
    }
}

/// What a folder says.
pub(crate) struct Scoring {
    /// Folder of configuration, weights and tokenizer.
    pub(crate) encoder: PathBuf,
    /// Most tokens of a pair, if the folder says it.
    pub(crate) tokens_max: Option<usize>,
    pub(crate) activation: Activation,
}

/// `config_sentence_transformers.json`.
#[derive(Deserialize)]
struct SentenceTransformers {
    activation_fn: Option<String>,
}

/// `config.json`, as far as it speaks of labels and scores.
#[derive(Deserialize)]
struct Labels {
    id2label: Option<BTreeMap<String, serde_json::Value>>,
    num_labels: Option<usize>,
    sentence_transformers: Option<SentenceTransformers>,
    sbert_ce_default_activation_function: Option<String>,
}

impl Scoring {
    /// Errors: `Read`, `Damaged`, `Unsupported`.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        std::fs::read_dir(folder).map_err(Error::read(folder))?;
        let mut encoder = folder.to_owned();
        let path = folder.join("modules.json");
        if path.exists() {
            let modules: Vec<Module> = read_json(&path)?;
            match &modules[..] {
                [only] if only.is("Transformer") => encoder = folder.join(&only.path),
                _ => {
                    let found = modules.into_iter().map(|module| module.kind).collect::<Vec<_>>().join(", ");
                    let supported = "Transformer alone, for a cross-encoder";
                    return Err(Error::Unsupported { path, what: "modules", found, supported });
                }
            }
        }
        let path = encoder.join("config.json");
        let labels: Labels = read_json(&path)?;
        // What transformers takes where nothing is said.
        let count = labels.num_labels.or(labels.id2label.map(|all| all.len())).unwrap_or(2);
        if count != 1 {
            let (what, found) = ("a number of labels of", count.to_string());
            return Err(Error::Unsupported { path, what, found, supported: "1" });
        }
        // The order of sentence-transformers: its own file, then what earlier versions wrote.
        let own = folder.join("config_sentence_transformers.json");
        let own =
            if own.exists() { (read_json::<SentenceTransformers>(&own)?.activation_fn, own) } else { (None, own) };
        let name = match own {
            (Some(name), path) => Some((name, path)),
            (None, _) => labels
                .sentence_transformers
                .and_then(|all| all.activation_fn)
                .or(labels.sbert_ce_default_activation_function)
                .map(|name| (name, path)),
        };
        let activation = match name {
            Some((name, path)) => Activation::named(&path, &name)?,
            None => Activation::Sigmoid,
        };
        Ok(Self { tokens_max: tokens_max(&encoder)?, encoder, activation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_of_the_sigmoid_is_between_0_and_1_whatever_the_number() {
        for (x, wanted) in [(0.0, 0.5), (1.0, 0.731_058_6), (-200.0, 0.0), (200.0, 1.0), (f32::NEG_INFINITY, 0.0)] {
            let found = Activation::Sigmoid.of(x);
            assert!((found - wanted).abs() < 1e-7, "{x} gives {found}");
        }
        assert_eq!(Activation::Identity.of(-7.5), -7.5);
    }
}
