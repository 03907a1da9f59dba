//! The inventory: every thread-local and every lock site of the sources, and the thread-locals of the dependencies.
//!
//! Read from the syntax, so that it lists what is written, not what a run happened to touch; the recorder of a round lists the rest. The
//! file is part of the report's data and `--check` keeps it true.

mod dependencies;
mod sources;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::step;

/// The file's content.
#[derive(Serialize)]
struct Inventory {
    /// Thread-locals of the workspace.
    thread_locals: Vec<sources::ThreadLocal>,
    /// Places that take a lock.
    lock_sites: Vec<sources::LockSite>,
    /// Dependencies that declare thread-locals, or whose sources were not at hand.
    dependencies: Vec<dependencies::Dependency>,
}

/// Writes the file, or compares it with what would be written.
pub fn run(check: bool) -> Result<()> {
    println!("inventory ...");
    let (thread_locals, lock_sites) = sources::read(&step::files()?)?;
    let inventory = Inventory { thread_locals, lock_sites, dependencies: dependencies::read()? };
    let text = serde_json::to_string_pretty(&inventory)? + "\n";
    let path = path();
    let counts = format!(
        "inventory: {} thread-locals, {} lock sites, {} dependencies with thread-locals",
        inventory.thread_locals.len(),
        inventory.lock_sites.len(),
        inventory.dependencies.len()
    );
    if check {
        let there = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        if there != text {
            let same = there.lines().zip(text.lines()).take_while(|(a, b)| a == b).count();
            bail!("inventory: the file is out of date from line {}: run `cargo xtask inventory`", same + 1);
        }
        println!("{counts}, as in the file");
    } else {
        std::fs::create_dir_all(path.parent().context("the file has a folder")?)?;
        std::fs::write(&path, text)?;
        println!("{counts}");
    }
    Ok(())
}

fn path() -> PathBuf {
    step::root().join("crates/millstream-verify/data/inventory.json")
}
