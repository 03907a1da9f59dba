//! The written rules that a tool can check. A person checks the rest (see the contributors' guide).
//!
//! Each rule is a function from files to findings, so that its test can show it fire.

mod comments;
mod manifest;
mod names;
mod orderings;
mod places;
mod words;

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::step::{self, File};

/// What is wrong where.
type Findings = Vec<String>;

/// Applies all rules to the repository.
pub fn run() -> Result<()> {
    let files = step::files()?;
    let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut findings = Findings::new();
    for file in &files {
        findings.extend(names::banned(file));
        findings.extend(names::too_long(file));
        findings.extend(words::machine_paths(file));
        if file.path.ends_with(".rs") {
            findings.extend(words::bare_synchronisation(file));
            findings.extend(comments::orders(file));
            findings.extend(comments::safety(file));
        }
        if file.path.ends_with(".md") {
            findings.extend(places::links(file, &paths));
        }
        if file.path == "docs/first-round.md" {
            findings.extend(places::locations(file, &|path| text(&files, path)));
        }
        if file.path == "Cargo.toml" {
            findings.extend(manifest::reasons(file));
        }
    }
    findings.extend(orderings::listed(&files, text(&files, orderings::PAGE).unwrap_or_default()));
    let long: Vec<String> = files.iter().filter_map(names::long).collect();
    if !long.is_empty() {
        println!("tidy: long files (above 400 lines): {}", long.join(", "));
    }
    if !findings.is_empty() {
        bail!("tidy: {} findings\n  {}", findings.len(), findings.join("\n  "));
    }
    println!("tidy: {} files follow the rules", files.len());
    Ok(())
}

fn text<'a>(files: &'a [File], path: &str) -> Option<&'a str> {
    files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
}

/// Whether a file is test code: the rules for comments are about what ships.
fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.contains("/benches/")
}

/// The lines that ship, numbered from 1: what stands before the tests at the bottom of a file.
fn shipped(file: &File) -> Vec<(usize, &str)> {
    let lines = file.text.lines().enumerate().map(|(at, line)| (at + 1, line));
    if is_test(&file.path) {
        return Vec::new();
    }
    let lines: Vec<_> = lines.collect();
    let is_cfg_test = |line: &str| line.starts_with("#[cfg(") && line.contains("test");
    let bottom = (0..lines.len()).find(|at| {
        is_cfg_test(lines[*at].1)
            && lines.get(at + 1).is_some_and(|(_, next)| next.starts_with("mod ") && next.ends_with('{'))
    });
    lines[..bottom.unwrap_or(lines.len())].to_vec()
}

/// The code of a line, without a comment at its end.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

#[cfg(test)]
fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}
