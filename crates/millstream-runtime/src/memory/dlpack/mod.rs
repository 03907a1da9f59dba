//! Tensors of other libraries, and ours for them, without a copy: DLPack 1.x.
//!
//! A [`DlPack`] owns one managed tensor of the C interface: ours for others ([`Device::export_dlpack`]) or theirs for us ([`Device::import_dlpack`]). It exists so that exactly one side calls
//! the deleter, once. It changes when the C interface does. Which Python object carries the pointer is the caller's business.
//!
//! **Life** made by an export or from a raw pointer; ended by an import, by [`DlPack::into_raw`], which passes the duty on, or by a drop, which calls the deleter.
//!
//! **Invariants**
//! * `complete-when-exported`: the value is written before the handle exists, since the consumer reads memory and knows no stream.
//! * `kept-by-the-consumer`: an exported buffer lives until the consumer's call of the deleter, from any thread, also after the device was shut down.
//! * `never-written`: an import is only read; an export that others read too says read-only, and the old form, which cannot say so, is refused for it.
//!
//! **Locks** none of its own; imports use `memory/import.rs`.
#![expect(unsafe_code, reason = "the C interface is pointers and a function pointer")]

mod abi;
mod export;
mod import;

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

pub use abi::{
    CPU, DLDataType, DLDevice, DLManagedTensor, DLManagedTensorVersioned, DLPackVersion, DLTensor, FLAG_IS_COPIED,
    FLAG_READ_ONLY,
};

use crate::error::{Error, Result};

/// Why a managed tensor is not taken, or not given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DlPackError {
    /// A pointer that must be there is null.
    #[error("dlpack: {what} is null")]
    Null {
        /// Which.
        what: &'static str,
    },
    /// Its layout is of another major version: only the deleter may be called, and was.
    #[error("dlpack: version {major}.{minor}; 1.x is understood")]
    Version {
        /// Major version.
        major: u32,
        /// Minor version.
        minor: u32,
    },
    /// Its memory is not that of the host.
    #[error("dlpack: memory of device type {device_type}, number {device_id}; type 1 (CPU) is understood")]
    Device {
        /// `DLDeviceType`.
        device_type: i32,
        /// Number of the device.
        device_id: i32,
    },
    /// Elements that no tensor here has.
    #[error("dlpack: elements of code {code}, {bits} bits, {lanes} lanes are not supported")]
    Element {
        /// `DLDataTypeCode`.
        code: u8,
        /// Bits of a lane.
        bits: u8,
        /// Lanes.
        lanes: u16,
    },
    /// Fewer than no dimensions, or more than a layout has.
    #[error("dlpack: {dims} dimensions; 0 to {max} are possible")]
    Dims {
        /// Dimensions.
        dims: i32,
        /// Most that are possible.
        max: usize,
    },
    /// A size below zero or above `u32::MAX`.
    #[error("dlpack: size {size} of axis {axis} is not possible")]
    Size {
        /// The axis.
        axis: usize,
        /// Its size.
        size: i64,
    },
    /// A stride below zero or above `u32::MAX`. Copy a reversed view first.
    #[error("dlpack: stride {stride} of axis {axis} is not possible")]
    Stride {
        /// The axis.
        axis: usize,
        /// Its stride.
        stride: i64,
    },
    /// Sizes, strides and offset reach beyond what an address can say.
    #[error("dlpack: the view reaches beyond the address space")]
    Overflow,
    /// The first element does not lie where its type may lie.
    #[error("dlpack: address {address:#x} is not a multiple of {align}")]
    Misaligned {
        /// Address of the first element.
        address: usize,
        /// Alignment of the element type.
        align: usize,
    },
    /// The old form cannot say that the memory is read-only. Export a copy.
    #[error("dlpack: the unversioned form cannot say read-only; export a copy")]
    ReadOnly,
    /// A writable export of memory that others hold too, or that is not ours. Export a copy.
    #[error("dlpack: others hold the memory too, so it cannot be given out for writing")]
    Shared,
}

/// A managed tensor, owned. Dropping it calls its deleter.
#[derive(Debug)]
pub struct DlPack(NonNull<DLManagedTensorVersioned>);

// SAFETY: asks that the deleter may be called and the structure read on another thread; true because `from_raw` demands it and ours are made for it.
unsafe impl Send for DlPack {}

impl DlPack {
    /// Takes a managed tensor of the versioned form. Errors: `Null`, and `Version` for another major version, whose deleter has then been called.
    ///
    /// # Safety
    ///
    /// Nobody else calls the deleter. Until it is called the structure is valid, each of its pointers that is not null points to what DLPack 1.x says, and nobody writes the memory. The deleter may be
    /// called from any thread.
    pub unsafe fn from_raw(raw: *mut DLManagedTensorVersioned) -> Result<Self> {
        let handle = Self(NonNull::new(raw).ok_or(DlPackError::Null { what: "the managed tensor" })?);
        let DLPackVersion { major, minor } = handle.managed().version;
        match major {
            1 => Ok(handle),
            _ => Err(DlPackError::Version { major, minor }.into()),
        }
    }

    /// The same for the form without a version, from before 1.0. Errors: `Null`.
    ///
    /// # Safety
    ///
    /// As [`DlPack::from_raw`].
    pub unsafe fn from_raw_unversioned(raw: *mut DLManagedTensor) -> Result<Self> {
        let raw = NonNull::new(raw).ok_or(DlPackError::Null { what: "the managed tensor" })?;
        // SAFETY: asks for a valid structure; true by the caller's promise.
        let dl_tensor = unsafe { raw.as_ref() }.dl_tensor;
        let managed = DLManagedTensorVersioned {
            version: abi::VERSION,
            manager_ctx: raw.as_ptr().cast(),
            deleter: Some(delete_unversioned),
            flags: 0,
            dl_tensor,
        };
        Ok(Self(NonNull::from(Box::leak(Box::new(managed)))))
    }

    /// The pointer for a C interface or a Python capsule named `dltensor_versioned`. Whoever takes it calls its deleter once; a drop of the capsule that nobody took must do so too.
    #[must_use]
    pub fn into_raw(self) -> *mut DLManagedTensorVersioned {
        ManuallyDrop::new(self).0.as_ptr()
    }

    /// The same in the form from before 1.0, for a capsule named `dltensor`. Errors: `ReadOnly`, since that form cannot say so and its consumers write.
    pub fn into_raw_unversioned(self) -> Result<*mut DLManagedTensor> {
        if self.is_read_only() {
            return Err(DlPackError::ReadOnly.into());
        }
        let dl_tensor = self.managed().dl_tensor;
        let manager_ctx = self.into_raw().cast::<c_void>();
        Ok(Box::into_raw(Box::new(DLManagedTensor { dl_tensor, manager_ctx, deleter: Some(delete_versioned) })))
    }

    /// Whether the consumer must not write the memory.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.managed().flags & FLAG_READ_ONLY != 0
    }

    /// Whether the memory is a copy that was made for the consumer.
    #[must_use]
    pub fn is_copied(&self) -> bool {
        self.managed().flags & FLAG_IS_COPIED != 0
    }

    fn managed(&self) -> &DLManagedTensorVersioned {
        // SAFETY: asks for a valid structure that nobody writes; true because this handle owns it.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for DlPack {
    fn drop(&mut self) {
        if let Some(deleter) = self.managed().deleter {
            // SAFETY: asks to be called once with its own structure; true because this handle owns it and is gone now.
            unsafe { deleter(self.0.as_ptr()) }
        }
    }
}

/// Deleter of a versioned structure that stands for an unversioned one.
unsafe extern "C" fn delete_unversioned(this: *mut DLManagedTensorVersioned) {
    // SAFETY: asks for a pointer of `Box`; true because `from_raw_unversioned` made it so, and a deleter is called once.
    let this = unsafe { Box::from_raw(this) };
    let inner: *mut DLManagedTensor = this.manager_ctx.cast();
    // SAFETY: asks for a valid structure; true by the promise to `from_raw_unversioned`.
    let deleter = unsafe { inner.as_ref() }.and_then(|inner| inner.deleter);
    if let Some(deleter) = deleter {
        // SAFETY: asks to be called once; true because this deleter is.
        unsafe { deleter(inner) }
    }
}

/// Deleter of an unversioned structure that stands for a versioned one.
unsafe extern "C" fn delete_versioned(this: *mut DLManagedTensor) {
    // SAFETY: asks for a pointer of `Box`; true because `into_raw_unversioned` made it so, and a deleter is called once.
    let this = unsafe { Box::from_raw(this) };
    drop(NonNull::new(this.manager_ctx.cast()).map(DlPack));
}

impl From<DlPackError> for Error {
    fn from(error: DlPackError) -> Self {
        Self::DlPack(error)
    }
}
