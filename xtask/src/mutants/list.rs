//! The mutants that there are.

use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::judges::Group;
use crate::step;

/// A change of one place.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mutant {
    /// Its file, from the root.
    pub file: String,
    /// `file:line:column: what is changed`.
    pub name: String,
}

/// cargo-mutants on the files of a group.
pub fn command(group: &Group) -> Command {
    let mut command = step::cargo(&["mutants", "--package", group.package]);
    command.args(group.files.iter().map(|file| format!("--file={file}")));
    command
}

/// All mutants of a group, or every so-manieth from one on: each file has its share.
pub fn mutants(group: &Group, sample: Option<(u32, u32)>) -> Result<Vec<Mutant>> {
    let listed = step::output(command(group).args(["--list", "--json"]))?;
    let mut all: Vec<Mutant> = serde_json::from_str(&listed).context("what cargo-mutants lists")?;
    // Two changes of one place can come to the same.
    all.dedup();
    let Some((first, step)) = sample else { return Ok(all) };
    Ok(all.into_iter().skip(first as usize).step_by(step as usize).collect())
}

/// The text as a regular expression that only it matches.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
