//! The `millstream` command: arguments in, rounds and figures out, one exit code.
//!
//! Everything that a round does is in `millstream-verify`; this binary parses, prints and maps errors to exit codes. The contract that it keeps
//! is `docs/cli.md`.
//!
//! **Invariants**
//! - `no-panic-out`: a panic reaches the user as one line and exit code 70.
//! - `closed-pipe-is-quiet`: a reader that has gone away ends the command with 0 and no message.
//! - `json-is-alone`: with `--json` standard output holds objects, one a line, and nothing else.
//!
//! **Checked by**: `tests/it`, by running the binary.

#![forbid(unsafe_code)]

mod args;
mod doctor;
mod embed;
mod exit;
mod ledger;
#[cfg(feature = "models")]
mod model;
mod output;
mod parse;
mod probe;
mod progress;
mod rerank;
mod seeded;
mod stress;
mod trace;
mod verify;

use std::process::ExitCode;

fn main() -> ExitCode {
    exit::of(|| match args::parse()? {
        args::Command::Verify(arguments) => verify::run(&arguments),
        args::Command::Stress(arguments) => stress::run(&arguments),
        args::Command::Trace(arguments) => trace::run(&arguments),
        args::Command::Embed(arguments) => embed::run(&arguments),
        args::Command::Rerank(arguments) => rerank::run(&arguments),
        args::Command::Ledger(arguments) => ledger::run(&arguments),
        args::Command::Doctor(arguments) => doctor::run(&arguments),
        args::Command::Probe(arguments) => probe::run(&arguments),
    })
}
