//! The device: the handle that callers hold, and the record that everything else hangs on.

mod handle;
mod memory;
mod operate;
mod peer;
mod shared;

pub use handle::{Device, DeviceOptions, Health};
pub(crate) use shared::Shared;
