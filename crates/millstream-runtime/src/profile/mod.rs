//! The profiler: always on, a ring for each thread, read while threads run.

mod export;
mod recorder;

pub use export::Trace;
pub use recorder::{Arrow, Span};
pub(crate) use recorder::{Kind, Profiler, ThreadRing};
