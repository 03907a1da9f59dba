#![doc = include_str!("README.md")]

mod chain;
mod error;
mod head;
mod line;
mod round_lock;
mod why;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use chain::Checked;
pub use error::LedgerError;
pub use line::{Counts, Line, LineResult};
pub use round_lock::{RoundLock, Written};
pub use why::Why;

/// Hash before the first line.
pub const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// How long a second writer waits for the first.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// A folder with a ledger, or without one yet.
#[derive(Clone, Debug)]
pub struct Ledger {
    folder: PathBuf,
}

impl Ledger {
    /// The ledger in `folder`. Nothing is read, created or locked.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Ledger { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads and checks the whole ledger. An absent one is empty and sound. Takes no lock: a round may be running.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`] with the first line that is not as it was written; [`LedgerError::Io`].
    pub fn check(&self) -> Result<Checked, LedgerError> {
        chain::read_settled(&self.folder)
    }

    /// All lines, oldest first, after the same check.
    ///
    /// # Errors
    /// As [`Ledger::check`].
    pub fn list(&self) -> Result<Vec<Line>, LedgerError> {
        Ok(self.check()?.lines)
    }

    /// What round `n` was and what it does to the streak.
    ///
    /// # Errors
    /// [`LedgerError::NoSuchRound`], and as [`Ledger::check`].
    pub fn why(&self, n: u64) -> Result<Why, LedgerError> {
        why::explain(&self.list()?, n)
    }

    /// Takes the lock of the folder for one round, creates the folder where needed, and checks the ledger. Blocks up
    /// to [`LOCK_PATIENCE`].
    ///
    /// # Errors
    /// [`LedgerError::Busy`] when another round holds the lock all that time, [`LedgerError::Damaged`] when the ledger
    /// is not as it was written (nothing is changed), [`LedgerError::Unwritable`].
    pub fn lock_round(&self) -> Result<RoundLock, LedgerError> {
        self.lock_round_within(LOCK_PATIENCE)
    }

    /// [`Ledger::lock_round`] with another patience.
    ///
    /// # Errors
    /// As [`Ledger::lock_round`].
    pub fn lock_round_within(&self, patience: Duration) -> Result<RoundLock, LedgerError> {
        fs::create_dir_all(&self.folder).map_err(|source| LedgerError::unwritable(&self.folder, source))?;
        RoundLock::take(&self.folder, patience)
    }
}
