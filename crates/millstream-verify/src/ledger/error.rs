//! What can be wrong with a ledger, by what the caller would do.

use std::io;
use std::path::{Path, PathBuf};

/// An error of the ledger.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The ledger is not as it was written. It is left exactly as it is.
    #[error("the ledger is damaged at line {line}: {why}; nothing was changed")]
    Damaged {
        /// First line in question, from 1; one past the end where the tail is missing.
        line: u64,
        /// What does not fit.
        why: String,
    },
    /// Another round holds the lock.
    #[error("another round holds {} (waited {waited_s:.1} s)", path.display())]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// Seconds waited.
        waited_s: f64,
    },
    /// The folder or a file in it cannot be written.
    #[error("cannot write {}", path.display())]
    Unwritable {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the ledger cannot be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The ledger has no such round.
    #[error("the ledger has no round N={n}{}", match last { Some(last) => format!("; the last is N={last}"), None => "; it is empty".to_owned() })]
    NoSuchRound {
        /// The number asked for.
        n: u64,
        /// The last number in the ledger.
        last: Option<u64>,
    },
}

impl LedgerError {
    /// The exit code of the command line: 64 no such round, 65 damaged, 70 unreadable, 73 cannot write, 75 busy.
    pub fn exit_code(&self) -> u8 {
        match self {
            LedgerError::Damaged { .. } => 65,
            LedgerError::Busy { .. } => 75,
            LedgerError::Unwritable { .. } => 73,
            LedgerError::Io { .. } => 70,
            LedgerError::NoSuchRound { .. } => 64,
        }
    }

    pub(super) fn damaged(line: usize, why: impl Into<String>) -> Self {
        LedgerError::Damaged { line: line as u64, why: why.into() }
    }

    pub(super) fn unwritable(path: &Path, source: io::Error) -> Self {
        LedgerError::Unwritable { path: path.to_path_buf(), source }
    }

    pub(super) fn unreadable(path: &Path, source: io::Error) -> Self {
        LedgerError::Io { path: path.to_path_buf(), source }
    }
}
