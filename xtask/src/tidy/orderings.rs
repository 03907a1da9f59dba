//! Orderings outside of the crate that the model checkers see: each file that has one stands in the table of `docs/orderings.md`, with how many.

use std::collections::BTreeMap;

use super::{Findings, code, comments, shipped};
use crate::step::File;

/// The page with the table.
pub const PAGE: &str = "docs/orderings.md";

/// How many lines of each file have an ordering other than `Relaxed`.
fn counts(files: &[File]) -> BTreeMap<&str, usize> {
    let counted = files.iter().filter(|file| {
        file.path.starts_with("crates/")
            && file.path.ends_with(".rs")
            && !file.path.starts_with("crates/millstream-sync/")
    });
    let lines = |file: &File| shipped(file).iter().filter(|(_, line)| comments::is_strong(code(line))).count();
    counted.map(|file| (file.path.as_str(), lines(file))).filter(|(_, lines)| *lines > 0).collect()
}

/// The rows of the table: a path in backticks, then a number.
fn rows(page: &str) -> BTreeMap<&str, usize> {
    page.lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            Some((cells.next()?.trim_end_matches('`'), cells.next()?.parse().ok()?))
        })
        .collect()
}

/// A file without its row, a row without its file, and a row with another number.
pub fn listed(files: &[File], page: &str) -> Findings {
    let (found, told) = (counts(files), rows(page));
    let mut findings = Findings::new();
    for (path, lines) in &found {
        match told.get(path) {
            Some(told) if told == lines => {}
            Some(told) => findings.push(format!("{PAGE}: {path} has {lines} lines with an ordering, not {told}")),
            None => findings.push(format!(
                "{path}: an ordering that no model checker sees: move it into millstream-sync, or say why it holds in {PAGE}"
            )),
        }
    }
    let gone = told.keys().filter(|path| !found.contains_key(*path));
    findings.extend(gone.map(|path| format!("{PAGE}: {path} has no ordering any more")));
    findings
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    const CODE: &str =
        "// ORDER: why\nx.load(Ordering::Acquire);\n// Ordering::Release in words\ny.load(Ordering::Relaxed);\n";

    fn found(path: &str, text: &str, page: &str) -> Findings {
        listed(&[file(path, text)], page)
    }

    #[test]
    fn an_ordering_outside_of_the_protocols_needs_its_row() {
        let path = "crates/a/src/b.rs";
        assert_eq!(found(path, CODE, "").len(), 1);
        assert!(found(path, CODE, "| `crates/a/src/b.rs` | 1 | it |").is_empty());
        assert!(found("crates/millstream-sync/src/b.rs", CODE, "").is_empty());
        assert!(found("crates/a/tests/b.rs", CODE, "").is_empty());
    }

    #[test]
    fn another_number_and_a_row_too_many_are_found() {
        let path = "crates/a/src/b.rs";
        let other = found(path, CODE, "| `crates/a/src/b.rs` | 2 | it |");
        assert_eq!(other, ["docs/orderings.md: crates/a/src/b.rs has 1 lines with an ordering, not 2"]);
        let gone = found(path, "x.load(Ordering::Relaxed);", "| `crates/a/src/b.rs` | 1 | it |");
        assert_eq!(gone, ["docs/orderings.md: crates/a/src/b.rs has no ordering any more"]);
    }
}
