//! Tensors and their operations.
//!
//! A [`Tensor`] is a counted handle to device memory with a shape; it is `Clone + Send + Sync`, and using one on another thread than the one that made it just works.
//! Operations are functional: they enqueue work on the calling thread's stream and return at once; the values are the same bits whatever the threads and streams.
//! Only what reads to the host ([`Tensor::to_vec`], [`Tensor::item`], [`Tensor::fingerprint`]) waits.
//!
//! This crate has no word for a stream or a lock; it turns operations into kernels and hands them to the runtime.
#![forbid(unsafe_code)]

mod create;
mod elementwise;
mod error;
mod generator;
mod host;
mod matmul;
mod reduce;
mod tensor;
mod view;

pub use error::{Error, Result};
pub use generator::Generator;
pub use host::read_all;
pub use tensor::Tensor;
