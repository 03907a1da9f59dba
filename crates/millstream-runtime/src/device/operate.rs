//! What runs on a device: allocation, kernels, transfers. The kernels are the caller's; this file has no word for them.

use millstream_hal::{Access, Kernel, Launch, MAX_OPERANDS};
use millstream_sync::lock::try_enter;

use super::Device;
use crate::error::{Error, Result};
use crate::memory::Buffer;
use crate::profile::Why;
use crate::stamp::Stamp;
use crate::thread_state::{self, Here};

const TOO_MANY: millstream_hal::Error =
    millstream_hal::Error::Exhausted { what: "operands of a kernel", limit: MAX_OPERANDS };

/// What is left of a buffer to download.
struct Part<'a> {
    buffer: &'a Buffer,
    from: usize,
    bytes: usize,
}

impl Device {
    /// Enqueues `kernel` on the current stream: one output of `bytes` bytes that it allocates, then `inputs` in order. Returns before the work is done.
    /// Inputs written on other streams are waited for on the device. A workspace that the backend asks for is allocated too, and free again in stream order after the launch.
    /// Errors: `OutOfMemory`, `MixedDevices`, `Closed`, `Fault`, `Backend` (too many inputs), and those of [`Device::current_stream`].
    #[inline]
    pub fn launch(&self, kernel: Kernel, bytes: usize, inputs: &[&Buffer]) -> Result<Buffer> {
        // Inlined, so that the kernel is written where it stays.
        self.launch_with_output(&mut Launch::new(kernel, 0, &[]), bytes, inputs)
    }

    /// Gives `launch` its operands, the output first, and enqueues it.
    fn launch_with_output(&self, launch: &mut Launch, bytes: usize, inputs: &[&Buffer]) -> Result<Buffer> {
        if inputs.len() + 1 > MAX_OPERANDS {
            return Err(Error::backend("launching a kernel")(TOO_MANY));
        }
        let here = thread_state::begin(self.shared())?;
        let mut output = self.shared().allocate(&here, bytes)?;
        launch.push(output.operand(Access::Write));
        inputs.iter().for_each(|input| launch.push(input.operand(Access::Read)));
        let workspace = self.workspace(&here, &launch.kernel)?;
        if let Some(workspace) = &workspace {
            if launch.operands().len() == MAX_OPERANDS {
                return Err(Error::backend("launching a kernel")(TOO_MANY));
            }
            launch.push(workspace.operand(Access::Write));
        }
        let stamp = self.shared().submit_one(&here, launch, inputs, &[])?;
        output.publish(stamp);
        Ok(output)
    }

    /// What the backend wants beside the operands. It drops when its launch is enqueued: the next user of the block on this stream comes after it, any other waits for this stream's tail.
    fn workspace(&self, here: &Here, kernel: &Kernel) -> Result<Option<Buffer>> {
        let shared = self.shared();
        match shared.backend.workspace_bytes(kernel) {
            0 => Ok(None),
            bytes => {
                here.cache.count_workspace(bytes);
                shared.allocate(here, bytes).map(Some)
            }
        }
    }

    /// Memory of `bytes` bytes for the current stream, with nothing enqueued: what it holds is what was there before. Blocks the host only on the last rungs of the ladder.
    /// Errors: as [`Device::launch`].
    pub fn allocate(&self, bytes: usize) -> Result<Buffer> {
        let shared = self.shared();
        let here = thread_state::here(shared)?;
        // A hit takes one block under the ownership of the cache, where a lease that is gone is seen: it needs not be marked as an operation.
        if let Some(number) = shared.cached(&here, bytes) {
            return Ok(shared.first_handle(&here, number, bytes, shared.tail(here.slot)));
        }
        let here = thread_state::begin(shared)?;
        // The block may be in use by earlier work of this stream: a user on another one comes after it.
        shared.allocate_after(&here, bytes, || shared.tail(here.slot))
    }

    /// Enqueues `kernel` on the current stream without an output, for its effect on time ([`Kernel::Spin`]). Errors: as [`Device::launch`].
    pub fn enqueue(&self, kernel: Kernel) -> Result<Stamp> {
        let here = thread_state::begin(self.shared())?;
        self.shared().submit(&here, kernel, &[], &[], &[])
    }

    /// Copies `data` to the device on the current stream. `data` is read before the call returns; it blocks the host only while all
    /// staging memory is at work. Errors: as [`Device::launch`].
    #[track_caller]
    pub fn upload(&self, data: &[u8]) -> Result<Buffer> {
        let here = thread_state::begin(self.shared())?;
        let shared = self.shared();
        let mut output = shared.allocate(&here, data.len())?;
        let size = shared.memory.staging.piece_bytes_max();
        let mut from = 0;
        loop {
            let piece = &data[from..data.len().min(from + size)];
            let mut staged = shared.stage(piece.len())?;
            staged.write(piece);
            let mut target = output.operand(Access::Write);
            (target.ptr, target.bytes) = (target.ptr.offset(from), piece.len());
            let operands = [target, staged.operand(piece.len(), Access::Read)];
            let stamp = shared.submit(&here, Kernel::Upload { bytes: piece.len() }, &operands, &[], &[])?;
            staged.busy_until(stamp.stream, stamp.seq);
            from += piece.len();
            if from == data.len() {
                output.publish(stamp);
                return Ok(output);
            }
        }
    }

    /// Copies the first bytes of each buffer to the host, one after another, with one wait for all. Blocks the host. On a device that has failed, values that the failure did not
    /// reach are read all the same ([`Device::health`] says how far it reached).
    /// Errors: `Fault` when a value is lost, and those of [`Device::launch`].
    #[track_caller]
    pub fn download(&self, parts: &[(&Buffer, usize)]) -> Result<Vec<u8>> {
        if let Some((buffer, asked)) = parts.iter().find(|(buffer, asked)| *asked > buffer.bytes()) {
            return Err(Error::BeyondEnd { asked: *asked, bytes: buffer.bytes() });
        }
        let total: usize = parts.iter().map(|(_, bytes)| bytes).sum();
        if total == 0 {
            return Ok(Vec::new());
        }
        match self.download_in_order(parts, total) {
            // The current stream may be lost where the values are not.
            Err(Error::Fault(_)) => self.shared().read_what_stands(parts),
            other => other,
        }
    }

    /// The ordinary way: copies on the current stream, through staging memory.
    #[track_caller]
    fn download_in_order(&self, parts: &[(&Buffer, usize)], total: usize) -> Result<Vec<u8>> {
        let shared = self.shared();
        let here = thread_state::begin(shared)?;
        let mut read = Vec::with_capacity(total);
        let parts_left = parts.iter().rev().filter(|(_, bytes)| *bytes > 0);
        let mut left: Vec<Part<'_>> =
            parts_left.map(|(buffer, bytes)| Part { buffer, from: 0, bytes: *bytes }).collect();
        while !left.is_empty() {
            self.download_piece(&here, &mut left, &mut read)?;
        }
        shared.settle_imports();
        for (buffer, _) in parts {
            let written = buffer.last_write();
            shared.settled_fault(written.stream, written.seq)?;
        }
        Ok(read)
    }

    /// Copies as much of `left` (first part last) as one piece of staging memory holds to the end of `read`, with one wait.
    #[track_caller]
    fn download_piece(&self, here: &Here, left: &mut Vec<Part<'_>>, read: &mut Vec<u8>) -> Result<()> {
        let shared = self.shared();
        let size = left.iter().map(|part| part.bytes).sum::<usize>().min(shared.memory.staging.piece_bytes_max());
        let mut staged = shared.stage(size)?;
        let joined_max = shared.backend.joined_max();
        let (mut launches, mut inputs) = (Vec::new(), Vec::new());
        let mut to = 0;
        let mut last = None;
        while to < size
            && let Some(part) = left.last_mut()
        {
            let bytes = part.bytes.min(size - to);
            let kernel = Kernel::Download { bytes, from: part.from, to };
            let operands = [staged.operand(size, Access::Write), part.buffer.operand(Access::Read)];
            launches.push(Launch::new(kernel, 0, &operands));
            inputs.push(part.buffer);
            to += bytes;
            (part.from, part.bytes) = (part.from + bytes, part.bytes - bytes);
            if part.bytes == 0 {
                left.pop();
            }
        }
        // Many small values are one call of the device.
        let mut done = 0;
        while done < launches.len() {
            let until = launches.len().min(done + joined_max);
            let (stamp, taken) = shared.submit_joined(here, &mut launches[done..until], &inputs[done..until], &[])?;
            staged.busy_until(stamp.stream, stamp.seq);
            last = Some(stamp);
            done += taken;
        }
        if let Some(stamp) = last {
            let why = Why::here("download");
            try_enter(|held| shared.await_seq(held, stamp.stream, stamp.seq, None, why)).ok_or(Error::Reentered)??;
        }
        staged.completed();
        read.extend_from_slice(staged.read(size));
        Ok(())
    }
}
