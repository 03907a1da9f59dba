//! Every interleaving of the small protocols, under the C11 memory model, with two or three threads.
//!
//! Three parts. **Cases** hold in every schedule, and their number of schedules is pinned: another number means that the protocol or
//! the checker changed. **Bugs** are the seeded bugs of the crate: a case must find each. **Mutants** are all operations of a protocol's file,
//! each weakened once (see `millstream_sync::atomic::mutant`): a case must find each, or the operation stands in [`NOT_NEEDED`] with a
//! reason.
//!
//! Run by `cargo xtask loom`; an argument runs only what contains it.

#[cfg(all(millstream_loom, feature = "seeded-bugs"))]
#[path = "../driver/mod.rs"]
mod driver;

#[cfg(all(millstream_loom, feature = "seeded-bugs"))]
mod checks;
#[cfg(all(millstream_loom, feature = "seeded-bugs"))]
mod protocols;

#[cfg(all(millstream_loom, feature = "seeded-bugs"))]
fn main() -> std::process::ExitCode {
    checks::main()
}

#[cfg(not(all(millstream_loom, feature = "seeded-bugs")))]
fn main() -> std::process::ExitCode {
    eprintln!("built without loom: use `cargo xtask loom`");
    std::process::ExitCode::FAILURE
}
