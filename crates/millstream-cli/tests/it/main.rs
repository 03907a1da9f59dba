//! The binary as a user runs it: exit codes, streams, files.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod bad_input;
mod contract;
mod interrupt;
mod ledger;
mod rounds;
mod tool;
mod trace;
