//! The binary as a user runs it: exit codes, streams, files.

mod bad_input;
mod contract;
mod interrupt;
mod ledger;
mod rounds;
mod tool;
