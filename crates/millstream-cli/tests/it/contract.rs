//! `docs/cli.md` and the binary say the same.

use std::collections::BTreeSet;

use crate::tool::Tool;

const PAGE: &str = include_str!("../../../../docs/cli.md");

#[test]
fn every_flag_of_every_help_is_on_the_page() {
    let tool = Tool::new();
    for command in ["verify", "stress", "trace", "embed", "rerank", "ledger", "doctor"] {
        let help = tool.run(&[command, "--help"]).ends(0).out;
        let words = help.split_whitespace().map(|word| word.trim_end_matches(','));
        let flags: BTreeSet<&str> = words.filter(|word| word.starts_with("--") && word.len() > 2).collect();
        assert!(flags.len() > 1, "{help}");
        for flag in flags {
            assert!(PAGE.contains(&format!("`{flag}")), "{command} {flag} is not on docs/cli.md");
        }
        assert!(PAGE.contains(&format!("## {command}")), "{command}");
    }
}

#[test]
fn every_flag_of_the_page_is_in_a_help() {
    let tool = Tool::new();
    let helps: String = ["verify", "stress", "trace", "embed", "rerank", "ledger", "doctor"]
        .iter()
        .map(|command| tool.run(&[command, "--help"]).out)
        .collect();
    // Rows of the tables: "| `--threads T` | ...".
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `--"));
    for row in rows {
        let flag = format!("--{}", row.split(['`', ' ']).next().unwrap());
        assert!(helps.contains(&flag), "{flag} is on docs/cli.md only");
    }
}

#[test]
fn defaults_of_the_page_are_those_of_the_help() {
    let help = Tool::new().run(&["verify", "--help"]).out;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for default in ["cpu", "20", "500", "50", "256", "5s", "./verification", "1"] {
        assert!(help.contains(&format!("[default: {default}]")), "{default}");
        assert!(PAGE.contains(&format!("| `{default}` |")), "{default}");
    }
}

#[test]
fn every_attempt_is_on_the_page() {
    for entry in &millstream_verify::attempts::ATTEMPTS {
        assert!(PAGE.contains(&format!("`{}`", entry.id)), "{}", entry.id);
    }
}
