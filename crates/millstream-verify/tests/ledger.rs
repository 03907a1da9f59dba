//! The ledger under damage, crashes and two writers.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use millstream_verify::ledger::{Ledger, LedgerError, Line, LineResult, ZEROS};
use millstream_verify::model::RoundResult;
use tempfile::TempDir;

const LEDGER: &str = "ledger.jsonl";
const HEAD: &str = "ledger.head";

fn add_round(folder: &Path, result: &RoundResult) -> u64 {
    let mut lock = Ledger::at(folder).lock_round().unwrap();
    lock.start(Line::new("2026-01-02", LineResult::Started)).unwrap();
    lock.finish(Line::of_result("2026-01-02", result)).unwrap().n
}

fn three_rounds() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (n, result) in
        [(1, RoundResult::Clean), (2, RoundResult::Incomplete("interrupted".to_owned())), (3, RoundResult::Findings(2))]
    {
        assert_eq!(add_round(folder.path(), &result), n);
    }
    folder
}

fn damaged_line(folder: &Path) -> u64 {
    match Ledger::at(folder).check().unwrap_err() {
        error @ LedgerError::Damaged { line, .. } => {
            assert_eq!(error.exit_code(), 65);
            line
        }
        other => panic!("expected damage, got {other}"),
    }
}

#[test]
fn lines_are_chained_and_numbered_from_one() {
    let folder = three_rounds();
    let lines = Ledger::at(folder.path()).list().unwrap();
    let numbers: Vec<u64> = lines.iter().map(|line| line.n).collect();
    assert_eq!(numbers, [1, 1, 2, 2, 3, 3]);
    assert_eq!(lines[0].prev, ZEROS);
    assert_eq!(lines[0].result, LineResult::Started);
    assert_eq!(lines[5].counts.findings, 2);
    let text = fs::read_to_string(folder.path().join(LEDGER)).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let keys: Vec<&str> = first.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "n",
        "date",
        "result",
        "counts",
        "reason",
        "source_sha256",
        "config_sha256",
        "attempts_sha256",
        "ops_per_second",
        "prev",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
}

#[test]
fn every_cut_of_the_ledger_is_damage() {
    let folder = three_rounds();
    let path = folder.path().join(LEDGER);
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        damaged_line(folder.path());
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(damaged_line(folder.path()), 1);
}

#[test]
fn every_edited_byte_is_damage_and_names_its_line() {
    let folder = three_rounds();
    let path = folder.path().join(LEDGER);
    let whole = fs::read(&path).unwrap();
    let mut line_of_byte = 1;
    for place in 0..whole.len() {
        let mut edited = whole.clone();
        edited[place] ^= 1;
        fs::write(&path, &edited).unwrap();
        let found = damaged_line(folder.path());
        // An edited `prev` also accuses the line before it: the two cannot be told apart.
        assert!(found + 1 >= line_of_byte && found <= line_of_byte + 1, "{found} {line_of_byte}");
        line_of_byte += u64::from(whole[place] == b'\n');
    }
}

#[test]
fn missing_or_edited_head_is_damage() {
    let folder = three_rounds();
    let path = folder.path().join(HEAD);
    let whole = fs::read(&path).unwrap();
    for place in 0..whole.len() - 2 {
        let mut edited = whole.clone();
        edited[place] ^= 1;
        fs::write(&path, &edited).unwrap();
        damaged_line(folder.path());
    }
    fs::remove_file(&path).unwrap();
    damaged_line(folder.path());
}

#[test]
fn half_written_line_that_nobody_intended_is_damage_and_stays() {
    let folder = three_rounds();
    let path = folder.path().join(LEDGER);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"n\":4,").unwrap();
    let before = (fs::read(&path).unwrap(), fs::read(folder.path().join(HEAD)).unwrap());
    assert_eq!(damaged_line(folder.path()), 7);
    let error = Ledger::at(folder.path()).lock_round().unwrap_err();
    assert!(matches!(error, LedgerError::Damaged { line: 7, .. }), "{error}");
    let after = (fs::read(&path).unwrap(), fs::read(folder.path().join(HEAD)).unwrap());
    assert_eq!(before, after, "a damaged ledger is never written to");
}

#[test]
fn crash_at_every_byte_of_an_append_is_recovered_and_no_accusation() {
    let folder = three_rounds();
    let ledger_path = folder.path().join(LEDGER);
    let head_path = folder.path().join(HEAD);
    let (old_ledger, old_head) = (fs::read(&ledger_path).unwrap(), fs::read(&head_path).unwrap());
    let mut lock = Ledger::at(folder.path()).lock_round().unwrap();
    lock.start(Line::new("2026-01-03", LineResult::Started)).unwrap();
    drop(lock);
    let new_ledger = fs::read(&ledger_path).unwrap();
    let line = std::str::from_utf8(&new_ledger[old_ledger.len()..]).unwrap().trim_end();
    let mut intent: serde_json::Value = serde_json::from_slice(&old_head).unwrap();
    intent["next"] = line.into();
    for length in old_ledger.len()..=new_ledger.len() {
        fs::write(&ledger_path, &new_ledger[..length]).unwrap();
        fs::write(&head_path, intent.to_string()).unwrap();
        let checked = Ledger::at(folder.path()).check().unwrap();
        assert!(checked.unfinished_append);
        assert_eq!(checked.lines.len(), 7);
        let lock = Ledger::at(folder.path()).lock_round().unwrap();
        assert_eq!(lock.n(), 5, "the number of the crashed round is used up");
        assert_eq!(fs::read(&ledger_path).unwrap(), new_ledger);
        drop(lock);
        assert!(!Ledger::at(folder.path()).check().unwrap().unfinished_append);
    }
    let mut other = new_ledger[..new_ledger.len() - 9].to_vec();
    other.push(b'#');
    fs::write(&ledger_path, &other).unwrap();
    fs::write(&head_path, intent.to_string()).unwrap();
    assert_eq!(damaged_line(folder.path()), 7);
}

#[test]
fn second_writer_waits_and_is_told_busy_while_readers_read() {
    let folder = three_rounds();
    let ledger = Ledger::at(folder.path());
    let first = ledger.lock_round().unwrap();
    let error = ledger.lock_round_within(Duration::from_millis(120)).unwrap_err();
    assert_eq!(error.exit_code(), 75);
    assert!(matches!(error, LedgerError::Busy { waited_s, .. } if waited_s >= 0.12), "{error}");
    assert_eq!(ledger.list().unwrap().len(), 6);
    drop(first);
    assert_eq!(ledger.lock_round().unwrap().n(), 4);
}

#[test]
fn folder_that_cannot_be_made_is_unwritable() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let ledger = Ledger::at(file.join("verification"));
    assert!(ledger.list().unwrap().is_empty());
    assert_eq!(ledger.lock_round().unwrap_err().exit_code(), 73);
}

#[test]
fn why_names_the_reason_and_the_last_round() {
    let folder = three_rounds();
    let ledger = Ledger::at(folder.path());
    let why = ledger.why(2).unwrap().to_string();
    assert_eq!(why, "N=2: INCOMPLETE (interrupted); not counted: interrupted");
    let why = ledger.why(3).unwrap().to_string();
    assert_eq!(why, "N=3: FINDINGS (2 findings); sets the count to zero: 2 findings");
    let error = ledger.why(9).unwrap_err();
    assert_eq!(error.to_string(), "the ledger has no round N=9; the last is N=3");
}

#[test]
fn reader_beside_a_writer_never_sees_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 1..=40 {
                assert_eq!(add_round(path, &RoundResult::Clean), n);
            }
        });
        let mut seen = 0;
        while !writer.is_finished() {
            let lines = Ledger::at(path).list().unwrap().len();
            assert!(lines >= seen, "a ledger only grows");
            seen = lines;
        }
    });
    assert_eq!(Ledger::at(path).list().unwrap().len(), 80);
}
