//! Words that must not stand in a file.

use super::{Findings, code};
use crate::step::File;

/// Starts of paths that belong to somebody's machine. Written apart so that this file does not find itself.
const MACHINE: [&str; 6] = [
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/m", "nt/"),
    concat!("C:", "\\"),
];
const BARE: [&str; 3] = [concat!("std::sy", "nc"), concat!("core::sy", "nc"), concat!("thread_lo", "cal!")];

/// A path of a machine: the repository is at home anywhere.
pub fn machine_paths(file: &File) -> Findings {
    let mut findings = Findings::new();
    for (number, line) in file.text.lines().enumerate() {
        let found = MACHINE.iter().find(|start| {
            line.match_indices(**start).any(|(at, _)| {
                // A relative path or an address may contain it.
                let before = line[..at].chars().next_back();
                before.is_none_or(|c| !(c.is_alphanumeric() || "._-/}>".contains(c)))
            })
        });
        if let Some(start) = found {
            findings.push(format!("{}:{}: a path of one machine ({start}...)", file.path, number + 1));
        }
    }
    findings
}

/// Bare synchronisation outside the one crate that may name it, tests included: a test on a bare atomic is one that the model
/// checkers and scheduled runs do not see.
pub fn bare_synchronisation(file: &File) -> Findings {
    let mine = file.path.starts_with("crates/millstream-sync/");
    if mine || !file.path.starts_with("crates/") {
        return Findings::new();
    }
    let mut findings = Findings::new();
    for (number, line) in file.text.lines().enumerate() {
        if let Some(word) = BARE.iter().find(|word| code(line).contains(**word)) {
            findings.push(format!("{}:{}: names {word}; take it from millstream_sync", file.path, number + 1));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn a_path_of_a_machine_is_found_and_a_relative_one_is_not() {
        let home = format!("see {}me/x", "/ho");
        assert_eq!(machine_paths(&file("a.md", &home)), [format!("a.md:1: a path of one machine ({}me/...)", "/ho")]);
        assert!(machine_paths(&file("a.md", &format!("docs{}me/x", "/ho"))).is_empty());
    }

    #[test]
    fn a_bare_atomic_outside_the_seam_is_found() {
        let text = format!("use {}nc::atomic::AtomicU8;\n// {}nc in a comment", "std::sy", "std::sy");
        assert_eq!(bare_synchronisation(&file("crates/millstream-cpu/src/a.rs", &text)).len(), 1);
        assert!(bare_synchronisation(&file("crates/millstream-sync/src/a.rs", &text)).is_empty());
    }
}
