//! Reading the chain: every line against the one after it, and the end against the head.

use std::fs;
use std::io;
use std::path::Path;

use super::head::Head;
use super::line::line_sha256;
use super::{LedgerError, Line, ZEROS};

pub(super) const LEDGER: &str = "ledger.jsonl";

/// How often a reader starts over because a round is writing at the same moment.
const READ_AGAIN: usize = 100;

/// A ledger that was read and found sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// All lines, oldest first. Includes a line whose append was cut by a crash: it was intended, and its text is known.
    pub lines: Vec<Line>,
    /// Hash of the last line; zeros where there is none.
    pub head: String,
    /// True when the last append was cut by a crash and the next round will complete it.
    pub unfinished_append: bool,
}

impl Checked {
    /// Number of the last round; 0 in an empty ledger.
    pub fn last_n(&self) -> u64 {
        self.lines.last().map_or(0, |line| line.n)
    }
}

/// What is on disk: the lines as read, the head, and the part of the intended line that is still missing.
pub(super) struct OnDisk {
    pub checked: Checked,
    /// Bytes of the intended line and its newline that the ledger lacks; `None` where no append is open.
    pub missing: Option<Vec<u8>>,
}

/// Reads without a lock: again, while a writer moves the head meanwhile.
pub(super) fn read_settled(folder: &Path) -> Result<Checked, LedgerError> {
    settle(|| Head::read(folder), || read_ledger(folder))?
        // A writer that never rests is not damage.
        .ok_or_else(|| LedgerError::unreadable(&folder.join(LEDGER), io::ErrorKind::ResourceBusy.into()))
}

/// The ledger between two equal heads; `None` where the head never rests.
fn settle(
    mut head: impl FnMut() -> Result<Option<Head>, LedgerError>,
    mut ledger: impl FnMut() -> Result<Vec<u8>, LedgerError>,
) -> Result<Option<Checked>, LedgerError> {
    let mut before = head()?;
    for _ in 0..READ_AGAIN {
        let bytes = ledger()?;
        let after = head()?;
        if before == after {
            return Ok(Some(judge(&bytes, before)?.checked));
        }
        before = after;
    }
    Ok(None)
}

/// Reads under the lock of a round.
pub(super) fn read_locked(folder: &Path) -> Result<OnDisk, LedgerError> {
    judge(&read_ledger(folder)?, Head::read(folder)?)
}

fn read_ledger(folder: &Path) -> Result<Vec<u8>, LedgerError> {
    let path = folder.join(LEDGER);
    match fs::read(&path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(Vec::new()),
        Err(source) => Err(LedgerError::unreadable(&path, source)),
    }
}

/// Compares the bytes of the ledger with its head.
fn judge(bytes: &[u8], head: Option<Head>) -> Result<OnDisk, LedgerError> {
    let Some(head) = head else {
        if bytes.is_empty() {
            let checked = Checked { lines: Vec::new(), head: ZEROS.to_owned(), unfinished_append: false };
            return Ok(OnDisk { checked, missing: None });
        }
        return Err(LedgerError::damaged(count_lines(bytes), "ledger.head is missing"));
    };
    let Some(settled_end) = end_of_line(bytes, head.lines) else {
        // An edited newline also shortens the count: the first line that does not fit is named before the cut is.
        let found = follow_chain(bytes)?.0.len();
        let why = format!("the head counts {} lines, the ledger has {found}: its tail is cut", head.lines);
        return Err(LedgerError::damaged(found + 1, why));
    };
    let (settled, tail) = bytes.split_at(settled_end);
    let mut lines = read_chain(settled, &head)?;
    let Some(next) = &head.next else {
        if tail.is_empty() {
            let checked = Checked { lines, head: head.hash, unfinished_append: false };
            return Ok(OnDisk { checked, missing: None });
        }
        let why = format!("{} bytes follow the last line that the head knows", tail.len());
        return Err(LedgerError::damaged(lines.len() + 1, why));
    };
    let intended = [next.as_bytes(), b"\n"].concat();
    let Some(missing) = intended.strip_prefix(tail) else {
        let why = "what follows the last settled line is not the line that was being appended";
        return Err(LedgerError::damaged(lines.len() + 1, why));
    };
    let line = parse_line(next.as_bytes(), lines.len() + 1)?;
    if line.prev != head.hash {
        let why = "the line that was being appended does not follow the last settled line";
        return Err(LedgerError::damaged(lines.len() + 1, why));
    }
    lines.push(line);
    let checked = Checked { lines, head: line_sha256(next.as_bytes()), unfinished_append: true };
    Ok(OnDisk { checked, missing: Some(missing.to_vec()) })
}

/// Parses lines and follows the chain from its begin; gives the lines and the hash of the last.
fn follow_chain(text: &[u8]) -> Result<(Vec<Line>, String), LedgerError> {
    let mut lines: Vec<Line> = Vec::new();
    let mut hash = ZEROS.to_owned();
    for text in text.split_inclusive(|byte| *byte == b'\n') {
        let number = lines.len() + 1;
        let text = text.strip_suffix(b"\n").ok_or_else(|| LedgerError::damaged(number, "its end is cut"))?;
        let line = parse_line(text, number)?;
        if line.prev != hash {
            // The line before is the one whose bytes no longer give the hash that its successor recorded.
            let why = format!("line {number} records {} for it, its bytes give {hash}", line.prev);
            return Err(LedgerError::damaged(lines.len().max(1), why));
        }
        hash = line_sha256(text);
        lines.push(line);
    }
    Ok((lines, hash))
}

/// Follows the settled lines up to the head.
fn read_chain(settled: &[u8], head: &Head) -> Result<Vec<Line>, LedgerError> {
    let (lines, hash) = follow_chain(settled)?;
    let last_n = lines.last().map_or(0, |line| line.n);
    if hash != head.hash {
        let why = format!("the head records {} for it, its bytes give {hash}", head.hash);
        return Err(LedgerError::damaged(lines.len(), why));
    }
    if last_n != head.n {
        let why = format!("the head says N={}, the line says N={last_n}", head.n);
        return Err(LedgerError::damaged(lines.len(), why));
    }
    Ok(lines)
}

fn parse_line(text: &[u8], number: usize) -> Result<Line, LedgerError> {
    serde_json::from_slice(text)
        .map_err(|error| LedgerError::damaged(number, format!("not a line of a ledger: {error}")))
}

/// Lines that end with a newline, and one more for a half-written end.
fn count_lines(bytes: &[u8]) -> usize {
    bytes.split_inclusive(|byte| *byte == b'\n').count()
}

/// The offset after `lines` whole lines; `None` where there are fewer.
fn end_of_line(bytes: &[u8], lines: u64) -> Option<usize> {
    let mut end = 0;
    for _ in 0..lines {
        end += bytes[end..].iter().position(|byte| *byte == b'\n')? + 1;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::super::LineResult;
    use super::*;

    #[test]
    fn append_between_head_and_lines_is_read_again_and_no_accusation() {
        let line = Line { prev: ZEROS.to_owned(), n: 1, ..Line::new("2026-01-02", LineResult::Started) };
        let text = serde_json::to_string(&line).unwrap();
        let after = Head { n: 1, hash: line_sha256(text.as_bytes()), lines: 1, next: None };
        let mut heads = [Head::empty(), after.clone(), after].into_iter();
        let bytes = format!("{text}\n").into_bytes();
        let checked = settle(|| Ok(heads.next()), || Ok(bytes.clone())).unwrap().unwrap();
        assert_eq!(checked.lines, [line]);
    }
}
