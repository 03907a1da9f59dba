//! Which attempts a round runs.

use crate::attempts::{ATTEMPTS, Entry, named};
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

    /// The attempts, each once, in the order they run. Errors: [`Error::UnknownAttempt`].
    pub fn entries(&self) -> Result<Vec<&'static Entry>> {
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
