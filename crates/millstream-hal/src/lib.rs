//! The contract between the runtime and a backend.
//!
//! A backend is a device that owns memory, in-order streams and events, and that runs kernels which are described as
//! plain data. The runtime above decides *when* and *on which stream*; the backend below decides *how*. This crate holds
//! nothing but the words they share, so that a new backend is one more crate. It has no word for a pool, a cache or a
//! tensor, and no lock.
//!
//! **Invariants**
//! * `enqueue-order`: the enqueue methods of one stream are never called by two threads at once (the runtime holds the
//!   stream's submission lock), and their effects happen in the order of the calls.
//! * `enqueue-never-waits`: an enqueue may block only for room in the launch queue, never for completion.
//! * `memory-outlives-work`: the runtime releases a segment only after all work that names it has completed.
//!
//! **Checked by** millstream-conformance, one line per backend.
#![forbid(unsafe_code)]

mod backend;
mod capture;
mod driver_calls;
mod dtype;
mod error;
mod event;
mod kernel;
mod launch;
mod layout;
mod mark;
mod memory;
mod operation;
mod staging;
mod stream;

pub use backend::{Backend, DeviceInfo, Fault, FaultScope, Launched};
pub use capture::RawGraph;
pub use driver_calls::DriverCalls;
pub use dtype::{DType, Scalar};
pub use error::{Error, Result};
pub use event::{EventStatus, RawEvent};
pub use kernel::{Kernel, PhiloxKey};
pub use launch::{Access, Launch, MAX_OPERANDS, Operand};
pub use layout::{Layout, MAX_DIMS, Views};
pub use mark::Mark;
pub use memory::{DevicePtr, RawSegment, SEGMENT_ALIGN};
pub use operation::{BinaryOp, ReduceOp, UnaryOp};
pub use staging::RawStaging;
pub use stream::RawStream;
