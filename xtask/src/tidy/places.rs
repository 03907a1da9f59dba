//! What points to somewhere: links of pages, and the locations in the tables of the first report.

use std::collections::BTreeSet;

use super::Findings;
use crate::step::File;

/// How far from its line a name may stand.
const REACH: usize = 3;

/// A link to a file or folder that is not there.
pub fn links(file: &File, paths: &BTreeSet<&str>) -> Findings {
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut findings = Findings::new();
    let mut fenced = false;
    for (number, line) in file.text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = target.split(['#', ' ']).next().unwrap_or_default();
            if fenced || target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let path = resolve(folder, target);
            let there = paths.contains(path.as_str())
                || paths
                    .range(format!("{path}/").as_str()..)
                    .next()
                    .is_some_and(|next| next.starts_with(&format!("{path}/")));
            if !there {
                findings.push(format!("{}:{}: a dead link to {target}", file.path, number + 1));
            }
        }
    }
    findings
}

fn resolve(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = if target.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.join("/")
}

/// A location `path/file.rs:123` that is dead: no such line, or none of the names in backticks of the same row stands near it.
pub fn locations<'a>(file: &File, text: &dyn Fn(&str) -> Option<&'a str>) -> Findings {
    let mut findings = Findings::new();
    for (number, row) in file.text.lines().enumerate() {
        let quoted: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        let names: Vec<&str> = quoted.iter().copied().filter(|word| location(word).is_none()).collect();
        let words = row.split(|c: char| c.is_whitespace() || "`|(),;".contains(c));
        for (path, line) in words.filter_map(location) {
            let place = format!("{}:{}: {path}:{line}", file.path, number + 1);
            let Some(lines) = text(path).or_else(|| text(&format!("crates/{path}"))) else {
                findings.push(format!("{place}: no such file"));
                continue;
            };
            let lines: Vec<&str> = lines.lines().collect();
            if line == 0 || line > lines.len() {
                findings.push(format!("{place}: the file has {} lines", lines.len()));
                continue;
            }
            let near = &lines[line.saturating_sub(1 + REACH)..lines.len().min(line + REACH)];
            let stands = |name: &&str| near.iter().any(|text| text.contains(last_part(name)));
            if !names.is_empty() && !names.iter().any(stands) {
                findings.push(format!("{place}: none of {names:?} stands within {REACH} lines"));
            }
        }
    }
    findings
}

/// The part of a path or call that stands in its definition.
fn last_part(name: &str) -> &str {
    name.trim_end_matches("()").rsplit("::").next().unwrap_or(name)
}

fn location(word: &str) -> Option<(&str, usize)> {
    let (path, line) = word.trim_end_matches(['.', ':']).rsplit_once(':')?;
    (path.ends_with(".rs") && path.contains('/')).then_some(())?;
    Some((path, line.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn a_dead_link_is_found_and_a_live_one_is_not() {
        let paths = BTreeSet::from(["docs/a.md", "README.md", "crates/x/src/lib.rs"]);
        let page = file("docs/a.md", "[r](../README.md#top) [d](../crates/x) [w](https://x.y) [gone](b.md)");
        assert_eq!(links(&page, &paths), ["docs/a.md:1: a dead link to b.md"]);
    }

    #[test]
    fn a_dead_location_is_found() {
        let source = "a\nb\nfn pass() {}\n";
        let text = |path: &str| (path == "crates/x/src/gate.rs").then_some(source);
        let rows = |row: &str| locations(&file("docs/first-round.md", row), &text).len();
        assert_eq!(rows("| `Gate::pass` | crates/x/src/gate.rs:1 |"), 0);
        assert_eq!(rows("| `Gate::pass` | `x/src/gate.rs:3` |"), 0);
        assert_eq!(rows("| `Gate::close` | `x/src/gate.rs:3` |"), 1, "another name");
        assert_eq!(rows("| `pass` | `x/src/gate.rs:9` |"), 1, "beyond the end");
        assert_eq!(rows("| `pass` | `x/src/door.rs:1` |"), 1, "no such file");
    }
}
