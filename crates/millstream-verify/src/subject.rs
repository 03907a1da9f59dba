//! What a round is bound to: the subject embedded at build, the tree it must match, and the running binary.
//!
//! A report is worth something only if a stranger can tell which sources it speaks of. The build embeds the hash of the
//! tree; before a round the tree, where one can be found, is hashed again. A binary older than its source must not
//! produce a clean round for that source. This file reads files and takes decisions about identity; it does not
//! judge a round.
//!
//! **Invariants**
//! - `stale-is-seen`: a change to any file of the subject after the build gives [`Binding::Stale`].
//! - `one-definition`: see `subject_hash.rs`.
//!
//! **Checked by**: the tests below.

use std::env;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::subject_hash::{hex, tree_sha256, workspace_root};
use crate::{Error, Result};

/// The subject of a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Hash of the sources: everything under `crates/`, and the root's `Cargo.toml` and `Cargo.lock`.
    pub source_sha256: String,
    /// Cargo features of this crate, sorted.
    pub features: Vec<String>,
    /// `rustc -V` of the build.
    pub rustc: String,
    /// Target triple.
    pub target: String,
    /// Cargo profile: `release` or `debug`.
    pub profile: String,
    /// Hash of what decides what a round checks (attempts, workload, plan, simulator, judgement): when it changes, the streak starts again.
    pub attempts_sha256: String,
}

impl Subject {
    /// One hash for sources, features and compiler: two builds with the same figure are the same subject.
    pub fn sha256(&self) -> String {
        let features = self.features.join(",");
        sha256_of_parts(["millstream.build/1", &self.source_sha256, &features, &self.rustc])
    }

    /// The default seed of round `n`: a function of subject and number, so that each round draws new numbers and
    /// anybody can derive them.
    pub fn default_seed(&self, n: u64) -> u64 {
        let digest = Sha256::digest(format!("millstream.seed/1\n{}\n{n}", self.sha256()));
        digest.iter().take(8).fold(0, |seed, byte| (seed << 8) | u64::from(*byte))
    }
}

/// The subject that this binary was built from.
pub fn embedded() -> Subject {
    let features = env!("MILLSTREAM_FEATURES");
    Subject {
        source_sha256: env!("MILLSTREAM_SOURCE_SHA256").to_owned(),
        features: features.split(',').filter(|f| !f.is_empty()).map(str::to_owned).collect(),
        rustc: env!("MILLSTREAM_RUSTC").to_owned(),
        target: env!("MILLSTREAM_TARGET").to_owned(),
        profile: env!("MILLSTREAM_PROFILE").to_owned(),
        attempts_sha256: env!("MILLSTREAM_ATTEMPTS_SHA256").to_owned(),
    }
}

/// How the binary compares with the tree that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Binding {
    /// The tree is the one that the binary was built from.
    Matches {
        /// Root of the tree.
        root: PathBuf,
    },
    /// No tree was found; the round runs and says so.
    SourceNotPresent,
    /// The tree differs: the round is incomplete.
    Stale {
        /// Root of the tree.
        root: PathBuf,
        /// Hash embedded in the binary.
        built: String,
        /// Hash of the tree now.
        found: String,
    },
}

impl Binding {
    /// The word of the report: `matches`, `source not present` or `stale`.
    pub fn word(&self) -> &'static str {
        match self {
            Binding::Matches { .. } => "matches",
            Binding::SourceNotPresent => "source not present",
            Binding::Stale { .. } => "stale",
        }
    }

    /// The reason that makes a round incomplete, where there is one.
    pub fn refusal(&self) -> Option<&'static str> {
        matches!(self, Binding::Stale { .. }).then_some("binary older than its source")
    }
}

/// Compares the embedded subject with the tree: the one at `source` if given, else the workspace at or above the
/// working directory, else the folder that the binary was built in.
///
/// # Errors
/// [`Error::NotATree`] when `source` is given and is not inside a tree, [`Error::Read`] when the tree cannot be read.
pub fn check_binding(source: Option<&Path>) -> Result<Binding> {
    check_against(&embedded().source_sha256, source, Path::new(env!("MILLSTREAM_BUILD_ROOT")))
}

fn check_against(built: &str, source: Option<&Path>, build_root: &Path) -> Result<Binding> {
    let root = match source {
        Some(path) => {
            let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
            let found = workspace_root(&absolute);
            Some(found.ok_or_else(|| Error::NotATree { path: path.to_path_buf() })?)
        }
        None => env::current_dir()
            .ok()
            .and_then(|folder| workspace_root(&folder))
            // Not `workspace_root` of an empty path, which would be the working directory again.
            .or_else(|| (!build_root.as_os_str().is_empty()).then(|| build_root.to_path_buf()))
            .filter(|root| workspace_root(root).as_ref() == Some(root)),
    };
    let Some(root) = root else {
        return Ok(Binding::SourceNotPresent);
    };
    let found = tree_sha256(&root).map_err(|source| Error::Read { path: root.clone(), source })?;
    if found == built {
        Ok(Binding::Matches { root })
    } else {
        Ok(Binding::Stale { root, built: built.to_owned(), found })
    }
}

/// SHA-256 of the running executable, in lower-case hex.
///
/// # Errors
/// [`Error::Read`] when the executable cannot be found or read.
pub fn build_id() -> Result<String> {
    // On Linux this link still opens the file that was started when another has taken its place since.
    let running = Path::new("/proc/self/exe");
    let path = if running.exists() {
        running.to_path_buf()
    } else {
        env::current_exe().map_err(|source| Error::Read { path: "the running executable".into(), source })?
    };
    File::open(&path).and_then(sha256_of_file).map_err(|source| Error::Read { path, source })
}

/// SHA-256 of the rest of `file`, in lower-case hex.
pub(crate) fn sha256_of_file(mut file: File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut file, &mut hasher)?;
    Ok(hex(&hasher.finalize()))
}

/// SHA-256 of anything as compact JSON: the `config_sha256` of a ledger line.
///
/// Hash everything that belongs to the configuration (settings, seed, device, features, compiler) in one value.
///
/// # Errors
/// [`Error::NotARound`] when the value cannot be written as JSON, such as a map with keys that are no strings.
pub fn sha256_of_json(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_vec(value).map_err(|source| Error::NotARound { source })?;
    Ok(hex(&Sha256::digest(text)))
}

fn sha256_of_parts<const N: usize>(parts: [&str; N]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hex(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A small tree with the mark of the workspace.
    fn tree() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("Cargo.toml", "[workspace]"),
            ("crates/millstream-verify/Cargo.toml", "[package]"),
            ("crates/millstream-verify/src/lib.rs", "pub fn a() {}"),
            ("crates/millstream-cuda/src/kernels.cu", "__global__"),
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn every_source_file_counts_and_build_output_does_not() {
        let tree = tree();
        let root = tree.path();
        let before = tree_sha256(root).unwrap();
        for ignored in ["crates/.hidden", "crates/a.rs.bk", "README.md", "crates/x/target/out"] {
            let path = root.join(ignored);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
            assert_eq!(tree_sha256(root).unwrap(), before, "{ignored}");
        }
        for counted in ["crates/millstream-cuda/src/kernels.cu", "Cargo.lock", "crates/t.bin"] {
            let path = root.join(counted);
            let old = fs::read(&path).ok();
            fs::write(&path, "y").unwrap();
            assert_ne!(tree_sha256(root).unwrap(), before, "{counted}");
            match old {
                Some(old) => fs::write(&path, old).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            assert_eq!(tree_sha256(root).unwrap(), before, "{counted} put back");
        }
    }

    #[test]
    fn one_file_that_spells_two_has_another_hash() {
        let tree = tree();
        let (a, b) = (tree.path().join("crates/a"), tree.path().join("crates/b"));
        fs::write(&a, "1").unwrap();
        fs::write(&b, "2").unwrap();
        let before = tree_sha256(tree.path()).unwrap();
        fs::remove_file(&b).unwrap();
        // What would follow the first file in the hash, were contents not preceded by their lengths.
        let name = "crates/b";
        let spelled = ["1".as_bytes(), &(name.len() as u64).to_le_bytes(), name.as_bytes(), b"2"];
        fs::write(&a, spelled.concat()).unwrap();
        assert_ne!(tree_sha256(tree.path()).unwrap(), before);
    }

    #[test]
    fn edited_tree_is_stale_and_a_missing_one_is_said() {
        let tree = tree();
        let root = tree.path();
        let built = tree_sha256(root).unwrap();
        let source = root.join("crates/millstream-cuda");
        let matches = check_against(&built, Some(&source), Path::new("")).unwrap();
        assert_eq!(matches, Binding::Matches { root: root.to_path_buf() });
        fs::write(root.join("crates/new.rs"), "").unwrap();
        let stale = check_against(&built, Some(root), Path::new("")).unwrap();
        assert_eq!(stale.refusal(), Some("binary older than its source"));
        let nowhere = tempfile::tempdir().unwrap();
        let error = check_against(&built, Some(nowhere.path()), Path::new("")).unwrap_err();
        assert_eq!(error.exit_code(), 64);
    }

    #[test]
    fn everything_that_decides_what_a_round_checks_is_in_the_hash_of_the_checks() {
        use crate::subject_hash::{CHECKS, CHECKS_BESIDE, parts_sha256};
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let own = CHECKS.map(|name| here.join(name));
        let beside = CHECKS_BESIDE.map(|name| here.join("../..").join(name));
        for path in own.iter().chain(&beside) {
            assert!(path.exists(), "{} is not there any more", path.display());
        }
        let tree = tree();
        let names = ["src/plan.rs", "src/workload"];
        fs::create_dir_all(tree.path().join("src/workload")).unwrap();
        fs::write(tree.path().join("src/plan.rs"), "1").unwrap();
        let hash = || parts_sha256(tree.path(), names).unwrap();
        let mut seen = vec![hash()];
        for (name, text) in [("src/plan.rs", "2"), ("src/workload/block.rs", "1"), ("src/workload/block.rs", "2")] {
            fs::write(tree.path().join(name), text).unwrap();
            assert!(!seen.contains(&hash()), "{name}");
            seen.push(hash());
        }
        fs::write(tree.path().join("src/console.rs"), "x").unwrap();
        assert_eq!(Some(&hash()), seen.last(), "what only tells about a round changes nothing");
    }

    #[test]
    fn one_byte_of_any_attempt_changes_the_hash_of_the_checks() {
        use crate::subject_hash::{CHECKS, CHECKS_BESIDE, parts_sha256};
        let root = workspace_root(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let copy = tempfile::tempdir().unwrap();
        let own = CHECKS.map(|name| format!("crates/millstream-verify/{name}"));
        let names: Vec<&str> = own.iter().map(String::as_str).chain(CHECKS_BESIDE).collect();
        let mut files = Vec::new();
        for name in &names {
            for entry in walkdir::WalkDir::new(root.join(name)) {
                let entry = entry.unwrap();
                if entry.file_type().is_file() {
                    let to = copy.path().join(entry.path().strip_prefix(&root).unwrap());
                    fs::create_dir_all(to.parent().unwrap()).unwrap();
                    fs::copy(entry.path(), &to).unwrap();
                    files.push(to);
                }
            }
        }
        let hash = || parts_sha256(copy.path(), names.iter().copied()).unwrap();
        assert_eq!(hash(), embedded().attempts_sha256, "a copy elsewhere has the hash of this build");
        assert!(files.len() > 60, "{}", files.len());
        for file in files {
            let before = fs::read(&file).unwrap();
            let mut after = before.clone();
            let middle = after.len() / 2;
            after[middle] ^= 1;
            fs::write(&file, after).unwrap();
            assert_ne!(hash(), embedded().attempts_sha256, "{}", file.display());
            fs::write(&file, before).unwrap();
        }
    }

    #[test]
    fn this_build_is_bound_to_a_hash_and_its_seeds_differ_by_round() {
        let subject = embedded();
        assert_eq!(subject.source_sha256.len(), 64);
        assert!(subject.rustc.starts_with("rustc "), "{}", subject.rustc);
        assert_ne!(subject.default_seed(1), subject.default_seed(2));
        let mut other = subject.clone();
        other.rustc.push('x');
        assert_ne!(subject.sha256(), other.sha256());
        assert_eq!(build_id().unwrap().len(), 64);
    }
}
