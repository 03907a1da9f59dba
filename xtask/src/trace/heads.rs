//! What a file says at its head of how it is checked: the names there are those of something.

use super::rules::{is_probe, protocols_of};
use super::tables::kinds;
use super::{Findings, World};

const MARK: &str = "**Checked by**";

/// The paragraph of a file's head that says how it is checked.
fn checked_by(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!")).skip_while(|line| !line.contains(MARK));
    lines.take_while(|line| !line.trim().is_empty()).collect::<Vec<_>>().concat()
}

/// Where a head names a loom or shuttle case, a probe, a seeded bug, a model or a file of tests, it is there.
pub fn heads_are_true(world: &World) -> Findings {
    let mut findings = Findings::new();
    let bugs = world.files.iter().find(|file| file.path == "crates/millstream-sync/src/seeded.rs");
    let bugs = bugs.map_or("", |file| &file.text);
    for file in world.files.iter().filter(|file| file.path.ends_with(".rs")) {
        let head = checked_by(&file.text);
        let mut kind = "";
        for (before, name) in kinds(&head) {
            kind = match before.rsplit(' ').next().unwrap_or_default() {
                "and" => kind,
                other => other,
            };
            let found = match kind {
                "loom" => protocols_of(world, "loom").contains(name),
                "shuttle" => protocols_of(world, "shuttle").contains(name),
                "probe" | "probes" => is_probe(world, name),
                "bug" => bugs.contains(&format!("\"{name}\"")),
                _ => true,
            };
            if !found {
                findings.push(format!("{}: there is no {kind} `{name}`", file.path));
            }
        }
        let words = head.split([' ', ',', ';', '`', '(', ')']).map(|word| word.trim_end_matches(['.', ':']));
        for word in words {
            let known = match word.strip_prefix("specs/") {
                Some(model) => world.models.iter().any(|known| known.spec == model),
                None if word.starts_with("tests/") => {
                    world.files.iter().any(|file| file.path.contains(&format!("/{}", word.trim_end_matches(".rs"))))
                }
                None => true,
            };
            if !known {
                findings.push(format!("{}: there is no {word}", file.path));
            }
        }
    }
    findings
}
