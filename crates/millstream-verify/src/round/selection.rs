//! Which attempts a round runs.

use crate::attempts::{ATTEMPTS, Entry, named, of_model};
use crate::model_folder::ModelFolder;
use crate::{Error, Result};

/// Attempts by choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// The three of the first report.
    #[default]
    Default,
    /// Every one.
    All,
    /// These, by id; such a round is not written to the ledger.
    Named(Vec<String>),
}

impl Selection {
    /// Whether a round of it belongs in the ledger.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        !matches!(self, Selection::Named(_))
    }

    /// The attempts, each once, in the order they run: that on the user's model comes last, if and only if there is a model. Errors: [`Error::UnknownAttempt`], [`Error::NoModel`].
    pub fn entries(&self, model: Option<&ModelFolder>) -> Result<Vec<&'static Entry>> {
        let mut entries = self.of_the_runtime()?;
        match (model, of_model()) {
            (Some(_), of_model) => entries.extend(of_model),
            (None, Some(entry)) if matches!(self, Selection::Named(ids) if ids.iter().any(|id| id == entry.id)) => {
                return Err(Error::NoModel { id: entry.id });
            }
            (None, _) => {}
        }
        Ok(entries)
    }

    fn of_the_runtime(&self) -> Result<Vec<&'static Entry>> {
        if let Selection::Named(ids) = self {
            if let Some(id) = ids.iter().find(|id| named(id).is_none()) {
                let known: Vec<&str> = ATTEMPTS.iter().map(|entry| entry.id).collect();
                return Err(Error::UnknownAttempt { id: id.clone(), known: known.join(", ") });
            }
            return Ok(ATTEMPTS.iter().filter(|entry| ids.iter().any(|id| id == entry.id)).collect());
        }
        Ok(ATTEMPTS.iter().filter(|entry| *self == Selection::All || entry.default).collect())
    }
}

#[cfg(all(test, feature = "models"))]
mod tests {
    use super::*;

    #[test]
    fn the_attempt_on_a_model_runs_with_a_model_and_only_then() {
        let model = ModelFolder { path: "m".into(), sha256: String::new() };
        let ids = |selection: &Selection, model: Option<&ModelFolder>| -> Vec<&str> {
            selection.entries(model).unwrap().iter().map(|entry| entry.id).collect()
        };
        for selection in [Selection::Default, Selection::All, Selection::Named(vec!["events".to_owned()])] {
            let without = ids(&selection, None);
            assert!(!without.contains(&"model"), "{selection:?}");
            assert_eq!(ids(&selection, Some(&model)), [&without[..], &["model"]].concat(), "{selection:?}");
        }
        let alone = Selection::Named(vec!["model".to_owned()]);
        assert_eq!(ids(&alone, Some(&model)), ["model"]);
        assert_eq!(alone.entries(None).err().map(|error| error.exit_code()), Some(64));
    }
}
