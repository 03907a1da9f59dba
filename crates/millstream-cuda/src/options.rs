//! How a CUDA device is opened.

use std::path::PathBuf;

/// Options of [`crate::CudaBackend::open`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CudaOptions {
    /// Which device, as the driver counts them.
    pub index: u32,
    /// Folders that are searched for the driver and NVRTC before all others.
    pub search_folders: Vec<PathBuf>,
    /// Memory that segments may take in all, in bytes. `None`: what is free when the device is opened.
    pub memory_bytes: Option<usize>,
    /// Where compiled kernels are kept. `None`: `millstream/cuda` in the user's cache folder, or nowhere if there is none.
    pub cache_folder: Option<PathBuf>,
}
