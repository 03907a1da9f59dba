//! Making tensors.

use millstream_hal::{DType, Kernel, Layout};
use millstream_runtime::Device;

use crate::error::{Error, Result};
use crate::generator::Generator;
use crate::tensor::Tensor;

impl Tensor {
    /// All zeros, f32. Enqueues; does not wait. Errors: impossible shape, `OutOfMemory`, and those of the runtime.
    pub fn zeros(device: &Device, shape: &[usize]) -> Result<Self> {
        Self::launch("zeros", device, shape, &[], |l| Kernel::Fill {
            elements: l.elements(),
            dtype: DType::F32,
            value: 0.0f32.into(),
        })
    }

    /// Standard normal numbers, f32, drawn from `generator` (Philox4x32-10 and Box-Muller). Enqueues; does not wait.
    /// Errors: as [`Tensor::zeros`]; the generator has then not moved.
    pub fn randn(device: &Device, shape: &[usize], generator: &mut Generator) -> Result<Self> {
        let mut drawn = generator.clone();
        let tensor = Self::launch("randn", device, shape, &[], |l| Kernel::Randn {
            elements: l.elements(),
            key: drawn.advance(l.elements()),
        })?;
        *generator = drawn;
        Ok(tensor)
    }

    /// The elements of `data` in row-major order. `data` is copied before the call returns. Errors: the length is not that of the shape, and as [`Tensor::zeros`].
    pub fn from_slice(device: &Device, data: &[f32], shape: &[usize]) -> Result<Self> {
        const OPERATION: &str = "from_slice";
        let layout = Layout::contiguous(shape).map_err(|source| Error::Layout { operation: OPERATION, source })?;
        if layout.elements() != data.len() {
            let (expected, found) = (layout.elements(), data.len());
            return Err(Error::Length { operation: OPERATION, shape: shape.to_vec(), expected, found });
        }
        let bytes: Vec<u8> = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        let buffer = device.upload(&bytes)?;
        Ok(Self::from_parts(device.clone(), buffer, layout))
    }
}
