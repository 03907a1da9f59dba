//! What can go wrong around a round, by what the caller would do about it.
//!
//! A finding is not an error: it belongs to the round. Errors here are about files: a tree that is not one, a ledger
//! that is damaged or busy, a folder that cannot be written. Each knows the exit code of the command line.

use std::io;
use std::path::PathBuf;

use crate::ledger::LedgerError;

/// An error of the verification crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The ledger could not be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The folder named as the source is not inside a tree of this project.
    #[error(
        "{} is not in a millstream source tree (no crates/millstream-verify/Cargo.toml at or above it)",
        path.display()
    )]
    NotATree {
        /// The folder as given.
        path: PathBuf,
    },
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A report could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The text is not the JSON of a round.
    #[error("not the JSON of a round")]
    NotARound {
        /// Where and why the parser stopped.
        source: serde_json::Error,
    },
    /// The text is JSON of a round of another schema.
    #[error("the round has schema {found:?}, this binary reads {expected:?}")]
    Schema {
        /// The schema in the file.
        found: String,
        /// The schema of this binary.
        expected: &'static str,
    },
}

impl Error {
    /// The exit code of the command line for this error: 64 bad input, 65 damaged data, 70 internal, 73 cannot write,
    /// 75 busy.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Ledger(error) => error.exit_code(),
            Error::NotATree { .. } => 64,
            Error::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => 64,
            Error::Read { .. } => 70,
            Error::Write { .. } => 73,
            Error::NotARound { .. } | Error::Schema { .. } => 65,
        }
    }
}
