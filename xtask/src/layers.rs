//! The arrows between the crates: who may know whom. A new arrow needs a decision page, and a line here.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::step;

/// `sync` stands in nearly every row because nobody else may name the standard library's `Arc`, atomics or locks.
///
/// Crate, whom it may know, whom its tests may know besides, and whether it forbids unsafe code.
const ALLOWED: &[(&str, &[&str], &[&str], bool)] = &[
    ("millstream-sync", &[], &[], false),
    ("millstream-hal", &[], &[], true),
    ("millstream-conformance", &["hal", "sync"], &["sim"], false),
    ("millstream-sim", &["hal", "sync", "conformance"], &[], true),
    ("millstream-cpu", &["hal", "sync"], &["conformance"], false),
    ("millstream-cuda", &["hal", "sync"], &["conformance", "cuda-mock", "cpu", "runtime", "tensor"], false),
    ("millstream-cuda-mock", &["sync"], &[], false),
    ("millstream-runtime", &["hal", "sync"], &["sim", "cpu", "conformance"], false),
    ("millstream-tensor", &["runtime", "hal"], &["sim", "cpu", "conformance"], true),
    ("millstream-models", &["tensor", "runtime", "hal", "sync"], &["cpu"], true),
    ("millstream", &["tensor", "runtime", "hal", "sync", "cpu", "cuda", "models"], &["sim", "conformance"], true),
    ("millstream-verify", &["millstream", "sim", "hal", "sync", "runtime"], &["cpu", "conformance", "tensor"], true),
    ("millstream-sanitize", &["millstream", "sync"], &[], true),
    ("millstream-cli", &["verify", "millstream", "sync"], &[], true),
];

/// Compares the manifests with the table.
pub fn run() -> Result<()> {
    let metadata = step::output(&mut step::cargo(&["metadata", "--no-deps", "--format-version", "1", "--offline"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata")?;
    let mut wrong = check(&arrows(&metadata));
    for (name, _, _, forbids) in ALLOWED {
        let lib = step::root().join("crates").join(name).join("src");
        let Some(text) = ["lib.rs", "main.rs"].iter().find_map(|f| std::fs::read_to_string(lib.join(f)).ok()) else {
            continue;
        };
        if *forbids && !text.contains("#![forbid(unsafe_code)]") {
            wrong.push(format!("{name} does not say #![forbid(unsafe_code)]"));
        }
    }
    if !wrong.is_empty() {
        bail!("layers:\n  {}", wrong.join("\n  "));
    }
    println!("layers: all arrows are in the table");
    Ok(())
}

/// (from, to, only in tests)
type Arrow = (String, String, bool);

fn arrows(metadata: &Value) -> Vec<Arrow> {
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut arrows = Vec::new();
    for package in list(metadata, "packages") {
        for dependency in list(&package, "dependencies") {
            let (from, to) = (text(&package["name"]), text(&dependency["name"]));
            if dependency["path"].is_string() && from.starts_with("millstream") {
                arrows.push((from, to, dependency["kind"] == "dev"));
            }
        }
    }
    arrows
}

fn check(arrows: &[Arrow]) -> Vec<String> {
    let table: BTreeMap<&str, _> = ALLOWED.iter().map(|(name, knows, tests, _)| (*name, (knows, tests))).collect();
    let mut wrong = Vec::new();
    for (from, to, test) in arrows {
        let Some((knows, tests)) = table.get(from.as_str()) else {
            wrong.push(format!("{from} is not in the table"));
            continue;
        };
        let short = to.strip_prefix("millstream-").unwrap_or(to);
        let allowed = knows.contains(&short) || (*test && tests.contains(&short));
        if !allowed {
            wrong.push(format!("{from} may not know {to}{}", if *test { " (not even in tests)" } else { "" }));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrow(from: &str, to: &str, test: bool) -> Arrow {
        (from.to_owned(), to.to_owned(), test)
    }

    #[test]
    fn the_runtime_may_know_a_backend_only_in_its_tests() {
        assert_eq!(check(&[arrow("millstream-runtime", "millstream-cpu", true)]), [""; 0]);
        assert_eq!(
            check(&[arrow("millstream-runtime", "millstream-cpu", false)]),
            ["millstream-runtime may not know millstream-cpu"]
        );
    }

    #[test]
    fn sync_knows_nobody_and_strangers_are_reported() {
        assert_eq!(check(&[arrow("millstream-sync", "millstream-hal", true)]).len(), 1);
        assert_eq!(check(&[arrow("millstream-new", "millstream-hal", false)]), ["millstream-new is not in the table"]);
    }
}
