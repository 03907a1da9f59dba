//! Tensors of other libraries and ours for them, by DLPack: the memory stays where it is.
//!
//! This crate has no unsafe code: the structures and their checks are the runtime's ([`millstream_runtime::dlpack`]).

use millstream_hal::Kernel;
use millstream_runtime::Device;
use millstream_runtime::dlpack::DlPack;

use crate::error::Result;
use crate::tensor::Tensor;

impl Tensor {
    /// This tensor for another library, without a copy and as it lies: strides, offset and repeated elements included. The handle is marked read-only, since other tensors may show the same memory;
    /// it keeps the memory until the consumer calls its deleter, from any thread and also after the device was shut down. Blocks the host until the elements are computed.
    /// Errors: `Unsupported` on devices whose memory the host cannot address, `Fault`, `Closed`, and those of the runtime.
    #[track_caller]
    pub fn to_dlpack(&self) -> Result<DlPack> {
        Ok(self.device().export_dlpack(self.buffer().clone(), self.dtype(), self.layout(), false)?)
    }

    /// A copy of this tensor for another library, in row-major order, which the consumer may write. Blocks the host until the elements are computed. Errors: `OutOfMemory`, and as [`Tensor::to_dlpack`].
    #[track_caller]
    pub fn to_dlpack_copy(&self) -> Result<DlPack> {
        const OPERATION: &str = "to_dlpack_copy";
        let (dense, a) = (self.dense(OPERATION)?, *self.layout());
        let kernel = Kernel::Copy { dtype: self.dtype(), a };
        let copy = Self::launch(OPERATION, self.device(), dense, &[self.buffer()], kernel)?;
        let (device, buffer, dtype, layout) = copy.into_parts();
        Ok(device.export_dlpack(buffer, dtype, &layout, true)?)
    }

    /// The tensor of another library, without a copy: its memory is read where it lies, and its deleter called once, when the last tensor over it has dropped and all work that reads it has completed.
    /// Does not block. Errors: `DlPack` (a type, layout or device that is not understood; the text has the figure), `Unsupported`, `Fault`, `Closed`, and those of the runtime. The handle is used up
    /// in any case: after an error its deleter has been called.
    pub fn from_dlpack(device: &Device, handle: DlPack) -> Result<Self> {
        let (buffer, dtype, layout) = device.import_dlpack(handle)?;
        Ok(Self::from_parts(device.clone(), buffer, dtype, layout))
    }
}
