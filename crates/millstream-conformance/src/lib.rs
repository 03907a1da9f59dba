//! The suite that every backend passes, and the double-precision interpreter it compares with.

mod error;
pub mod interpreter;
#[cfg(test)]
mod testing;

pub use error::Error;
pub use interpreter::{footprint, interpret};
