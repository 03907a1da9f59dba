//! Thread-locals of the dependencies, counted in the sources that cargo keeps.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;
use walkdir::WalkDir;

use crate::step;

/// One target, so that the list is the same on every machine.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A crate that declares thread-locals.
#[derive(Serialize, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    /// Name and version.
    pub name: String,
    /// How many declarations stand in its sources, tests and examples left out.
    pub thread_locals: usize,
    /// `sources read`, or `not inspected`.
    pub how: &'static str,
}

/// The crates that the `millstream` binary is built from.
pub fn read() -> Result<Vec<Dependency>> {
    let tree = [
        "tree",
        "--package",
        "millstream-cli",
        "--edges",
        "normal,no-proc-macro",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "--target",
        TARGET,
    ];
    let tree = step::output(&mut step::cargo(&tree))?;
    let metadata = step::output(&mut step::cargo(&["metadata", "--format-version", "1", "--filter-platform", TARGET]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata")?;
    let mut found = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let name = format!("{} {}", text("name"), text("version"));
        let built =
            tree.lines().any(|line| line.split(" (").next() == Some(&format!("{} v{}", text("name"), text("version"))));
        if !built || !package["source"].is_string() {
            continue;
        }
        match Path::new(text("manifest_path")).parent().map(|folder| folder.join("src")).filter(|src| src.is_dir()) {
            None => found.push(Dependency { name, thread_locals: 0, how: "not inspected" }),
            Some(src) => match count(&src) {
                0 => {}
                thread_locals => found.push(Dependency { name, thread_locals, how: "sources read" }),
            },
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn count(src: &Path) -> usize {
    let files = WalkDir::new(src).sort_by_file_name().into_iter().filter_map(Result::ok);
    let rust = files.filter(|file| file.path().extension().is_some_and(|e| e == "rs"));
    rust.map(|file| std::fs::read_to_string(file.path()).map_or(0, |text| declarations(&text))).sum()
}

fn declarations(text: &str) -> usize {
    let word = concat!("thread_", "local!");
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .filter(|line| {
            line.contains(&format!("{word} {{"))
                || line.contains(&format!("{word}{{"))
                || line.contains(&format!("{word}("))
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_counted_and_comments_are_not() {
        let word = concat!("thread_", "local!");
        assert_eq!(
            declarations(&format!("std::{word} {{ static A: u8 = 1 }}\n// {word} {{\n{word}(static B: u8 = 2);")),
            2
        );
    }
}
