//! The tensor: a counted buffer, a type, a layout.

use millstream_hal::{DType, Kernel, Layout};
use millstream_runtime::{Buffer, Device, Stamp};

use crate::error::{Error, Result};

/// Device memory with a shape. `Clone + Send + Sync`; cloning copies nothing.
#[derive(Clone)]
pub struct Tensor {
    device: Device,
    buffer: Buffer,
    dtype: DType,
    layout: Layout,
}

impl Tensor {
    /// A fresh contiguous tensor of `shape`, filled by `kernel` from `inputs`.
    pub(crate) fn launch(
        operation: &'static str,
        device: &Device,
        shape: &[usize],
        inputs: &[&Tensor],
        kernel: impl FnOnce(&Layout) -> Kernel,
    ) -> Result<Self> {
        let layout = Layout::contiguous(shape).map_err(|source| Error::Layout { operation, source })?;
        let dtype = DType::F32;
        let bytes = layout.elements() * dtype.bytes();
        let mut buffers = inputs.iter().map(|t| &t.buffer);
        // No host allocation: a kernel has two inputs at most.
        let buffer = match (buffers.next(), buffers.next()) {
            (None, _) => device.launch(kernel(&layout), bytes, &[])?,
            (Some(a), None) => device.launch(kernel(&layout), bytes, &[a])?,
            (Some(a), Some(b)) => device.launch(kernel(&layout), bytes, &[a, b])?,
        };
        Ok(Self { device: device.clone(), buffer, dtype, layout })
    }

    pub(crate) fn from_parts(device: Device, buffer: Buffer, layout: Layout) -> Self {
        Self { device, buffer, dtype: DType::F32, layout }
    }

    /// The same memory under another layout.
    pub(crate) fn viewed(&self, layout: Layout) -> Self {
        Self { layout, ..self.clone() }
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

impl std::fmt::Debug for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tensor({:?} {} on {})", self.layout, self.dtype.name(), self.device.info().name)
    }
}
