//! Opening a device by its name.

use millstream::{Device, DeviceOptions, cpu};

use crate::plan::DeviceName;

/// Why a device cannot be opened: exit code 69.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// As named.
    pub device: String,
    /// What is missing, and the command that adds it.
    pub reason: String,
}

impl std::fmt::Display for Absent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "device {} is not available: {}", self.device, self.reason)
    }
}

impl std::error::Error for Absent {}

/// Opens `name`; `adjust` may change its options, `seed` shakes what has delays. Errors: [`Absent`].
pub fn open(name: &DeviceName, seed: u64, adjust: impl FnOnce(&mut DeviceOptions)) -> Result<Device, Absent> {
    let absent = |reason: &str| Absent { device: name.to_string(), reason: reason.to_owned() };
    match name {
        DeviceName::Cpu => {
            cpu::open_with(cpu::CpuOptions::inline(), adjust).map_err(|error| absent(&error.to_string()))
        }
        DeviceName::CpuQueued => {
            let options = cpu::CpuOptions { delay_seed: Some(seed), ..cpu::CpuOptions::queued() };
            cpu::open_with(options, adjust).map_err(|error| absent(&error.to_string()))
        }
        DeviceName::Sim => Ok(simulated(seed, adjust)),
        DeviceName::Cuda(index) => cuda(*index, adjust).map_err(|reason| absent(&reason)),
    }
}

#[cfg(feature = "cuda")]
fn cuda(index: u32, adjust: impl FnOnce(&mut DeviceOptions)) -> Result<Device, String> {
    let options = millstream::cuda::CudaOptions { index, ..Default::default() };
    millstream::cuda::open_with(&options, adjust).map_err(|error| error.to_string())
}

#[cfg(not(feature = "cuda"))]
fn cuda(_index: u32, _adjust: impl FnOnce(&mut DeviceOptions)) -> Result<Device, String> {
    Err("this build has no CUDA backend: build it with `--features cuda`".to_owned())
}

fn simulated(seed: u64, adjust: impl FnOnce(&mut DeviceOptions)) -> Device {
    let backend = crate::sim::backend(seed);
    let mut options = DeviceOptions::of(millstream::Backend::info(&*backend));
    adjust(&mut options);
    Device::open_with(backend, options)
}
