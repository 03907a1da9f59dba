//! Verification rounds: what a round is bound to, what it found, the ledger that keeps it and the report that shows it.
//!
//! A round is a set of executed attempts on the user's machine. This crate holds everything about a round that is not
//! the attempts themselves: the data of a round ([`model`]), the subject it is bound to ([`subject`]), the append-only
//! ledger ([`ledger`]), the count of consecutive clean rounds ([`streak`]), the comparison with earlier rounds ([`history`], [`coverage`]), and the reports as Markdown, JSON, JUnit
//! and HTML ([`report`]) with the console block of the stress run ([`console`]). None of these opens a device or
//! starts a thread, so that each can be tested with a round made by hand.
//!
//! **Invariants**
//! - `report-is-a-function`: every report is a function of one [`model::Round`]; nothing is looked up while writing it.
//! - `never-proven`: a clean round is reported as `CLEAN`; no text claims a proof.
//!
//! **Checked by**: unit tests, `tests/report.rs`, `tests/ledger.rs`, `tests/history.rs`, `tests/streak.rs`.

#![forbid(unsafe_code)]

pub mod attempts;
pub mod console;
pub mod coverage;
pub mod date;
pub mod doctor;
mod error;
pub mod history;
pub mod ledger;
pub mod model;
pub mod model_folder;
pub mod open;
pub mod own_code;
pub mod plan;
pub mod report;
pub mod round;
pub mod seeded;
pub mod sim;
pub mod streak;
pub mod subject;
mod subject_hash;
pub mod workload;

pub use error::Error;

/// Result of the operations of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
