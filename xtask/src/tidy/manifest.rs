//! The root manifest.

use super::Findings;
use crate::step::File;

/// A dependency from outside the house without a reason.
pub fn reasons(file: &File) -> Findings {
    let mut findings = Findings::new();
    let mut inside = false;
    for (number, line) in file.text.lines().enumerate() {
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
        }
        let outside_the_house = inside && line.contains('=') && !line.starts_with('#') && !line.contains("path =");
        if outside_the_house && !line.contains(" # ") {
            findings.push(format!("{}:{}: a dependency without a reason: {line}", file.path, number + 1));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let text = "[workspace.dependencies]\na = { path = \"a\" }\nb = \"1\" # why\nc = \"1\"\n[profile.dev]\nd = 1\n";
        assert_eq!(reasons(&file("Cargo.toml", text)), ["Cargo.toml:4: a dependency without a reason: c = \"1\""]);
    }
}
