//! CUDA devices.
//!
//! The driver and NVRTC are found at run time: in the folders of `MILLSTREAM_CUDA_PATH`, by the system, in `CUDA_PATH`, and in the wheels of the Python installations on the
//! path. What is not found is a typed error that says where it was looked for. Open the first device before starting threads of foreign code that read
//! the environment: opening sets what the driver reads there (`CUDA_DEVICE_MAX_CONNECTIONS`), unless you have.

pub use millstream_cuda::{CudaBackend, CudaOptions, NotFound, OpenError, Statistics, UnheardErrors, unheard_errors};
use millstream_runtime::{Device, DeviceOptions};
use millstream_sync::Arc;

/// Opens device `index`, as the driver counts them. Errors: see [`OpenError`].
pub fn open(index: u32) -> Result<Device, OpenError> {
    open_with(&CudaOptions { index, ..CudaOptions::default() }, |_| {})
}

/// Opens a device with options of your own; `adjust` may change those of the runtime. Errors: as [`open`].
pub fn open_with(options: &CudaOptions, adjust: impl FnOnce(&mut DeviceOptions)) -> Result<Device, OpenError> {
    let backend = CudaBackend::open(options)?;
    let mut device = DeviceOptions::of(millstream_hal::Backend::info(&backend));
    adjust(&mut device);
    Ok(Device::open_with(Arc::new(backend), device))
}
