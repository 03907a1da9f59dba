//! Values on the host. These calls wait for the device.

use millstream_hal::Kernel;
use millstream_runtime::Buffer;

use crate::element::Element;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

impl Tensor {
    /// All elements in row-major order, of any view. Blocks the host until they are computed. On a device that has failed, a tensor that the failure did not reach is read all the same.
    /// Errors: `T` is not the tensor's type ([`Error::HostType`]; cast first with [`Tensor::to_dtype`]), `Fault` when the value is lost, `OutOfMemory`, and those of the runtime.
    #[track_caller]
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        self.holds::<T>("to_vec")?;
        // No closure: the place of the wait is that of the caller.
        let read = match self.contiguous() {
            Ok(whole) => self.device().download(&[(whole.buffer(), whole.bytes())]).map_err(Error::from),
            Err(error) => Err(error),
        };
        match read {
            // A view is copied by the device first, which a failed one does not do any more.
            Err(Error::Runtime(millstream_runtime::Error::Fault(_))) => self.picked_on_host(),
            other => Ok(T::of_bytes(&other?)),
        }
    }

    /// The elements of a view, taken one by one from its memory.
    #[track_caller]
    fn picked_on_host<T: Element>(&self) -> Result<Vec<T>> {
        let layout = self.layout();
        let bytes = self.device().download(&[(self.buffer(), layout.extent() * self.dtype().bytes())])?;
        let memory = T::of_bytes(&bytes);
        let mut picked = Vec::with_capacity(layout.elements());
        for n in 0..layout.elements() {
            let (mut at, mut left) = (layout.offset(), n);
            for axis in (0..layout.dims()).rev() {
                at += left % layout.size(axis) * layout.stride(axis);
                left /= layout.size(axis);
            }
            picked.push(memory[at]);
        }
        Ok(picked)
    }

    /// The only element. Blocks the host until it is computed; where the host can address device memory it is read where it lies. Errors: not exactly one element, and as [`Tensor::to_vec`].
    #[track_caller]
    pub fn item<T: Element>(&self) -> Result<T> {
        const OPERATION: &str = "item";
        self.holds::<T>(OPERATION)?;
        let not_one = || Error::NotOne { operation: OPERATION, shape: self.shape(), found: self.elements() };
        if self.elements() != 1 {
            return Err(not_one());
        }
        if self.device().info().host_addressable {
            let (mut word, size) = ([0; 8], self.dtype().bytes());
            self.device().read_in_place(self.buffer(), self.layout().offset() * size, &mut word[..size])?;
            return Ok(T::of_word(word));
        }
        self.to_vec()?.first().copied().ok_or_else(not_one)
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

    /// Bytes of the elements, without holes.
    pub(crate) fn bytes(&self) -> usize {
        self.elements() * self.dtype().bytes()
    }

    fn holds<T: Element>(&self, operation: &'static str) -> Result<()> {
        let (dtype, asked) = (self.dtype(), T::DTYPE);
        if dtype == asked { Ok(()) } else { Err(Error::HostType { operation, dtype, asked }) }
    }
}

/// The elements of several tensors of one device and one type, one after another, with one wait for all. Blocks the host. Errors: as [`Tensor::to_vec`]; on a failed device views are
/// refused.
#[track_caller]
pub fn read_all<T: Element>(tensors: &[&Tensor]) -> Result<Vec<T>> {
    let Some(first) = tensors.first() else { return Ok(Vec::new()) };
    for tensor in tensors {
        tensor.holds::<T>("read_all")?;
        first.device().same_as(tensor.device())?;
    }
    let whole: Vec<Tensor> = tensors.iter().map(|t| t.contiguous()).collect::<Result<_>>()?;
    let parts: Vec<(&Buffer, usize)> = whole.iter().map(|t| (t.buffer(), t.bytes())).collect();
    Ok(T::of_bytes(&first.device().download(&parts)?))
}
