//! What runs on a device: allocation, kernels, transfers. The kernels are the caller's; this file has no word for them.

use millstream_hal::{Access, Kernel, Operand};
use millstream_sync::lock::try_enter;

use super::Device;
use crate::error::{Error, Result};
use crate::memory::Buffer;
use crate::stamp::Stamp;
use crate::thread_state;

impl Device {
    /// Enqueues `kernel` on the current stream: one output of `bytes` bytes that it allocates, then `inputs` in order. Returns before the work is done.
    /// Inputs written on other streams are waited for on the device. Errors: `OutOfMemory`, `MixedDevices`, `Closed`, `Fault`, and those of
    /// [`Device::current_stream`].
    pub fn launch(&self, kernel: Kernel, bytes: usize, inputs: &[&Buffer]) -> Result<Buffer> {
        let here = thread_state::here(self.shared())?;
        let mut output = self.shared().allocate(&here, bytes)?;
        let mut operands = [output.operand(Access::Write); millstream_hal::MAX_OPERANDS];
        for (operand, input) in operands[1..].iter_mut().zip(inputs) {
            *operand = input.operand(Access::Read);
        }
        let stamp = self.shared().submit(&here, kernel, &operands[..=inputs.len()], inputs, &[])?;
        output.publish(stamp);
        Ok(output)
    }

    /// Enqueues `kernel` on the current stream without an output, for its effect on time ([`Kernel::Spin`]). Errors: as [`Device::launch`].
    pub fn enqueue(&self, kernel: Kernel) -> Result<Stamp> {
        let here = thread_state::here(self.shared())?;
        self.shared().submit(&here, kernel, &[], &[], &[])
    }

    /// Copies `data` to the device on the current stream. `data` is read before the call returns. Errors: as [`Device::launch`].
    pub fn upload(&self, data: &[u8]) -> Result<Buffer> {
        let here = thread_state::here(self.shared())?;
        let mut staged = self.shared().stage(data.len())?;
        staged.write(data);
        let mut output = self.shared().allocate(&here, data.len())?;
        let operands = [output.operand(Access::Write), staged.operand(data.len(), Access::Read)];
        let stamp = self.shared().submit(&here, Kernel::Upload { bytes: data.len() }, &operands, &[], &[])?;
        staged.busy_until(stamp.stream, stamp.seq);
        output.publish(stamp);
        Ok(output)
    }

    /// Copies the first bytes of each buffer to the host, one after another, with one wait for all. Blocks the host.
    /// Errors: `Fault`, and those of [`Device::launch`].
    #[track_caller]
    pub fn download(&self, parts: &[(&Buffer, usize)]) -> Result<Vec<u8>> {
        let total: usize = parts.iter().map(|(_, bytes)| bytes).sum();
        if total == 0 {
            return Ok(Vec::new());
        }
        let shared = self.shared();
        let here = thread_state::here(shared)?;
        for (buffer, _) in parts {
            let written = buffer.last_write();
            shared.settled_fault(written.stream, written.seq)?;
        }
        let mut staged = shared.stage(total)?;
        let mut to = 0;
        let mut last = None;
        for (buffer, bytes) in parts {
            let kernel = Kernel::Download { bytes: *bytes, from: 0, to };
            let target: Operand = staged.operand(total, Access::Write);
            let stamp = shared.submit(&here, kernel, &[target, buffer.operand(Access::Read)], &[buffer], &[])?;
            staged.busy_until(stamp.stream, stamp.seq);
            last = Some(stamp);
            to += bytes;
        }
        if let Some(stamp) = last {
            try_enter(|held| shared.await_seq(held, stamp.stream, stamp.seq, None, "download"))
                .ok_or(Error::Reentered)??;
            shared.settle_imports();
        }
        for (buffer, _) in parts {
            let written = buffer.last_write();
            shared.settled_fault(written.stream, written.seq)?;
        }
        staged.completed();
        Ok(staged.read(total).to_vec())
    }
}
