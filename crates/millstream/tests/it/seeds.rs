//! Sweeps over the seeds of scheduled runs. A seed that fails prints the one command that runs it again.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs `one` for so many seeds from zero on, or for those that the environment says. Whether it was the usual sweep: only then say sums
/// over all of them anything.
pub fn sweep(seeds: u64, mut one: impl FnMut(u64)) -> bool {
    let (first, some) = (number("MILLSTREAM_FIRST_SEED"), number("MILLSTREAM_SEEDS"));
    let from = first.unwrap_or(0);
    for seed in from..from + some.unwrap_or(seeds) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| one(seed))) {
            eprintln!("replay: {}", command(seed));
            resume_unwind(panic);
        }
    }
    first.is_none() && some.is_none()
}

/// The test runner names the thread by its test.
fn command(seed: u64) -> String {
    let thread = std::thread::current();
    let test = thread.name().filter(|name| name.contains("::")).unwrap_or("scheduled::");
    format!("MILLSTREAM_FIRST_SEED={seed} MILLSTREAM_SEEDS=1 cargo test --package millstream --test it {test}")
}
