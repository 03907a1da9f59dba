//! Starts the loom cases of millstream-sync, built under their own `cfg` in their own target folder.

use anyhow::Result;

use crate::step;

/// Runs the cases whose name contains `only`.
pub fn run(only: &str) -> Result<()> {
    let test = ["test", "--package", "millstream-sync", "--features", "seeded-bugs", "--test", "loom"];
    let mut command = step::cargo(&test);
    command.env("RUSTFLAGS", "--cfg millstream_loom").env("CARGO_TARGET_DIR", step::target("loom"));
    if !only.is_empty() {
        command.args(["--", only]);
    }
    step::run("loom", &mut command)
}
