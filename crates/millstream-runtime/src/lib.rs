//! Device, streams, events, memory, profiler and shutdown over any backend.
//!
//! Many threads, one device: each thread gets a stream of its own at its first use, memory comes from one stream-ordered allocator, and a value
//! written on one stream can be used on any other; the runtime makes the device wait where it must and never the host.
//!
//! This crate knows the backend's contract and no backend, and has no word for an operation: kernels pass through as data. There is no global device.
//!
//! **Locks** the table is in `millstream_sync::lock::levels`.

mod device;
mod error;
mod event;
pub mod evidence;
mod exit;
mod fault;
mod fork;
mod memory;
mod profile;
mod shutdown;
mod stamp;
mod stream;
mod thread_state;

pub use device::{Device, DeviceOptions, Health};
pub use error::{Error, Result};
pub use event::{Event, EventState};
pub use fault::{FaultReport, StreamAtFault, Suspect};
pub use memory::dlpack;
pub use memory::{
    BlockSnapshot, BlockState, Buffer, Ladder, MemoryAction, MemoryEvent, MemorySnapshot, MemoryStats, Reclaimer, Rung,
    SegmentSnapshot, StagingSnapshot,
};
pub use profile::{Arrow, LimboStay, MemorySample, Span, Trace};
pub use shutdown::ShutdownReport;
pub use stamp::Stamp;
pub use stream::{Stream, StreamGuard, StreamPolicy};
