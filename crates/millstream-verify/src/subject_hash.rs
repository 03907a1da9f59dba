//! The hash of a source tree: one definition, compiled into the build script and into the library.
//!
//! A round is bound to the sources that its binary was built from. The build script hashes the tree and embeds the
//! figure; a round hashes the tree again and compares. Both sides must agree to the byte, so this file is the whole
//! definition and is included by both. It changes only when the definition of *subject* changes; the domain string
//! then takes the next number. It reads files, and deliberately knows no cargo, no git and no clock.
//!
//! **Which files.** `Cargo.toml` and `Cargo.lock` of the root where they exist, and everything under `crates/`,
//! except: names that begin with a dot, folders named `target`, and `*.rs.bk`. Nothing is chosen by extension, so
//! that a kernel in `.cu`, a template or a generated table counts as much as a `.rs` file.
//!
//! **How.** SHA-256 over the domain string, then for each file, sorted by the bytes of its relative path (with `/`):
//! length of the path (u64, little-endian), path, length of the content, content. A symbolic link is not followed;
//! its content is `link:` and the path it holds.
//!
//! **Invariants**
//! - `one-definition`: the build script and the library compile this same file.
//! - `no-two-trees-alike`: lengths precede contents, so moving bytes between neighbouring files changes the hash.
//!
//! **Checked by**: the unit tests of `subject.rs`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use walkdir::WalkDir;

const DOMAIN: &[u8] = b"millstream.subject/1\0";

/// Folder of this crate below the root of the workspace; its presence marks a root.
const MARK: &str = "crates/millstream-verify/Cargo.toml";

/// The nearest folder at or above `start` that is the root of this workspace.
pub fn workspace_root(start: &Path) -> Option<PathBuf> {
    start
        .ancestors()
        .find(|folder| folder.join("Cargo.toml").is_file() && folder.join(MARK).is_file())
        .map(Path::to_path_buf)
}

/// SHA-256 of the subject's files below `root`, in lower-case hex.
pub fn tree_sha256(root: &Path) -> io::Result<String> {
    let mut files = folder_files(root, "crates")?;
    for name in ["Cargo.toml", "Cargo.lock"] {
        if root.join(name).is_file() {
            files.push(name.to_owned());
        }
    }
    hash_files(root, files)
}

/// What decides what a round checks and how it judges, in this crate: attempts, workload, plan, scheduled program, the opening of devices, which configurations are next, the round itself. What only
/// tells about a round (reports, ledger, console) is not in it.
#[allow(dead_code, reason = "the build script and a test use it")]
pub const CHECKS: [&str; 7] =
    ["src/attempts", "src/workload", "src/round", "src/plan.rs", "src/sim.rs", "src/open.rs", "src/coverage.rs"];

/// The same in other crates of the tree: the simulator with its checker, the scheduler that drives it, and the recorder of locks.
#[allow(dead_code, reason = "the build script and a test use it")]
pub const CHECKS_BESIDE: [&str; 4] = [
    "crates/millstream-sim/src",
    "crates/millstream-sync/src/schedule",
    "crates/millstream-sync/src/schedule.rs",
    "crates/millstream-sync/src/lock/record.rs",
];

/// SHA-256 of the files and folders `names` below `root` by the same rules; one that does not exist adds nothing.
#[allow(dead_code, reason = "the build script and a test use it")]
pub fn parts_sha256<'a>(root: &Path, names: impl IntoIterator<Item = &'a str>) -> io::Result<String> {
    let mut files = Vec::new();
    for name in names {
        if root.join(name).is_file() {
            files.push(name.to_owned());
        } else {
            files.extend(folder_files(root, name)?);
        }
    }
    hash_files(root, files)
}

/// Lower-case hex of a digest.
pub fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn folder_files(root: &Path, folder: &str) -> io::Result<Vec<String>> {
    let top = root.join(folder);
    if !top.exists() {
        return Ok(Vec::new());
    }
    let walk = WalkDir::new(&top).follow_links(false).into_iter();
    let kept = walk.filter_entry(|entry| {
        let name = entry.file_name().to_string_lossy();
        let build_output = entry.file_type().is_dir() && name == "target";
        entry.depth() == 0 || !(name.starts_with('.') || build_output || name.ends_with(".rs.bk"))
    });
    let mut files = Vec::new();
    for entry in kept {
        let entry = entry.map_err(io::Error::from)?;
        if entry.file_type().is_dir() {
            continue;
        }
        let relative = entry.path().strip_prefix(root).map_err(io::Error::other)?;
        let parts: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        files.push(parts.join("/"));
    }
    Ok(files)
}

fn hash_files(root: &Path, mut files: Vec<String>) -> io::Result<String> {
    files.sort_unstable();
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    for name in &files {
        let path = root.join(name);
        let content = if fs::symlink_metadata(&path)?.file_type().is_symlink() {
            format!("link:{}", fs::read_link(&path)?.display()).into_bytes()
        } else {
            fs::read(&path)?
        };
        hasher.update((name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update((content.len() as u64).to_le_bytes());
        hasher.update(&content);
    }
    Ok(hex(&hasher.finalize()))
}
