//! Why a device cannot be opened.

use crate::library::NotFound;

/// Result of opening a device.
pub type Result<T, E = OpenError> = std::result::Result<T, E>;

/// Why a CUDA device cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A library is not on this machine, or nowhere that was looked.
    #[error(transparent)]
    LibraryNotFound(#[from] NotFound),
    /// A library was found that lacks a function.
    #[error("{path} has no function {symbol}: it is older than CUDA 12.0, or no CUDA library")]
    SymbolMissing {
        /// The function.
        symbol: &'static str,
        /// The library.
        path: String,
    },
    /// The driver is too old.
    #[error("the CUDA driver supports CUDA {found}, CUDA {needed} or newer is needed")]
    DriverTooOld {
        /// What it supports.
        found: String,
        /// What is needed.
        needed: String,
    },
    /// There is no device of that number.
    #[error("there is no CUDA device {index}: the driver has {count}")]
    NoSuchDevice {
        /// The number asked for.
        index: u32,
        /// How many there are.
        count: u32,
    },
    /// The process from which this one was forked had begun to open a device: CUDA cannot be used after that.
    #[error("this process was forked from one that had begun to use CUDA: start it anew instead")]
    ForkedChild,
    /// The driver refused something.
    #[error("{doing}: {reason}")]
    Driver {
        /// What was tried.
        doing: &'static str,
        /// What the driver said.
        reason: String,
    },
    /// A kernel could not be compiled for this device.
    #[error("compiling {file} for {arch} with NVRTC {version}: {log}")]
    Compile {
        /// The source file.
        file: &'static str,
        /// The architecture.
        arch: String,
        /// Version of the compiler.
        version: String,
        /// What the compiler said.
        log: String,
    },
}
