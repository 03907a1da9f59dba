//! The profiler: always on unless [`crate::DeviceOptions::profiler`] says no, a ring for each thread, read while threads run.

mod chrome;
mod clock;
mod limbo;
mod numbers;
mod recorder;
mod samples;
mod trace;
mod tracks;

pub use limbo::LimboStay;
pub(crate) use limbo::{Stay, Stays};
pub(crate) use recorder::{Profiler, ThreadRing, Why};
pub use samples::MemorySample;
pub use trace::{Arrow, Span, Trace};
