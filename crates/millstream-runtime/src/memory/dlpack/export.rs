//! Our buffers for others: the structure, what it points to and a handle to the buffer in one allocation, which the deleter frees.

use std::ptr::NonNull;

use millstream_hal::{DType, Layout, MAX_DIMS};
use millstream_sync::atomic::Ordering;
use millstream_sync::lock::try_enter;

use super::abi::{self, DLDevice, DLManagedTensorVersioned, DLTensor};
use super::{DlPack, DlPackError};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::memory::Buffer;
use crate::profile::Why;

/// What an exported structure keeps. Its own address is its `manager_ctx`.
struct Exported {
    managed: DLManagedTensorVersioned,
    sizes: [i64; MAX_DIMS],
    strides: [i64; MAX_DIMS],
    _buffer: Buffer,
}

impl Device {
    /// The elements of type `dtype` that lie in `buffer` as `layout` says, for another library, without a copy. The handle keeps the buffer alive until the consumer calls its deleter: on any thread, also
    /// after the device was shut down and when the thread's own state is gone.
    ///
    /// The consumer reads memory and knows no stream, so the call waits until the value is complete: it blocks the host. It says read-only, unless `writable`: then the buffer must be the last handle, and
    /// all that its stream and its other users have enqueued is waited for.
    ///
    /// Errors: `Unsupported` where device memory has no host address, `BeyondEnd`, `DlPack` (`Shared`), `MixedDevices`, `Fault`, `Closed`, `ForkedChild`.
    #[track_caller]
    pub fn export_dlpack(&self, buffer: Buffer, dtype: DType, layout: &Layout, writable: bool) -> Result<DlPack> {
        let asked = layout.extent().saturating_mul(dtype.bytes());
        if asked > buffer.bytes() {
            return Err(Error::BeyondEnd { asked, bytes: buffer.bytes() });
        }
        let start = self.host_ptr(&buffer)?;
        if writable {
            self.await_all_users(&buffer)?;
        }
        let axis_or_zero = |of: fn(&Layout, usize) -> usize| {
            std::array::from_fn(|axis| if axis < layout.dims() { of(layout, axis) as i64 } else { 0 })
        };
        let dl_tensor = DLTensor {
            data: start.as_ptr().cast(),
            device: DLDevice { device_type: abi::CPU, device_id: 0 },
            ndim: layout.dims() as i32,
            dtype: abi::data_type(dtype),
            shape: std::ptr::null_mut(),
            strides: std::ptr::null_mut(),
            byte_offset: (layout.offset() * dtype.bytes()) as u64,
        };
        let managed = DLManagedTensorVersioned {
            version: abi::VERSION,
            manager_ctx: std::ptr::null_mut(),
            deleter: Some(delete),
            flags: if writable { abi::FLAG_IS_COPIED } else { abi::FLAG_READ_ONLY },
            dl_tensor,
        };
        let (sizes, strides) = (axis_or_zero(Layout::size), axis_or_zero(Layout::stride));
        let exported: &mut Exported = Box::leak(Box::new(Exported { managed, sizes, strides, _buffer: buffer }));
        Ok(DlPack(exported.point_at_itself()))
    }

    /// Waits for everything that may still read or write the buffer. Errors: `Shared` where more could come, and those of a wait.
    #[track_caller]
    fn await_all_users(&self, buffer: &Buffer) -> Result<()> {
        let (shared, block) = (self.shared(), buffer.block());
        // ORDER: Acquire so that the uses of handles that are gone are visible; pairs with the Release in `Buffer::drop`.
        if block.is_imported() || block.handles.load(Ordering::Acquire) != 1 {
            return Err(DlPackError::Shared.into());
        }
        // What its own streams enqueued is in no use set.
        let own = [block.home(), block.stream()].map(|stream| (stream, shared.streams.slot(stream).published()));
        let mut users = shared.stamps_of(buffer.number());
        users.extend(own);
        let why = Why::here("dlpack export").of_many();
        try_enter(|held| users.iter().try_for_each(|(stream, seq)| shared.await_seq(held, *stream, *seq, None, why)))
            .ok_or(Error::Reentered)?
    }
}

impl Exported {
    /// Fills in the pointers, now that it has its place, and returns that of the structure.
    fn point_at_itself(&mut self) -> NonNull<DLManagedTensorVersioned> {
        let this: *mut Self = self;
        // SAFETY: asks for a place inside one allocation; true because `this` is a whole `Exported`.
        let sizes = unsafe { &raw mut (*this).sizes };
        // SAFETY: as above.
        let strides = unsafe { &raw mut (*this).strides };
        // SAFETY: as above.
        let managed = unsafe { &raw mut (*this).managed };
        // SAFETY: asks for the only reference to the structure; true because nobody else has the allocation yet.
        let fields = unsafe { &mut *managed };
        fields.manager_ctx = this.cast();
        (fields.dl_tensor.shape, fields.dl_tensor.strides) = (sizes.cast(), strides.cast());
        // SAFETY: asks for a pointer that is not null; true because it points into `self`.
        unsafe { NonNull::new_unchecked(managed) }
    }
}

/// Drops the handle and frees the structure. A drop of a buffer takes no lock and never waits, so it may be called from anywhere.
unsafe extern "C" fn delete(this: *mut DLManagedTensorVersioned) {
    // SAFETY: asks for a valid structure; true because a consumer passes its own, once.
    let exported: *mut Exported = unsafe { (*this).manager_ctx }.cast();
    // SAFETY: asks for a pointer of `Box`; true because `export_dlpack` leaked one and a deleter is called once.
    drop(unsafe { Box::from_raw(exported) });
}
