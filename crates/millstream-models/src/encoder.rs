//! Encoders by the name of their architecture.

use std::path::Path;

use millstream_runtime::Device;
use millstream_tensor::Tensor;

use crate::batch::{Batch, Tokens};
use crate::bert::Bert;
use crate::config::{Named, Sizes, read_json};
use crate::error::{Error, Result};
use crate::family::{BERT, DISTILBERT, Family, MPNET, ROBERTA};
use crate::head::Head;
use crate::weights::Weights;

/// What turns tokens into states.
pub(crate) trait Encoder: Send + Sync {
    /// For each token the number under which `forward` looks up where it stands. Errors: `Text`, for a type of tokens that the model does not know.
    fn places(&self, tokens: &Tokens) -> Result<Vec<i64>>;

    /// The last states, `[rows, tokens, width]`. Enqueues; does not wait.
    fn forward(&self, batch: &Batch) -> Result<Tensor>;

    /// Size of a state.
    fn width(&self) -> usize;

    /// Most tokens of a row.
    fn positions(&self) -> usize;

    /// Tokens that it knows: numbers below this.
    fn vocabulary(&self) -> usize;
}

/// Architectures of one kind, as `config.json` names them.
struct Table<const N: usize> {
    all: [(&'static str, &'static Family); N],
    /// The names in one line.
    names: &'static str,
}

static ENCODERS: Table<5> = Table {
    all: [
        ("BertModel", &BERT),
        ("RobertaModel", &ROBERTA),
        ("XLMRobertaModel", &ROBERTA),
        ("MPNetModel", &MPNET),
        ("DistilBertModel", &DISTILBERT),
    ],
    names: "BertModel, RobertaModel, XLMRobertaModel, MPNetModel, DistilBertModel",
};
static CROSS_ENCODERS: Table<5> = Table {
    all: [
        ("BertForSequenceClassification", &BERT),
        ("RobertaForSequenceClassification", &ROBERTA),
        ("XLMRobertaForSequenceClassification", &ROBERTA),
        ("MPNetForSequenceClassification", &MPNET),
        ("DistilBertForSequenceClassification", &DISTILBERT),
    ],
    names: "BertForSequenceClassification, RobertaForSequenceClassification, XLMRobertaForSequenceClassification, \
            MPNetForSequenceClassification, DistilBertForSequenceClassification",
};

impl<const N: usize> Table<N> {
    /// The first architecture of `config.json` that is here. Errors: `Read`, `Damaged`, `Architecture`.
    fn find(&self, folder: &Path) -> Result<&'static Family> {
        let path = folder.join("config.json");
        let named: Named = read_json(&path)?;
        let known = |name: &String| self.all.iter().find(|(known, _)| known == name);
        match named.architectures.iter().find_map(known) {
            Some((_, family)) => Ok(family),
            None => {
                let all = named.architectures.join(", ");
                let found = if all.is_empty() { "none".to_owned() } else { all };
                Err(Error::Architecture { path, found, supported: self.names })
            }
        }
    }
}

/// The encoder in `folder`. Errors: those of a folder.
pub(crate) fn load(device: &Device, folder: &Path) -> Result<Box<dyn Encoder>> {
    let family = ENCODERS.find(folder)?;
    let sizes = Sizes::read(&folder.join("config.json"))?;
    let weights = Weights::open(device, &folder.join("model.safetensors"))?;
    Ok(Box::new(Bert::load(&weights, sizes, family)?))
}

/// The cross-encoder in `folder`. Errors: those of a folder.
pub(crate) fn load_cross(device: &Device, folder: &Path) -> Result<(Box<dyn Encoder>, Head)> {
    let family = CROSS_ENCODERS.find(folder)?;
    let sizes = Sizes::read(&folder.join("config.json"))?;
    let weights = Weights::open(device, &folder.join("model.safetensors"))?;
    let head = Head::load(&weights, &family.head, sizes.width)?;
    Ok((Box::new(Bert::load(&weights, sizes, family)?), head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_in_a_message_are_those_of_the_table() {
        fn same<const N: usize>(table: &Table<N>) {
            assert_eq!(table.all.map(|(name, _)| name).join(", "), table.names);
        }
        same(&ENCODERS);
        same(&CROSS_ENCODERS);
    }
}
