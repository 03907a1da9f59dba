//! Tensors and their operations.
//!
//! A [`Tensor`] is a counted handle to device memory with an element type and a shape; it is `Clone + Send + Sync`, and using one on another thread than the one that made it just works.
//! Operations are functional: they enqueue work on the calling thread's stream and return at once; the values are the same bits whatever the threads and streams.
//! Only what reads to the host ([`Tensor::to_vec`], [`Tensor::item`], [`Tensor::fingerprint`], printing) waits.
//!
//! What does not make sense is refused with a typed [`Error`] before anything is enqueued. Nothing is promoted: operands of two types are an error that names both.
//!
//! This crate has no word for a stream or a lock; it turns operations into kernels and hands them to the runtime.
//!
//! **Invariants**
//! * `no-host-heap`: an operation that succeeds takes nothing from the host's heap in this crate; layouts are inline.
#![forbid(unsafe_code)]

mod create;
mod devices;
mod display;
mod dlpack;
mod element;
mod elementwise;
mod error;
mod generator;
mod host;
mod layers;
mod mapped;
mod matmul;
mod operand;
mod range;
mod reduce;
mod tensor;
mod view;

pub use element::Element;
pub use error::{Error, Result};
pub use generator::Generator;
pub use host::read_all;
pub use operand::Operand;
pub use tensor::Tensor;
