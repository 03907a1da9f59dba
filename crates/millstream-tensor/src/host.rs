//! Values on the host. These calls wait for the device.

use millstream_hal::Kernel;
use millstream_runtime::Buffer;

use crate::error::{Error, Result};
use crate::tensor::Tensor;

impl Tensor {
    /// All elements in row-major order. Blocks the host until they are computed. Errors: `Fault`, `OutOfMemory`, and those of the runtime.
    #[track_caller]
    pub fn to_vec(&self) -> Result<Vec<f32>> {
        let whole = self.contiguous()?;
        let bytes = self.device().download(&[(whole.buffer(), whole.elements() * whole.dtype().bytes())])?;
        Ok(floats(&bytes))
    }

    /// The only element. Blocks the host. Errors: not exactly one element, and as [`Tensor::to_vec`].
    #[track_caller]
    pub fn item(&self) -> Result<f32> {
        if self.elements() != 1 {
            return Err(Error::NotOne { operation: "item", shape: self.shape(), found: self.elements() });
        }
        Ok(self.to_vec()?[0])
    }

    /// A 64-bit hash over the bits of every element by its position ([`Kernel::fingerprint_of`]): two tensors of one shape with equal fingerprints hold, for all
    /// practical purposes, the same bits. Blocks the host. Errors: as [`Tensor::to_vec`].
    #[track_caller]
    pub fn fingerprint(&self) -> Result<u64> {
        let whole = self.contiguous()?;
        let kernel = Kernel::Fingerprint { bytes: whole.elements() * whole.dtype().bytes() };
        let hash = self.device().launch(kernel, 8, &[whole.buffer()])?;
        let bytes = self.device().download(&[(&hash, 8)])?;
        Ok(u64::from_le_bytes(bytes.try_into().unwrap_or_default()))
    }
}

/// The elements of several tensors of one device, one after another, with one wait for all. Blocks the host. Errors: as [`Tensor::to_vec`].
#[track_caller]
pub fn read_all(tensors: &[&Tensor]) -> Result<Vec<f32>> {
    let Some(first) = tensors.first() else { return Ok(Vec::new()) };
    let whole: Vec<Tensor> = tensors.iter().map(|t| t.contiguous()).collect::<Result<_>>()?;
    let parts: Vec<(&Buffer, usize)> = whole.iter().map(|t| (t.buffer(), t.elements() * t.dtype().bytes())).collect();
    Ok(floats(&first.device().download(&parts)?))
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect()
}
