//! The suite that every backend passes, and the double-precision interpreter it compares with.
//!
//! A backend's crate has one line in its tests:
//!
//! ```ignore
//! millstream_conformance::conformance_suite!(queued, || Arc::new(CpuBackend::new(CpuOptions::queued())));
//! ```
//!
//! and gets a test for each case. What a case asks is what millstream-hal promises to the runtime and no more: no speed, and no order
//! that nobody asked for.
//!
//! **Checked by** tests/teeth: a backend broken on purpose fails the case that is there for it.

mod error;
pub mod interpreter;
pub mod suite;
#[cfg(test)]
mod testing;

pub use error::Error;
pub use interpreter::{footprint, interpret};
