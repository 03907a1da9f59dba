//! Ties specs, sources, tests and invariants together: what `specs/README.md` says of each protocol must be there.
//!
//! The tables of that page are for people; this reads them, asks the models what they state, and looks into the sources. Each rule is a function
//! to findings, so that its test can show it fire.

mod heads;
mod rules;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::spin;
use crate::step::{self, File};

/// The page with the tables.
const README: &str = "specs/README.md";

/// What is wrong.
type Findings = Vec<String>;

/// What a model states, as `specs --list` prints it.
#[derive(Clone, Debug, Deserialize)]
struct Stated {
    spec: String,
    invariants: BTreeSet<String>,
    broken: BTreeSet<(String, String)>,
}

/// A property of a SPIN twin, and what breaks it.
type Twin = (&'static str, &'static str, BTreeSet<&'static str>);

/// All that the rules look at.
struct World {
    files: Vec<File>,
    models: Vec<Stated>,
    twins: BTreeSet<Twin>,
}

impl World {
    fn readme(&self) -> &str {
        self.files.iter().find(|file| file.path == README).map_or("", |file| &file.text)
    }

    /// The files below a folder that end like this.
    fn below<'a>(&'a self, folder: &'a str, ending: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| file.path.starts_with(folder) && file.path.ends_with(ending))
    }
}

/// Applies all rules to the repository.
pub fn run() -> Result<()> {
    let listed = step::output(&mut step::cargo(&["run", "--quiet", "--package", "specs", "--", "--list"]))?;
    let models: Vec<Stated> =
        listed.lines().map(serde_json::from_str).collect::<Result<_, _>>().context("what the models state")?;
    let world = World { files: step::files()?, models, twins: spin::stated() };
    let findings = rules::all(&world);
    if !findings.is_empty() {
        bail!("trace: {} findings\n  {}", findings.len(), findings.join("\n  "));
    }
    let invariants: usize = world.models.iter().map(|model| model.invariants.len()).sum();
    println!(
        "trace: {} models with {invariants} invariants and {} properties of twins are where {README} says",
        world.models.len(),
        world.twins.len()
    );
    Ok(())
}
