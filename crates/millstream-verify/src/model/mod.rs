//! The data of one round, in the shape of its JSON (`millstream.round/1`).
//!
//! Attempts fill these structs, reports and the ledger read them, and `--replay` reads them back. They are plain data
//! with public fields: a struct changes only when the JSON contract changes. A key that does not apply is omitted, so
//! every optional field is skipped when empty and defaults when absent.
//!
//! **Invariants**
//! - `json-round-trip`: writing a round as JSON and reading it back gives an equal round.
//!
//! **Checked by**: `tests/report.rs`.

mod attempt;
mod coverage;
mod finding;
mod result;
mod round;
mod soak;
mod stress;

pub use attempt::{Attempt, Counter, Graph, GraphEdge, IsolatedLock, Pattern, Probe, ProbeStatus, Site, SiteStatus};
pub use coverage::{Choice, Configuration, Coverage, CoverageOfTwo, Factor};
pub use finding::Finding;
pub use result::RoundResult;
pub use round::{
    Calibration, Config, ConsecutiveClean, DeviceInfo, HistoryPoint, LedgerLink, Machine, NotCounted, Note, OwnModel,
    Round, SCHEMA,
};
pub use soak::{Soak, SoakWindow};
pub use stress::{Blocks, DriverCalls, Handover, Lane, Latency, LatencyBucket, Span, Stress, Timeline};

/// For `skip_serializing_if`: a flag that is off is omitted.
fn is_false(flag: &bool) -> bool {
    !flag
}
