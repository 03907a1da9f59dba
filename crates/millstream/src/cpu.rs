//! Devices on the CPU.

use millstream_cpu::CpuBackend;
pub use millstream_cpu::{CpuOptions, Level, Mode, Statistics};
use millstream_runtime::{Device, DeviceOptions, Error, Result};
use millstream_sync::Arc;

/// Opens the CPU with its defaults: inline streams, the calling thread does the work. Errors: none today; kept for devices that can be absent.
pub fn open() -> Result<Device> {
    open_with(CpuOptions::inline(), |_| {})
}

/// Opens the CPU with a worker thread for each stream: work goes on after a call returns. Errors: as [`open`].
pub fn open_queued() -> Result<Device> {
    open_with(CpuOptions::queued(), |_| {})
}

/// Opens the CPU with options of your own; `adjust` may change the device's. Errors: as [`open`].
pub fn open_with(options: CpuOptions, adjust: impl FnOnce(&mut DeviceOptions)) -> Result<Device> {
    let backend = CpuBackend::new(options);
    let mut device = DeviceOptions::of(millstream_hal::Backend::info(&backend));
    adjust(&mut device);
    Ok::<_, Error>(Device::open_with(Arc::new(backend), device))
}
