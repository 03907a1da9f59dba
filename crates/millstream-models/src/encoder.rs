//! Encoders by the name of their architecture.

use std::path::Path;

use millstream_runtime::Device;
use millstream_tensor::Tensor;

use crate::bert::Bert;
use crate::config::{Named, read_json};
use crate::error::{Error, Result};

/// Token numbers in rows of equal length, and which of them are padding.
pub(crate) struct Batch {
    /// i64, `[rows * tokens]`.
    pub(crate) ids: Tensor,
    pub(crate) rows: usize,
    pub(crate) tokens: usize,
    /// bool `[rows, tokens]`, false where a row is filled up; none when no row is.
    pub(crate) mask: Option<Tensor>,
}

/// What turns tokens into states.
pub(crate) trait Encoder: Send + Sync {
    /// The last states, `[rows, tokens, width]`. Enqueues; does not wait.
    fn forward(&self, batch: &Batch) -> Result<Tensor>;

    /// Size of a state.
    fn width(&self) -> usize;

    /// Most tokens of a row.
    fn positions(&self) -> usize;

    /// Tokens that it knows: numbers below this.
    fn vocabulary(&self) -> usize;
}

type Load = fn(&Device, &Path) -> Result<Box<dyn Encoder>>;

/// Every architecture, as `config.json` names it.
const ALL: [(&str, Load); 1] = [("BertModel", |device, folder| Ok(Box::new(Bert::load(device, folder)?)))];
const NAMES: &str = "BertModel";

/// The encoder in `folder`. Errors: those of a folder.
pub(crate) fn load(device: &Device, folder: &Path) -> Result<Box<dyn Encoder>> {
    let path = folder.join("config.json");
    let named: Named = read_json(&path)?;
    let known = |name: &String| ALL.iter().find(|(known, _)| known == name);
    match named.architectures.iter().find_map(known) {
        Some((_, load)) => load(device, folder),
        None => {
            let found = if named.architectures.is_empty() { "none".to_owned() } else { named.architectures.join(", ") };
            Err(Error::Architecture { path, found, supported: NAMES })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_in_the_message_are_those_of_the_table() {
        assert_eq!(ALL.map(|(name, _)| name).join(", "), NAMES);
    }
}
