//! Whole protocols under randomised schedules: uniform, uniform over orders (URW), and PCT of depth 2 to 5.
//!
//! Shuttle sees every operation as sequentially consistent: it finds wrong steps, not missing orderings (those are loom's). Each case runs
//! under each scheduler with a seed that is printed; a failure prints the schedule to replay. A seeded bug must be found by at least
//! one scheduler.
//!
//! Run by `cargo xtask shuttle`; `--seed N` runs another part of the schedules, a name only the cases that contain it.

#[cfg(all(millstream_shuttle, feature = "seeded-bugs"))]
#[path = "../driver/mod.rs"]
mod driver;

#[cfg(all(millstream_shuttle, feature = "seeded-bugs"))]
mod checks;
#[cfg(all(millstream_shuttle, feature = "seeded-bugs"))]
mod subsystems;

#[cfg(all(millstream_shuttle, feature = "seeded-bugs"))]
fn main() -> std::process::ExitCode {
    checks::main()
}

#[cfg(not(all(millstream_shuttle, feature = "seeded-bugs")))]
fn main() -> std::process::ExitCode {
    eprintln!("built without shuttle: use `cargo xtask shuttle`");
    std::process::ExitCode::FAILURE
}
