//! The C structures of DLPack 1.x as the header `dlpack.h` defines them, by its names, and which of our element types has which code.

use std::ffi::c_void;

use millstream_hal::DType;

/// Version of the structures here.
pub(super) const VERSION: DLPackVersion = DLPackVersion { major: 1, minor: 0 };

/// `kDLCPU`: memory of the host.
pub const CPU: i32 = 1;

/// `DLPACK_FLAG_BITMASK_READ_ONLY`: the consumer must not write.
pub const FLAG_READ_ONLY: u64 = 1;
/// `DLPACK_FLAG_BITMASK_IS_COPIED`: the memory is a copy made for the consumer.
pub const FLAG_IS_COPIED: u64 = 2;

/// Version of the structure behind it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLPackVersion {
    /// Another one has another layout.
    pub major: u32,
    /// A larger one has more codes.
    pub minor: u32,
}

/// Where the memory is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDevice {
    /// `DLDeviceType`.
    pub device_type: i32,
    /// Number of the device among those of its type.
    pub device_id: i32,
}

/// Type of an element.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDataType {
    /// `DLDataTypeCode`.
    pub code: u8,
    /// Bits of a lane.
    pub bits: u8,
    /// Lanes; one for a plain number.
    pub lanes: u16,
}

/// A tensor that somebody else owns.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DLTensor {
    /// Start of the memory. May be null where there are no elements.
    pub data: *mut c_void,
    /// Where the memory is.
    pub device: DLDevice,
    /// Number of dimensions.
    pub ndim: i32,
    /// Type of an element.
    pub dtype: DLDataType,
    /// `ndim` sizes.
    pub shape: *mut i64,
    /// `ndim` strides in elements; null for row-major order.
    pub strides: *mut i64,
    /// From `data` to the first element, in bytes.
    pub byte_offset: u64,
}

/// A tensor with its deleter, before DLPack 1.0.
#[repr(C)]
#[derive(Debug)]
pub struct DLManagedTensor {
    /// The tensor.
    pub dl_tensor: DLTensor,
    /// The producer's.
    pub manager_ctx: *mut c_void,
    /// Called once by the consumer. Null: nothing to do.
    pub deleter: Option<unsafe extern "C" fn(*mut DLManagedTensor)>,
}

/// A tensor with its deleter, since DLPack 1.0.
#[repr(C)]
#[derive(Debug)]
pub struct DLManagedTensorVersioned {
    /// Version of this structure.
    pub version: DLPackVersion,
    /// The producer's.
    pub manager_ctx: *mut c_void,
    /// Called once by the consumer. Null: nothing to do.
    pub deleter: Option<unsafe extern "C" fn(*mut DLManagedTensorVersioned)>,
    /// [`FLAG_READ_ONLY`], [`FLAG_IS_COPIED`].
    pub flags: u64,
    /// The tensor.
    pub dl_tensor: DLTensor,
}

/// Codes of `DLDataTypeCode`: int 0, unsigned 1, float 2, bfloat 4, bool 6.
pub(super) fn data_type(dtype: DType) -> DLDataType {
    let code = match dtype {
        DType::I64 => 0,
        DType::U8 => 1,
        DType::F32 | DType::F64 | DType::F16 => 2,
        DType::BF16 => 4,
        DType::Bool => 6,
    };
    DLDataType { code, bits: (dtype.bytes() * 8) as u8, lanes: 1 }
}

/// Our type for it, if there is one.
pub(super) fn dtype(data_type_: DLDataType) -> Option<DType> {
    DType::ALL.into_iter().find(|dtype| data_type(*dtype) == data_type_)
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn the_structures_lie_as_the_header_says() {
        assert_eq!((size_of::<DLTensor>(), size_of::<DLManagedTensor>()), (48, 64));
        assert_eq!(size_of::<DLManagedTensorVersioned>(), 80);
        let tensor = [
            offset_of!(DLTensor, data),
            offset_of!(DLTensor, device),
            offset_of!(DLTensor, ndim),
            offset_of!(DLTensor, dtype),
            offset_of!(DLTensor, shape),
            offset_of!(DLTensor, strides),
            offset_of!(DLTensor, byte_offset),
        ];
        assert_eq!(tensor, [0, 8, 16, 20, 24, 32, 40]);
        let versioned = [
            offset_of!(DLManagedTensorVersioned, version),
            offset_of!(DLManagedTensorVersioned, manager_ctx),
            offset_of!(DLManagedTensorVersioned, deleter),
            offset_of!(DLManagedTensorVersioned, flags),
            offset_of!(DLManagedTensorVersioned, dl_tensor),
        ];
        assert_eq!(versioned, [0, 8, 16, 24, 32]);
        assert_eq!([offset_of!(DLManagedTensor, manager_ctx), offset_of!(DLManagedTensor, deleter)], [48, 56]);
    }

    #[test]
    fn every_element_type_has_a_code_of_its_own() {
        for of in DType::ALL {
            assert_eq!(dtype(data_type(of)), Some(of));
        }
        let of = |code, bits, lanes| dtype(DLDataType { code, bits, lanes });
        assert_eq!(
            (of(2, 32, 2), of(2, 32, 0), of(0, 32, 1), of(5, 64, 1), of(3, 64, 1)),
            (None, None, None, None, None)
        );
    }
}
