//! Thread-safe parallel tensor execution in one process, that verifies itself on the user's machine.
//!
//! Open a device, share tensors between any number of threads, compute. Each thread gets a stream of its own; the values are those of the sequential program, bit for bit.
//!
//! ```
//! use millstream::{Generator, Tensor, cpu};
//!
//! let device = cpu::open()?;
//! let weights = Tensor::randn(&device, &[64, 64], &mut Generator::new(1))?;
//! let sums: Vec<f32> = std::thread::scope(|scope| {
//!     let workers: Vec<_> = (0..20u64)
//!         .map(|i| {
//!             let (device, weights) = (&device, &weights);
//!             scope.spawn(move || {
//!                 let input = Tensor::randn(device, &[64, 64], &mut Generator::new(2).split(i))?;
//!                 input.matmul(weights)?.sum()?.item()
//!             })
//!         })
//!         .collect();
//!     workers.into_iter().map(|w| w.join().expect("a worker panicked")).collect::<Result<_, _>>()
//! })?;
//! assert_eq!(sums.len(), 20);
//! # Ok::<(), millstream::Error>(())
//! ```
#![forbid(unsafe_code)]

#[cfg(feature = "cpu")]
pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;

pub use half::{bf16, f16};
pub use millstream_hal::{
    Backend, BinaryOp, DType, DeviceInfo, DriverCalls, Fault, FaultScope, Kernel, Layout, PhiloxKey, ReduceOp, Scalar,
    UnaryOp, Views,
};
#[cfg(feature = "models")]
pub use millstream_models as models;
pub use millstream_runtime::dlpack;
pub use millstream_runtime::{
    Arrow, BlockSnapshot, BlockState, Buffer, Device, DeviceOptions, Error as RuntimeError, Event, EventState,
    FaultReport, Health, Ladder, LimboStay, MemoryAction, MemoryEvent, MemorySample, MemorySnapshot, MemoryStats,
    Reclaimer, Rung, SegmentSnapshot, ShutdownReport, Span, StagingSnapshot, Stamp, Stream, StreamAtFault, StreamGuard,
    StreamPolicy, Suspect, Trace, evidence,
};
pub use millstream_tensor::{Element, Error, Generator, Operand, Result, Tensor, read_all};

/// The programs of the guide, compiled and run as documentation.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/tensors.md")]
struct GuideToTensors;

#[cfg(all(doctest, feature = "models"))]
#[doc = include_str!("../../../docs/guide/embedding.md")]
struct GuideToEmbedding;

#[cfg(all(doctest, feature = "models"))]
#[doc = include_str!("../../../docs/guide/reranking.md")]
struct GuideToReranking;
