//! Values on the host. These calls wait for the device.

use millstream_hal::Kernel;
use millstream_runtime::Buffer;

use crate::error::{Error, Result};
use crate::tensor::Tensor;

impl Tensor {
    /// All elements in row-major order. Blocks the host until they are computed. On a device that has failed, a tensor that the failure did not reach is read all the same.
    /// Errors: `Fault` when the value is lost, `OutOfMemory`, and those of the runtime.
    #[track_caller]
    pub fn to_vec(&self) -> Result<Vec<f32>> {
        let whole = self.contiguous();
        let read = whole.and_then(|whole| Ok(self.device().download(&[(whole.buffer(), whole.bytes())])?));
        match read {
            // A view is copied by the device first, which a failed one does not do any more.
            Err(Error::Runtime(millstream_runtime::Error::Fault(_))) => self.picked_on_host(),
            other => Ok(floats(&other?)),
        }
    }

    /// The elements of a view, taken one by one from its memory.
    #[track_caller]
    fn picked_on_host(&self) -> Result<Vec<f32>> {
        let layout = self.layout();
        let memory = floats(&self.device().download(&[(self.buffer(), layout.extent() * self.dtype().bytes())])?);
        let shape = self.shape();
        let mut picked = Vec::with_capacity(layout.elements());
        for n in 0..layout.elements() {
            let (mut at, mut left) = (layout.offset(), n);
            for axis in (0..layout.dims()).rev() {
                at += left % shape[axis] * layout.stride(axis);
                left /= shape[axis];
            }
            picked.push(memory[at]);
        }
        Ok(picked)
    }

    /// Bytes of its elements.
    fn bytes(&self) -> usize {
        self.elements() * self.dtype().bytes()
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
    /// practical purposes, the same bits. Blocks the host. Errors: as [`Tensor::to_vec`]; a failed device computes none.
    #[track_caller]
    pub fn fingerprint(&self) -> Result<u64> {
        let whole = self.contiguous()?;
        let kernel = Kernel::Fingerprint { bytes: whole.bytes() };
        let hash = self.device().launch(kernel, 8, &[whole.buffer()])?;
        let bytes = self.device().download(&[(&hash, 8)])?;
        Ok(u64::from_le_bytes(bytes.try_into().unwrap_or_default()))
    }
}

/// The elements of several tensors of one device, one after another, with one wait for all. Blocks the host. Errors: as [`Tensor::to_vec`]; on a failed device views are refused.
#[track_caller]
pub fn read_all(tensors: &[&Tensor]) -> Result<Vec<f32>> {
    let Some(first) = tensors.first() else { return Ok(Vec::new()) };
    let whole: Vec<Tensor> = tensors.iter().map(|t| t.contiguous()).collect::<Result<_>>()?;
    let parts: Vec<(&Buffer, usize)> = whole.iter().map(|t| (t.buffer(), t.bytes())).collect();
    Ok(floats(&first.device().download(&parts)?))
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect()
}
