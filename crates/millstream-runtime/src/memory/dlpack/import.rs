//! Tensors of others in our buffers: every figure checked before the memory is touched.

use std::ptr::NonNull;

use millstream_hal::{DType, Layout, MAX_DIMS};

use super::abi::{self, DLTensor};
use super::{DlPack, DlPackError};
use crate::device::Device;
use crate::error::Result;
use crate::memory::Buffer;
use crate::memory::import::NOTHING_AT;

type Checked<T> = std::result::Result<T, DlPackError>;

/// Where the elements of a foreign tensor are.
struct Place {
    start: NonNull<u8>,
    bytes: usize,
    dtype: DType,
    layout: Layout,
}

impl Device {
    /// The memory of another library's tensor as a buffer, with the type and the layout of its elements, without a copy. Kernels only read it, so a read-only tensor is welcome.
    /// The deleter is called once, as that of [`Device::import`]: when the last handle has dropped and every kernel that uses the memory has completed. Does not block.
    ///
    /// Errors: `DlPack` (which says what is wrong with it), and those of [`Device::import`]. The handle is used up in any case: after an error its deleter has been called.
    pub fn import_dlpack(&self, handle: DlPack) -> Result<(Buffer, DType, Layout)> {
        let place = check(&handle.managed().dl_tensor)?;
        let buffer = self.shared().import(place.start, place.bytes, Box::new(move || drop(handle)))?;
        Ok((buffer, place.dtype, place.layout))
    }
}

fn check(tensor: &DLTensor) -> Checked<Place> {
    let device = tensor.device;
    // The number of the host's memory means nothing.
    if device.device_type != abi::CPU {
        return Err(DlPackError::Device { device_type: device.device_type, device_id: device.device_id });
    }
    let kind = tensor.dtype;
    let dtype = abi::dtype(kind).ok_or(DlPackError::Element { code: kind.code, bits: kind.bits, lanes: kind.lanes })?;
    let layout = layout(tensor)?;
    if layout.elements() == 0 {
        return Ok(Place { start: NonNull::without_provenance(NOTHING_AT), bytes: 0, dtype, layout });
    }
    let data: NonNull<u8> = NonNull::new(tensor.data.cast()).ok_or(DlPackError::Null { what: "the data" })?;
    let bytes = layout.extent().checked_mul(dtype.bytes()).filter(|bytes| *bytes <= isize::MAX as usize);
    let bytes = bytes.ok_or(DlPackError::Overflow)?;
    let offset = usize::try_from(tensor.byte_offset).map_err(|_| DlPackError::Overflow)?;
    let address = data.addr().checked_add(offset).ok_or(DlPackError::Overflow)?;
    address.checked_add(bytes).ok_or(DlPackError::Overflow)?;
    // The alignment that Rust and C give a number of this size.
    let align = dtype.bytes();
    if !address.get().is_multiple_of(align) {
        return Err(DlPackError::Misaligned { address: address.get(), align });
    }
    let start = data.map_addr(|_| address);
    Ok(Place { start, bytes, dtype, layout })
}

fn layout(tensor: &DLTensor) -> Checked<Layout> {
    let dims = usize::try_from(tensor.ndim).ok().filter(|dims| *dims <= MAX_DIMS);
    let dims = dims.ok_or(DlPackError::Dims { dims: tensor.ndim, max: MAX_DIMS })?;
    let axes = |start: *const i64| -> Option<&[i64]> {
        match (dims, start.is_null()) {
            (0, _) => Some(&[]),
            (_, true) => None,
            // SAFETY: asks for `dims` numbers at `start`; true by the promise to `DlPack::from_raw`, where the pointer is not null.
            (_, false) => Some(unsafe { std::slice::from_raw_parts(start, dims) }),
        }
    };
    let sizes = axes(tensor.shape).ok_or(DlPackError::Null { what: "the shape" })?;
    let small = |number: i64| u32::try_from(number).ok().map(|number| number as usize);
    let mut shape = [0; MAX_DIMS];
    for (axis, size) in sizes.iter().enumerate() {
        shape[axis] = small(*size).ok_or(DlPackError::Size { axis, size: *size })?;
    }
    let shape = &shape[..dims];
    let strides = match axes(tensor.strides) {
        // Where there are no elements nobody steps anywhere.
        Some(strides) if !shape.contains(&0) => strides,
        _ => return Layout::contiguous(shape).map_err(|_| DlPackError::Overflow),
    };
    let mut steps = [(1, 0); MAX_DIMS];
    for (axis, stride) in strides.iter().enumerate() {
        // The stride of an axis of one element is never used, and some write anything there.
        let step = if shape[axis] == 1 { Some(0) } else { small(*stride) };
        steps[axis] = (shape[axis], step.ok_or(DlPackError::Stride { axis, stride: *stride })?);
    }
    Layout::strided(&steps[..dims], 0).map_err(|_| DlPackError::Overflow)
}
