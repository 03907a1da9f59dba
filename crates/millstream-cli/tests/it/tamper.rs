//! One byte of a source, of an attempt, of the ledger: the binary sees it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::tool::{SMALL, Tool};

/// The tree that this binary was built from.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if name == "target" || name.to_string_lossy().starts_with('.') {
            continue;
        }
        match entry.is_dir() {
            true => copy(&entry, &to.join(name)),
            false => _ = fs::copy(&entry, to.join(name)).unwrap(),
        }
    }
}

/// Turns one bit in the middle of a file, gives what it was.
fn flip(file: &Path) -> Vec<u8> {
    let before = fs::read(file).unwrap();
    let mut after = before.clone();
    let middle = after.len() / 2;
    after[middle] ^= 1;
    fs::write(file, after).unwrap();
    before
}

#[test]
fn one_byte_of_any_source_or_attempt_leaves_the_round_incomplete() {
    let tool = Tool::new();
    let tree = tool.folder.path().join("elsewhere");
    copy(&root().join("crates"), &tree.join("crates"));
    for name in ["Cargo.toml", "Cargo.lock"] {
        fs::copy(root().join(name), tree.join(name)).unwrap();
    }
    let look = |attempt: &str| {
        let ran =
            tool.run(&[&["verify", "--source", "elsewhere", "--attempt", attempt, "--json"], &SMALL[..]].concat());
        ran.objects().remove(0)
    };
    assert_eq!(look("events")["binding"], "matches", "another place, the same sources");
    for file in [
        "Cargo.lock",
        "crates/millstream-runtime/src/stamp.rs",
        "crates/millstream-cuda/src/lib.rs",
        "crates/millstream-verify/src/attempts/churn.rs",
        "crates/millstream-verify/src/attempts/configurations/cover.rs",
        "crates/millstream-verify/src/attempts/tally.rs",
        "crates/millstream-verify/src/round/judge.rs",
        "crates/millstream-verify/data/inventory.json",
    ] {
        let before = flip(&tree.join(file));
        let round = look("events");
        assert_eq!(round["binding"], "stale", "{file}");
        assert_eq!(round["result"], "INCOMPLETE binary older than its source", "{file}");
        fs::write(tree.join(file), before).unwrap();
    }
    assert_eq!(look("lock_order")["binding"], "matches", "all is as it was");
}

#[test]
fn one_byte_of_the_ledger_or_its_head_stops_the_next_round() {
    let tool = Tool::new();
    let _ = tool.verify(&[]);
    for name in ["ledger.jsonl", "ledger.head"] {
        let before = flip(&tool.path(name));
        tool.verify(&[]).refuses(65, &["damaged at line"]);
        tool.run(&["ledger", "check"]).refuses(65, &["damaged at line"]);
        fs::write(tool.path(name), before).unwrap();
    }
    tool.run(&["ledger", "check"]).ends(0);
}
