//! Builds the programs of millstream-sanitize with a sanitizer, in their own target folder, and runs them.
//!
//! The sanitizers are options of the nightly compiler: `RUSTC_BOOTSTRAP` makes the stable one take them. Their runtimes come with it; the standard library is
//! the usual one, without checks inside.

use std::process::Command;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::step;

/// What looks for what.
#[derive(Clone, Copy, ValueEnum)]
pub enum Sanitizer {
    /// ThreadSanitizer: data races, and locks that are taken in both orders.
    Thread,
    /// AddressSanitizer with LeakSanitizer: use after free, out of bounds, leaks.
    Address,
}

/// Only here do compiler and C library have what is needed.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Runs the cases whose name contains `only`, and what must be reported.
pub fn run(sanitizer: Sanitizer, only: &str) -> Result<()> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        bail!("sanitize: needs {TARGET}");
    }
    let (name, cfg) = match sanitizer {
        Sanitizer::Thread => ("thread", " --cfg millstream_tsan"),
        Sanitizer::Address => ("address", ""),
    };
    let target = step::target(name);
    let mut build = step::cargo(&["build", "--package", "millstream-sanitize", "--profile", "sanitize"]);
    build
        .args(["--features", "seeded-bugs", "--target", TARGET])
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", format!("-Zsanitizer={name} -Cunsafe-allow-abi-mismatch=sanitizer{cfg}"))
        .env("CARGO_TARGET_DIR", &target);
    step::run(&format!("build for the {name} sanitizer"), &mut build)?;
    let suppressions = step::root().join("crates/millstream-sanitize/thread.supp");
    let mut programs = Command::new(target.join(TARGET).join("sanitize/millstream-sanitize"));
    programs.args([name, only]).env("TSAN_OPTIONS", format!("suppressions={}", suppressions.display()));
    step::run(&format!("sanitize {name}"), &mut programs)
}
