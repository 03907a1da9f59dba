//! The default backend: inline and queued streams on the CPU.
//!
//! Two devices in one: `cpu`, whose streams are driven by the threads that call in, and `cpu:queued`, with a worker thread per
//! stream. Below them are [`kernels`], pure functions over slices with one body per kernel and one compilation per instruction set.
//! It knows the contract and the seam, and no runtime: no tensor, no pool, no policy.
//!
//! A panic inside a kernel must unwind for the device to become faulty instead of the process to end.

mod backend;
mod drive;
mod event;
mod execute;
mod fault;
mod host;
pub mod kernels;
mod memory;
mod operands;
mod options;
mod simd;
mod statistics;
mod stream;
mod team;

pub use backend::CpuBackend;
pub use options::{CpuOptions, Mode};
pub use simd::Level;
pub use statistics::Statistics;
