//! The right to append: the lock of the folder, held for one round.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::chain::{Checked, LEDGER, read_locked};
use super::head::Head;
use super::line::line_sha256;
use super::{LedgerError, Line, LineResult};
use crate::model::LedgerLink;

const LOCK: &str = "ledger.lock";
const POLL: Duration = Duration::from_millis(50);

/// The lock of one round. Dropping it without [`RoundLock::finish`] leaves a started round without a result, which
/// counts as incomplete.
#[derive(Debug)]
pub struct RoundLock {
    folder: PathBuf,
    checked: Checked,
    /// Number of the round once started.
    started: Option<u64>,
    /// True after an append that failed half-way: another line would not fit the intent that is on disk.
    append_failed: bool,
    /// Held open: the system releases the lock with it.
    _lock: File,
}

/// What an append left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Number of the round.
    pub n: u64,
    /// Hash of the line before.
    pub prev: String,
    /// Hash of the line: the head.
    pub line_sha256: String,
    /// Lines in the ledger now.
    pub lines: u64,
}

impl From<Written> for LedgerLink {
    fn from(written: Written) -> Self {
        LedgerLink { prev: written.prev, line_sha256: written.line_sha256, lines: written.lines }
    }
}

impl RoundLock {
    pub(super) fn take(folder: &Path, patience: Duration) -> Result<Self, LedgerError> {
        let lock = lock_file(folder, patience)?;
        let on_disk = read_locked(folder)?;
        let mut checked = on_disk.checked;
        if let Some(missing) = on_disk.missing {
            append(folder, &missing)?;
            settle(folder, &checked)?;
            checked.unfinished_append = false;
        }
        Ok(RoundLock { folder: folder.to_path_buf(), checked, started: None, append_failed: false, _lock: lock })
    }

    /// The number of this round: last + 1.
    pub fn n(&self) -> u64 {
        self.started.unwrap_or_else(|| self.checked.last_n() + 1)
    }

    /// All lines so far, oldest first.
    pub fn lines(&self) -> &[Line] {
        &self.checked.lines
    }

    /// Appends the `STARTED` line of this round. Number, result and `prev` of `line` are set here.
    ///
    /// # Errors
    /// [`LedgerError::Unwritable`]. The number is used up where the line reached the disk.
    ///
    /// # Panics
    /// When the round was started before: one lock is one round.
    pub fn start(&mut self, mut line: Line) -> Result<Written, LedgerError> {
        assert!(self.started.is_none(), "one lock is one round");
        line.n = self.n();
        line.result = LineResult::Started;
        let written = self.append_line(line)?;
        self.started = Some(written.n);
        Ok(written)
    }

    /// Appends the result of this round. Number and `prev` of `line` are set here. The lock stays until drop, so that
    /// reports can be written under it.
    ///
    /// # Errors
    /// [`LedgerError::Unwritable`].
    ///
    /// # Panics
    /// When the round was not started, or `line` is no result.
    pub fn finish(&mut self, mut line: Line) -> Result<Written, LedgerError> {
        assert!(line.result != LineResult::Started, "a result is not a start");
        let Some(n) = self.started else {
            panic!("a round ends after its start");
        };
        assert!(
            self.checked.lines.last().is_some_and(|last| last.result == LineResult::Started),
            "a round has one result"
        );
        line.n = n;
        self.append_line(line)
    }

    /// What [`RoundLock::finish`] will leave behind for this very line, with the line as it will be. Nothing is written: a
    /// report that carries the head is complete before the line claims the result.
    ///
    /// # Errors
    /// [`LedgerError::Unwritable`] when the line has no JSON, which no field of it can cause.
    pub fn foresee(&self, mut line: Line) -> Result<(Line, Written), LedgerError> {
        line.n = self.n();
        line.prev = self.checked.head.clone();
        let text = serde_json::to_string(&line)
            .map_err(|error| LedgerError::unwritable(&self.folder.join(LEDGER), io::Error::other(error)))?;
        let written = Written {
            n: line.n,
            prev: line.prev.clone(),
            line_sha256: line_sha256(text.as_bytes()),
            lines: self.checked.lines.len() as u64 + 1,
        };
        Ok((line, written))
    }

    /// Intent, line, head: see the module's page.
    fn append_line(&mut self, mut line: Line) -> Result<Written, LedgerError> {
        if self.append_failed {
            let source = io::Error::other("an append failed before; the next round completes it");
            return Err(LedgerError::unwritable(&self.folder.join(LEDGER), source));
        }
        line.prev = self.checked.head.clone();
        let text = serde_json::to_string(&line)
            .map_err(|error| LedgerError::unwritable(&self.folder.join(LEDGER), io::Error::other(error)))?;
        let intent = Head { next: Some(text.clone()), ..head_of(&self.checked) };
        self.append_failed = true;
        intent.write(&self.folder)?;
        append(&self.folder, format!("{text}\n").as_bytes())?;
        let written = Written {
            n: line.n,
            prev: line.prev.clone(),
            line_sha256: line_sha256(text.as_bytes()),
            lines: self.checked.lines.len() as u64 + 1,
        };
        self.checked.lines.push(line);
        self.checked.head = written.line_sha256.clone();
        settle(&self.folder, &self.checked)?;
        self.append_failed = false;
        Ok(written)
    }
}

fn head_of(checked: &Checked) -> Head {
    if checked.lines.is_empty() {
        return Head::empty();
    }
    Head { n: checked.last_n(), hash: checked.head.clone(), lines: checked.lines.len() as u64, next: None }
}

fn settle(folder: &Path, checked: &Checked) -> Result<(), LedgerError> {
    head_of(checked).write(folder)
}

fn append(folder: &Path, bytes: &[u8]) -> Result<(), LedgerError> {
    let path = folder.join(LEDGER);
    let attempt = || -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    attempt().map_err(|source| LedgerError::unwritable(&path, source))
}

/// Waits for the lock, up to `patience`.
fn lock_file(folder: &Path, patience: Duration) -> Result<File, LedgerError> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|source| LedgerError::unwritable(&path, source))?;
    let begin = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begin.elapsed() < patience => {
                thread::sleep(POLL.min(patience));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(LedgerError::Busy { path, waited_s: begin.elapsed().as_secs_f64() });
            }
            Err(TryLockError::Error(source)) => return Err(LedgerError::unwritable(&path, source)),
        }
    }
}
