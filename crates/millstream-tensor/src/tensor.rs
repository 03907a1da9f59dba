//! The tensor: a counted buffer, a type, a layout.

use millstream_hal::{DType, Kernel, Layout};
use millstream_runtime::{Buffer, Device, Stamp};

use crate::error::{Error, Result};

/// Device memory with a type and a shape. `Clone + Send + Sync`; cloning copies nothing.
#[derive(Clone)]
pub struct Tensor {
    device: Device,
    buffer: Buffer,
    dtype: DType,
    layout: Layout,
}

impl Tensor {
    /// A fresh tensor of the dense layout `out`, filled by `kernel` from `inputs`, four at most. Takes nothing from the host's heap.
    #[inline]
    pub(crate) fn launch(
        operation: &'static str,
        device: &Device,
        out: Layout,
        inputs: &[&Buffer],
        kernel: Kernel,
    ) -> Result<Self> {
        debug_assert_eq!(kernel.defect(), None, "{operation} is refused by its front end");
        let (dtype, elements) = kernel.output().expect("a kernel of a tensor writes elements");
        debug_assert_eq!(elements, out.elements(), "{operation} fills its output");
        let buffer = device.launch(kernel, elements * dtype.bytes(), inputs)?;
        Ok(Self::from_parts(device.clone(), buffer, dtype, out))
    }

    /// The elements of type `dtype` that lie in `buffer` as `layout` says. The caller has seen that it holds them.
    pub(crate) fn from_parts(device: Device, buffer: Buffer, dtype: DType, layout: Layout) -> Self {
        debug_assert!(layout.extent().saturating_mul(dtype.bytes()) <= buffer.bytes(), "{layout:?} of {dtype}");
        Self { device, buffer, dtype, layout }
    }

    /// What [`Tensor::from_parts`] takes.
    pub(crate) fn into_parts(self) -> (Device, Buffer, DType, Layout) {
        (self.device, self.buffer, self.dtype, self.layout)
    }

    /// The same memory under another layout.
    pub(crate) fn viewed(&self, layout: Layout) -> Self {
        Self { layout, ..self.clone() }
    }

    /// The layout of a fresh tensor of the same shape. Errors: [`Error::Layout`] for a broadcast view of more elements than memory can have.
    pub(crate) fn dense(&self, operation: &'static str) -> Result<Layout> {
        self.layout.dense().map_err(Error::layout(operation))
    }

    pub(crate) fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The device that holds it.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Type of its elements.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Sizes, outermost first.
    #[must_use]
    pub fn shape(&self) -> Vec<usize> {
        self.layout.shape()
    }

    /// Number of dimensions.
    #[must_use]
    pub fn dims(&self) -> usize {
        self.layout.dims()
    }

    /// Number of elements.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.layout.elements()
    }

    /// Position of the work that defines the value.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.buffer.last_write()
    }
}
