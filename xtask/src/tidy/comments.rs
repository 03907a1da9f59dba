//! Comments that must stand above what needs one.

use super::{Findings, code, shipped};
use crate::step::File;

/// Lines above an operation in which its comment may end.
const REACH: usize = 3;

/// An atomic operation with an ordering other than `Relaxed` says what becomes visible and with whom it pairs.
pub fn orders(file: &File) -> Findings {
    uncommented(file, "ORDER:", "an ordering", &is_strong)
}

/// Whether a line of code has an ordering other than `Relaxed`.
pub fn is_strong(code: &str) -> bool {
    let mut orders = code.split("Ordering::").skip(1);
    orders.any(|rest| ["Acquire", "Release", "AcqRel", "SeqCst"].iter().any(|order| rest.starts_with(order)))
}

/// An unsafe block or implementation says what is asked and why it is true.
pub fn safety(file: &File) -> Findings {
    let needs = |line: &str| line.contains(concat!("unsafe", " {")) || line.contains(concat!("unsafe", " impl"));
    uncommented(file, "SAFETY:", "an unsafe operation", &needs)
}

fn uncommented(file: &File, word: &str, what: &str, needs: &dyn Fn(&str) -> bool) -> Findings {
    let lines = shipped(file);
    let mut findings = Findings::new();
    for (at, (number, line)) in lines.iter().enumerate() {
        if needs(code(line)) && !has_comment(&lines[..=at], word, needs) {
            findings.push(format!("{}:{number}: {what} without `// {word}`", file.path));
        }
    }
    findings
}

/// Looks upward from the last line: comments do not count as distance, and an adjacent line of the same kind begins anew.
fn has_comment(lines: &[(usize, &str)], word: &str, needs: &dyn Fn(&str) -> bool) -> bool {
    let mut left = REACH;
    for (at, (_, line)) in lines.iter().enumerate().rev() {
        if line.contains("//") && line.contains(word) {
            return true;
        }
        if at + 1 == lines.len() || line.trim_start().starts_with("//") {
            continue;
        }
        if needs(code(line)) {
            left = REACH;
        } else if left == 1 {
            return false;
        } else {
            left -= 1;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn found(text: &str) -> usize {
        orders(&file("crates/a/src/b.rs", text)).len()
    }

    #[test]
    fn an_ordering_without_a_comment_is_found() {
        assert_eq!(found("x.load(Ordering::Acquire);"), 1);
        assert_eq!(found("// ORDER: why\nx.load(Ordering::Acquire);"), 0);
        assert_eq!(found("// ORDER: why\n// more\nlet a =\nx\n.load(Ordering::Acquire);"), 0);
        assert_eq!(found("// ORDER: why\na\nb\nc\nx.load(Ordering::Acquire);"), 1);
    }

    #[test]
    fn one_comment_covers_adjacent_orderings_and_relaxed_needs_none() {
        assert_eq!(found("// ORDER: why\nx.store(1, Ordering::Release);\ny.store(1, Ordering::Release);"), 0);
        assert_eq!(found("x.load(Ordering::Relaxed);"), 0);
        assert_eq!(orders(&file("crates/a/tests/b.rs", "x.load(Ordering::Acquire);")).len(), 0);
    }

    #[test]
    fn an_unsafe_block_without_a_comment_is_found() {
        assert_eq!(safety(&file("a/src/b.rs", "let x = unsafe { f() };")).len(), 1);
        assert_eq!(safety(&file("a/src/b.rs", "// SAFETY: true because.\nlet x = unsafe { f() };")).len(), 0);
    }
}
