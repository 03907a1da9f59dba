//! Tensors that go from one device to another.

use millstream_runtime::Device;

use crate::error::Result;
use crate::tensor::Tensor;

impl Tensor {
    /// The same values on `device`, in row-major order: this tensor itself where it is on that device already. Between CUDA devices the copy is ordered on the current streams of both
    /// and the call does not wait; between all others the values go through the host, which waits for them. The tensor may be dropped at once in either case.
    ///
    /// Should its device fail after a copy between CUDA devices was enqueued, `device` counts as failed too.
    /// Errors: `OutOfMemory`, `Fault`, `Closed` and those of the runtime, of either device.
    #[track_caller]
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        if self.device().same_as(device).is_ok() {
            return Ok(self.clone());
        }
        // No closure: the place of the wait is that of the caller.
        let whole = self.contiguous()?;
        let buffer = whole.device().copy_to(device, whole.buffer(), whole.bytes())?;
        Ok(Self::from_parts(device.clone(), buffer, whole.dtype(), *whole.layout()))
    }
}
