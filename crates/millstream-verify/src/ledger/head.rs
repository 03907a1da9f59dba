//! The head file: where the ledger ends, and which line is being appended.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{LedgerError, ZEROS};

const HEAD: &str = "ledger.head";
const HEAD_NEW: &str = "ledger.head.new";

/// The end of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// Number of the last round.
    pub n: u64,
    /// Hash of the last line.
    pub hash: String,
    /// Number of lines.
    pub lines: u64,
    /// The line that is being appended, without its newline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Head {
    pub(super) fn empty() -> Self {
        Head { n: 0, hash: ZEROS.to_owned(), lines: 0, next: None }
    }

    /// The head in `folder`; `None` where there is no such file.
    pub(super) fn read(folder: &Path) -> Result<Option<Head>, LedgerError> {
        let path = folder.join(HEAD);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(None),
            Err(source) => return Err(LedgerError::unreadable(&path, source)),
        };
        let head = serde_json::from_slice(&text)
            .map_err(|error| LedgerError::damaged(0, format!("ledger.head is not readable: {error}")))?;
        Ok(Some(head))
    }

    /// Replaces the head atomically and durably.
    pub(super) fn write(&self, folder: &Path) -> Result<(), LedgerError> {
        let new = folder.join(HEAD_NEW);
        let attempt = || -> io::Result<()> {
            let mut text = serde_json::to_vec(self)?;
            text.push(b'\n');
            let mut file = File::create(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, folder.join(HEAD))?;
            sync_folder(folder)
        };
        attempt().map_err(|source| LedgerError::unwritable(&folder.join(HEAD), source))
    }
}

/// Makes a rename or a new file in `folder` durable, where the system can.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
