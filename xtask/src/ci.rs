//! All checks in a row, going on after a failure, with a summary at the end.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::sanitize::Sanitizer;
use crate::step::{self, cargo};
use crate::{bans, inventory, layers, loom, page, sanitize, shuttle, specs, spin, tidy, trace};

type Step = fn() -> Result<()>;

/// Runs everything that the automated build runs.
pub fn run() -> Result<()> {
    let steps: [(&str, Step); 15] = [
        ("fmt", || step::run("fmt", &mut cargo(&["fmt", "--all", "--check"]))),
        ("tidy", tidy::run),
        ("layers", layers::run),
        ("clippy", || {
            let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
            step::run("clippy", &mut cargo(&clippy))
        }),
        ("bans", bans::run),
        ("inventory", || inventory::run(true)),
        ("trace", trace::run),
        ("specs", specs::run),
        ("spin", spin::run),
        ("loom", || loom::run("")),
        ("shuttle", || shuttle::run("", None)),
        ("sanitize thread", || sanitize::run(Sanitizer::Thread, "")),
        ("seeded bugs", || {
            let seeded = ["test", "--package", "millstream-sync", "--features", "seeded-bugs"];
            step::run("seeded bugs", &mut cargo(&seeded))
        }),
        ("page", || page::run(None, None)),
        ("test", || step::run("test", &mut cargo(&["test", "--workspace"]))),
    ];
    let mut summary = Vec::new();
    let mut failed = 0;
    for (name, step) in steps {
        let started = Instant::now();
        let result = step();
        let mark = if result.is_ok() { "ok  " } else { "FAIL" };
        let note = result.as_ref().err().map(|error| format!(": {error:#}")).unwrap_or_default();
        summary.push(format!("{mark} {:>6.1} s  {name}{note}", started.elapsed().as_secs_f64()));
        failed += u32::from(result.is_err());
    }
    println!("\n{}", summary.join("\n"));
    if failed > 0 {
        bail!("{failed} checks failed");
    }
    Ok(())
}
