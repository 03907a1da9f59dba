//! The CUDA backend. The only crate that meets the driver, which it finds at run time: the same build runs where CUDA is not.
//!
//! Streams are own non-blocking ones, never the legacy stream; segments are taken by plain allocation and cut up by the runtime; completion is read
//! from events in order; kernels are compiled by NVRTC when a device is opened, and kept on disk. A launch is one driver call and takes no lock.
//!
//! It knows the contract and the seam, and no runtime: no tensor, no pool, no policy.

mod backend;
mod cache;
mod compile;
mod context;
mod driver;
mod environment;
mod error;
mod event;
mod fault;
mod functions;
mod graph;
mod launch;
mod library;
mod loaded;
mod memory;
mod nvrtc;
mod options;
mod peer;
mod poll;
mod statistics;
mod stream;
mod unheard;

pub use backend::CudaBackend;
pub use compile::{Kernels, compile_all};
pub use error::{OpenError, Result};
pub use library::NotFound;
pub use options::CudaOptions;
pub use statistics::Statistics;
pub use unheard::{UnheardErrors, unheard_errors};
