//! Tensors from files.

use std::path::Path;

use millstream_hal::{DType, Layout};
use millstream_runtime::Device;

use crate::error::{Error, Result};
use crate::tensor::Tensor;

impl Tensor {
    /// The elements that lie in a file from byte `offset` on, in row-major order and little-endian. Where the host's addresses mean something to the device, and `offset` is a multiple of the size of an element, the file is mapped and not
    /// read: pages come when a kernel touches them, and nobody may cut or change the file while a tensor over it is alive ([`Device::map_file`]). Else they are read and copied. Blocks on the file system.
    /// Errors: `Layout`, and of the runtime `File`, `FileTooShort`, `OutOfMemory` and others.
    #[track_caller]
    pub fn from_file(
        device: &Device,
        path: impl AsRef<Path>,
        offset: u64,
        shape: &[usize],
        dtype: DType,
    ) -> Result<Self> {
        let layout = Layout::contiguous(shape).map_err(Error::layout("from_file"))?;
        let bytes = layout.elements() * dtype.bytes();
        let can_map = device.info().host_addressable && offset.is_multiple_of(dtype.bytes() as u64);
        let buffer = match can_map {
            true => device.map_file(path, offset, bytes)?,
            false => device.read_file(path, offset, bytes)?,
        };
        Ok(Self::from_parts(device.clone(), buffer, dtype, layout))
    }
}
