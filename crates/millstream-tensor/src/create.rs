//! Making tensors.

use millstream_hal::{DType, Kernel, Layout, Scalar};
use millstream_runtime::Device;

use crate::element::Element;
use crate::error::{Error, Result};
use crate::generator::Generator;
use crate::operand::fits;
use crate::tensor::Tensor;

impl Tensor {
    /// All zeros, f32. Enqueues; does not wait. Errors: impossible shape, `OutOfMemory`, and those of the runtime.
    pub fn zeros(device: &Device, shape: &[usize]) -> Result<Self> {
        Self::zeros_of(device, shape, DType::F32)
    }

    /// All zeros (false, for bool) of any type. As [`Tensor::zeros`].
    pub fn zeros_of(device: &Device, shape: &[usize], dtype: DType) -> Result<Self> {
        Self::filled("zeros", device, shape, Scalar::I64(0), dtype)
    }

    /// All ones, f32. As [`Tensor::zeros`].
    pub fn ones(device: &Device, shape: &[usize]) -> Result<Self> {
        Self::ones_of(device, shape, DType::F32)
    }

    /// All ones (true, for bool) of any type. As [`Tensor::zeros`].
    pub fn ones_of(device: &Device, shape: &[usize], dtype: DType) -> Result<Self> {
        Self::filled("ones", device, shape, Scalar::I64(1), dtype)
    }

    /// Every element `value`, of type `dtype`; floats are rounded to it. Enqueues; does not wait.
    /// Errors: a value of another kind than `dtype`, or an integer out of its range; and as [`Tensor::zeros`].
    pub fn full(device: &Device, shape: &[usize], value: impl Into<Scalar>, dtype: DType) -> Result<Self> {
        const OPERATION: &str = "full";
        let value = value.into();
        fits(OPERATION, "value", value, dtype)?;
        Self::filled(OPERATION, device, shape, value, dtype)
    }

    fn filled(operation: &'static str, device: &Device, shape: &[usize], value: Scalar, dtype: DType) -> Result<Self> {
        let out = Layout::contiguous(shape).map_err(Error::layout(operation))?;
        Self::launch(operation, device, out, &[], Kernel::Fill { elements: out.elements(), dtype, value })
    }

    /// `start`, `start + step`, .. up to but without `end`, along one axis; none when `end` does not lie in the direction of `step`. Element `i` is `start + i * step` by one product and one sum,
    /// in f64 for floats, so no error builds up. Every type but bool. Enqueues; does not wait.
    /// Errors: an argument of another kind than `dtype`, not finite, or a step of 0; numbers that `dtype` does not have; more than an axis can have; and as [`Tensor::zeros`].
    pub fn arange(
        device: &Device,
        start: impl Into<Scalar>,
        end: impl Into<Scalar>,
        step: impl Into<Scalar>,
        dtype: DType,
    ) -> Result<Self> {
        const OPERATION: &str = "arange";
        let (start, end, step) = (start.into(), end.into(), step.into());
        let elements = crate::range::elements(OPERATION, start, end, step, dtype)?;
        let out = Layout::contiguous(&[elements]).map_err(Error::layout(OPERATION))?;
        Self::launch(OPERATION, device, out, &[], Kernel::Arange { elements, dtype, start, step })
    }

    /// Numbers from `low` up to but without `high`, f32, all equally likely, drawn from `generator` (Philox4x32-10, 24 bits each). Enqueues; does not wait.
    /// Errors: `low` is not below `high`, or their distance is not finite; and as [`Tensor::zeros`]. The generator has then not moved.
    pub fn uniform(device: &Device, shape: &[usize], low: f32, high: f32, generator: &mut Generator) -> Result<Self> {
        const OPERATION: &str = "uniform";
        if low.partial_cmp(&high) != Some(std::cmp::Ordering::Less) {
            return Err(Error::Argument {
                operation: OPERATION,
                name: "low",
                value: low.into(),
                rule: "it must be below high",
            });
        }
        if !(high - low).is_finite() {
            let rule = "its distance from low must be finite";
            return Err(Error::Argument { operation: OPERATION, name: "high", value: high.into(), rule });
        }
        Self::drawn(OPERATION, device, shape, generator, |elements, key| Kernel::Uniform { elements, low, high, key })
    }

    /// Standard normal numbers, f32, drawn from `generator` (Philox4x32-10 and Box-Muller). Enqueues; does not wait.
    /// Errors: as [`Tensor::zeros`]; the generator has then not moved.
    pub fn randn(device: &Device, shape: &[usize], generator: &mut Generator) -> Result<Self> {
        Self::drawn("randn", device, shape, generator, |elements, key| Kernel::Randn { elements, key })
    }

    fn drawn(
        operation: &'static str,
        device: &Device,
        shape: &[usize],
        generator: &mut Generator,
        kernel: impl FnOnce(usize, millstream_hal::PhiloxKey) -> Kernel,
    ) -> Result<Self> {
        let out = Layout::contiguous(shape).map_err(Error::layout(operation))?;
        let mut drawn = generator.clone();
        let kernel = kernel(out.elements(), drawn.advance(out.elements()));
        let tensor = Self::launch(operation, device, out, &[], kernel)?;
        *generator = drawn;
        Ok(tensor)
    }

    /// The elements of `data` in row-major order, in the type of Rust that they have: `&[1.0f32, 2.0]` gives f32 (without the suffix it is f64, as everywhere in Rust). `data` is copied
    /// before the call returns. Errors: the length is not that of the shape, and as [`Tensor::zeros`].
    #[track_caller]
    pub fn from_slice<T: Element>(device: &Device, data: &[T], shape: &[usize]) -> Result<Self> {
        const OPERATION: &str = "from_slice";
        let layout = Layout::contiguous(shape).map_err(Error::layout(OPERATION))?;
        if layout.elements() != data.len() {
            let (expected, found) = (layout.elements(), data.len());
            return Err(Error::Length { operation: OPERATION, shape: shape.to_vec(), expected, found });
        }
        let buffer = device.upload(&T::to_bytes(data))?;
        Ok(Self::from_parts(device.clone(), buffer, T::DTYPE, layout))
    }
}
