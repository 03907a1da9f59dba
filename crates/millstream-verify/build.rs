//! Embeds the subject: the hash of the sources that this binary is built from, its features and its compiler.
//!
//! It uses the very file that the library uses (`src/subject_hash.rs`), so the two cannot differ. Outside the
//! workspace (a packaged crate) it hashes the package itself and embeds no root: such a binary says "source not
//! present" unless it is shown a tree, and a tree then does not match.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "src/subject_hash.rs"]
mod subject_hash;

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    // A packaged crate may be unpacked below somebody else's checkout: only the tree that holds this very folder counts.
    let root = subject_hash::workspace_root(&manifest).filter(|root| root.join("crates/millstream-verify") == manifest);
    let source = match &root {
        Some(root) => {
            for name in ["crates", "Cargo.toml", "Cargo.lock"] {
                rerun_if_changed(&root.join(name));
            }
            subject_hash::tree_sha256(root)?
        }
        None => {
            rerun_if_changed(&manifest.join("src"));
            subject_hash::parts_sha256(&manifest, ["src"])?
        }
    };
    rerun_if_changed(&manifest.join("build.rs"));
    embed("SOURCE_SHA256", &source);
    embed("ATTEMPTS_SHA256", &checks(&manifest, root.as_deref())?);
    embed("FEATURES", &features().join(","));
    embed("RUSTC", &rustc_version());
    embed("TARGET", &env::var("TARGET")?);
    embed("PROFILE", &env::var("PROFILE")?);
    let root = root.map(|root| root.display().to_string());
    embed("BUILD_ROOT", &root.unwrap_or_default());
    embed("INVENTORY", &inventory(&manifest)?.display().to_string());
    Ok(())
}

/// The hash of what decides what a round checks: this crate's part and, where the tree is there, that of its neighbours.
fn checks(manifest: &Path, root: Option<&Path>) -> Result<String, Box<dyn Error>> {
    let own = subject_hash::CHECKS.map(|name| format!("crates/millstream-verify/{name}"));
    let names = own.iter().map(String::as_str).chain(subject_hash::CHECKS_BESIDE);
    Ok(match root {
        Some(root) => subject_hash::parts_sha256(root, names)?,
        None => subject_hash::parts_sha256(manifest, subject_hash::CHECKS)?,
    })
}

/// The packaged inventory of the sources; an empty one where the package has none.
fn inventory(manifest: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let packaged = manifest.join("data/inventory.json");
    if packaged.is_file() {
        return Ok(packaged);
    }
    let empty = PathBuf::from(env::var("OUT_DIR")?).join("inventory.json");
    std::fs::write(&empty, "{}")?;
    Ok(empty)
}

fn rerun_if_changed(path: &Path) {
    // A path that does not exist would make every build run this script again.
    if path.exists() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

fn embed(name: &str, value: &str) {
    println!("cargo::rustc-env=MILLSTREAM_{name}={value}");
}

fn features() -> Vec<String> {
    let mut features: Vec<String> = env::vars()
        .filter_map(|(key, _)| key.strip_prefix("CARGO_FEATURE_").map(str::to_owned))
        .map(|feature| feature.to_lowercase().replace('_', "-"))
        .filter(|feature| feature != "default")
        .collect();
    features.sort_unstable();
    features
}

fn rustc_version() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-V").output();
    let text = output.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned());
    text.unwrap_or_else(|_| "unknown".to_owned())
}
