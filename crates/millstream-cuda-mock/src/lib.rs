//! A CUDA driver and NVRTC without a device, as one library: what the backend's tests load in the place of the vendor's.
//!
//! Device memory is host memory, streams run at once unless they are held, and every call is counted and checked: a handle that does not live, memory that is freed
//! twice or under work that is held, a wait for an event that was never recorded. It fails on demand. Kernels do nothing: what they compute is tested on a device.
//!
//! Each test loads a copy of the file, so that tests in one process do not see each other's state. The functions of the driver are in [`driver`], those of the compiler
//! in [`compiler`], and what a test asks and orders in [`control`].
#![expect(unsafe_code, reason = "functions of a C library")]

mod compiler;
mod control;
mod driver;
mod state;
