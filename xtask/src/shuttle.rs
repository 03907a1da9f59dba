//! Starts the shuttle cases of millstream-sync, built under their own `cfg` in their own target folder.

use anyhow::Result;

use crate::step;

/// Runs the cases whose name contains `only`, with the usual seed or another.
pub fn run(only: &str, seed: Option<u64>) -> Result<()> {
    let test = ["test", "--package", "millstream-sync", "--features", "seeded-bugs", "--test", "shuttle", "--"];
    let mut command = step::cargo(&test);
    command.env("RUSTFLAGS", "--cfg millstream_shuttle").env("CARGO_TARGET_DIR", step::target("shuttle"));
    if let Some(seed) = seed {
        command.args(["--seed", &seed.to_string()]);
    }
    if !only.is_empty() {
        command.arg(only);
    }
    step::run("shuttle", &mut command)
}
