//! The binary as a user runs it: exit codes, streams, files.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod bad_input;
mod commands;
mod contract;
mod elsewhere;
#[cfg(feature = "models")]
mod embed;
mod interrupt;
mod ledger;
#[cfg(feature = "models")]
mod model;
#[path = "../../../millstream-verify/tests/published/mod.rs"]
mod published;
mod regression;
#[cfg(feature = "models")]
mod rerank;
mod rounds;
mod schema;
mod tamper;
mod tool;
mod trace;
