//! The default backend: inline and queued streams on the CPU.
pub mod kernels;
mod simd;

pub use simd::Level;
