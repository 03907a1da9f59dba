//! The round as JSON, and back for `--replay`.

use crate::model::{Round, SCHEMA};
use crate::{Error, Result};

/// The round as JSON for a file: indented, with a newline at its end.
///
/// # Errors
/// [`Error::NotARound`] when a value has no JSON, which no field of a round can cause.
pub fn json(round: &Round) -> Result<String> {
    let text = serde_json::to_string_pretty(round).map_err(|source| Error::NotARound { source })?;
    Ok(text + "\n")
}

/// The round as one line of JSON without a newline, for `--json`.
///
/// # Errors
/// As [`json`].
pub fn json_line(round: &Round) -> Result<String> {
    serde_json::to_string(round).map_err(|source| Error::NotARound { source })
}

/// Reads a round back. Unknown keys are ignored.
///
/// # Errors
/// [`Error::Schema`] for another schema, [`Error::NotARound`] with the place for anything else.
pub fn from_json(text: &str) -> Result<Round> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|source| Error::NotARound { source })?;
    if let Some(found) = value.get("schema").and_then(|schema| schema.as_str())
        && found != SCHEMA
    {
        return Err(Error::Schema { found: found.to_owned(), expected: SCHEMA });
    }
    // From the text again: an error then has its line and column.
    serde_json::from_str(text).map_err(|source| Error::NotARound { source })
}
