//! What came out, as one table.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::list::Mutant;

/// What became of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// A test failed.
    Caught,
    /// The compiler or a lint refused it.
    Refused,
    /// The tests did not end.
    Endless,
    /// A loom case had another number of schedules, and nothing else was wrong.
    Recounted,
    /// All tests passed.
    Survived,
}

use Verdict::{Caught, Endless, Recounted, Refused, Survived};

/// What the loom cases print of one that only has another number of schedules.
const RECOUNTED: &str = "only the number of schedules";

impl Verdict {
    /// Whether the next judge should see it too.
    pub fn is_open(self) -> bool {
        matches!(self, Recounted | Survived)
    }

    /// The clearer one of two judges' verdicts.
    pub fn or(self, other: Self) -> Self {
        self.min(other)
    }
}

/// Reads what cargo-mutants left.
pub fn verdicts(folder: &Path) -> Result<Vec<(Mutant, Verdict)>> {
    let text = std::fs::read_to_string(folder.join("outcomes.json")).context("outcomes.json")?;
    let outcomes: Value = serde_json::from_str(&text).context("outcomes.json")?;
    let mut verdicts = Vec::new();
    for outcome in outcomes["outcomes"].as_array().into_iter().flatten() {
        let mutant = &outcome["scenario"]["Mutant"];
        if mutant.is_null() {
            continue;
        }
        let log = folder.join(outcome["log_path"].as_str().unwrap_or_default());
        let log = std::fs::read_to_string(&log).with_context(|| log.display().to_string())?;
        let summary = outcome["summary"].as_str().unwrap_or_default();
        verdicts.push((serde_json::from_value(mutant.clone())?, verdict(summary, &log)?));
    }
    Ok(verdicts)
}

/// One outcome in cargo-mutants' words, and what the tests printed.
fn verdict(summary: &str, log: &str) -> Result<Verdict> {
    Ok(match summary {
        "CaughtMutant" => {
            let mut failed = log.lines().filter(|line| line.starts_with("FAIL ")).peekable();
            let recounted = failed.peek().is_some() && failed.all(|line| line.contains(RECOUNTED));
            if recounted { Recounted } else { Caught }
        }
        "MissedMutant" => Survived,
        "Unviable" => Refused,
        "Timeout" => Endless,
        other => anyhow::bail!("an outcome that is not known: {other}"),
    })
}

/// The table, a row a file, and below it every mutant that no failing test caught.
pub fn text(all: &[Mutant], seen: &BTreeMap<Mutant, Verdict>) -> String {
    let mut files: BTreeMap<&str, [usize; 7]> = BTreeMap::new();
    for mutant in all {
        files.entry(&mutant.file).or_default()[0] += 1;
    }
    for (mutant, verdict) in seen {
        let row = files.entry(&mutant.file).or_default();
        row[1] += 1;
        row[2 + [Caught, Recounted, Endless, Refused, Survived].iter().position(|v| v == verdict).unwrap_or(0)] += 1;
    }
    let mut sum = [0; 7];
    for row in files.values() {
        sum = std::array::from_fn(|at| sum[at] + row[at]);
    }
    files.insert("~ all", sum);
    let mut text =
        "| file | mutants | run | a test failed | only the number of schedules | without end | refused | survived |\n"
            .to_owned();
    text += "|---|---:|---:|---:|---:|---:|---:|---:|\n";
    for (file, row) in files {
        let name = file.rsplit_once("/src/").map_or(file.trim_start_matches("~ "), |(_, name)| name);
        text += &format!("| {name} | {} |\n", row.map(|n| n.to_string()).join(" | "));
    }
    for (verdict, title) in
        [(Recounted, "only the number of schedules"), (Endless, "without end"), (Survived, "survived")]
    {
        for (mutant, _) in seen.iter().filter(|(_, v)| **v == verdict) {
            text += &format!("{title}: {}\n", mutant.name);
        }
    }
    text
}

/// The survivors of which the page has no row: one with the file and the change, each in backticks.
pub fn unexplained(seen: &BTreeMap<Mutant, Verdict>, page: &str) -> Vec<String> {
    let survivors = seen.iter().filter(|(_, verdict)| **verdict == Survived).map(|(mutant, _)| mutant);
    let is_explained = |mutant: &&Mutant| {
        let file = mutant.file.rsplit_once("/src/").map_or(&*mutant.file, |(_, name)| name);
        let change = change(&mutant.name).replace('|', "\\|");
        page.lines().any(|line| line.contains(&format!("| `{file}` |")) && line.contains(&format!("`{change}`")))
    };
    survivors.filter(|mutant| !is_explained(mutant)).map(|mutant| mutant.name.clone()).collect()
}

/// What is changed, without where.
fn change(name: &str) -> &str {
    name.split_once(": ").map_or(name, |(_, change)| change)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(verdict: Verdict) -> BTreeMap<Mutant, Verdict> {
        let file = "crates/millstream-sync/src/gate.rs";
        let name = format!("{file}:7:9: replace || with && in Gate::pass");
        BTreeMap::from([(Mutant { file: file.to_owned(), name }, verdict)])
    }

    #[test]
    fn a_case_that_fails_otherwise_is_more_than_another_number() {
        let recounted =
            "ok   1 schedules a/b\nFAIL 2 schedules a/c (pinned 3, only the number of schedules is wrong)\n";
        assert_eq!(verdict("CaughtMutant", recounted).unwrap(), Recounted);
        assert_eq!(
            verdict("CaughtMutant", &format!("{recounted}FAIL 1 schedules a/d (pinned 9): no")).unwrap(),
            Caught
        );
        assert_eq!(verdict("CaughtMutant", "test result: FAILED").unwrap(), Caught);
        assert!(verdict("Success", "").is_err());
        assert_eq!(Recounted.or(Caught), Caught);
        assert_eq!(Survived.or(Recounted), Recounted);
    }

    #[test]
    fn a_survivor_needs_a_row_of_its_file_and_change() {
        let row = |file: &str, change: &str| format!("| `{file}` | `{change}` | why |\n");
        let page = row("gate.rs", r"replace \|\| with && in Gate::pass");
        assert!(unexplained(&seen(Survived), &page).is_empty());
        assert!(unexplained(&seen(Caught), "").is_empty());
        for other in
            [row("inbox.rs", r"replace \|\| with && in Gate::pass"), row("gate.rs", "replace Gate::pass with ()")]
        {
            assert_eq!(unexplained(&seen(Survived), &other).len(), 1);
        }
    }

    #[test]
    fn a_row_says_how_many_there_are_and_how_many_were_run() {
        let seen = seen(Survived);
        let mutant = seen.keys().next().unwrap();
        let all = [mutant.clone(), Mutant { name: "another".to_owned(), ..mutant.clone() }];
        let text = text(&all, &seen);
        assert!(text.contains("| gate.rs | 2 | 1 | 0 | 0 | 0 | 0 | 1 |\n| all | 2 | 1 |"), "{text}");
        assert!(text.contains("survived: crates/millstream-sync/src/gate.rs:7:9"), "{text}");
    }
}
