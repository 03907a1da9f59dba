//! Starts the models of the protocols.

use anyhow::Result;

use crate::step;

/// Explores them all.
pub fn run() -> Result<()> {
    step::run("specs", &mut step::cargo(&["run", "--quiet", "--package", "specs"]))
}
