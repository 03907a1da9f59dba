//! Copies from one device to another.
//!
//! Between devices that know each other the copy is an operation of the source's current stream, and the host does not wait: that stream waits for what was done to the memory of the copy, which the target's
//! current stream owns, and the target's stream waits for the copy. So the source may be dropped at once, and the copy be used at once. Between all others the values go through the host.
//!
//! **Invariants**
//! * `ordered-both-ways`: the copy comes after all work of the target's stream up to its allocation, and before all work of that stream after its publication.
//! * `kept-while-written`: memory that a copy may still write is nobody else's, whatever fails or panics between the two enqueues.
//!
//! **Locks** `StreamSubmit` of one device after the other, never both.

use std::cell::Cell;
use std::mem::ManuallyDrop;

use millstream_sync::lock::record::{self, Boundary};
use millstream_sync::lock::try_enter;

use super::Device;
use crate::error::{Error, Result};
use crate::memory::Buffer;
use crate::profile::Why;
use crate::stream::Work;
use crate::thread_state;

/// A handle to the memory of a copy, until the target's stream is ordered after it. Before that nothing of that stream stands between the copy and the next user of the memory: dropped while the
/// copy is on its way, by an error or a panic, it sees to it that there is none.
struct Incoming {
    memory: Buffer,
    on_its_way: Cell<bool>,
}

impl Incoming {
    /// Makes the call `enqueue`: from then on the copy is on its way, unless the answer is that it is not.
    fn by<T>(&self, enqueue: impl FnOnce() -> millstream_hal::Result<T>) -> millstream_hal::Result<T> {
        self.on_its_way.set(true);
        enqueue().inspect_err(|_| self.on_its_way.set(false))
    }

    /// Nobody can come before the copy any more.
    fn arrived(&self) {
        self.on_its_way.set(false);
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.on_its_way.get() {
            let _never_reused = ManuallyDrop::new(self.memory.clone());
        }
    }
}

impl Device {
    /// Copies the first `bytes` bytes of `buffer`, a buffer of this device, to a fresh buffer of `target`. Between CUDA devices the copy is enqueued and the call does not wait; between all others, and on one
    /// device, it goes through the host, which waits for the value. A failure of this device that comes after an enqueued copy is one of the target too: nobody could say what the copy holds.
    /// Errors: `BeyondEnd`, `MixedDevices` (the buffer is not of this device), and those of [`Device::launch`] on both devices.
    #[track_caller]
    pub fn copy_to(&self, target: &Device, buffer: &Buffer, bytes: usize) -> Result<Buffer> {
        if bytes > buffer.bytes() {
            return Err(Error::BeyondEnd { asked: bytes, bytes: buffer.bytes() });
        }
        let (from, to) = (self.shared(), target.shared());
        from.check_owner(buffer)?;
        if bytes == 0 || !from.backend.connect_peer(&*to.backend) {
            return target.upload(&self.download(&[(buffer, bytes)])?);
        }
        from.check()?;
        let there = thread_state::begin(to)?;
        let mut copy = to.allocate(&there, bytes)?;
        let incoming = Incoming { memory: copy.clone(), on_its_way: Cell::new(false) };
        let here = thread_state::begin(from)?;
        let tail = to.tail(there.slot).seq;
        let (_, ready) = try_enter(|held| to.cover(held, there.slot, tail)).ok_or(Error::Reentered)??;
        let (source, room) = (buffer.block().address(), copy.block().address());
        let send = |raw, seq| {
            from.backend.wait_peer(raw, &*to.backend, ready.raw())?;
            record::boundary(Boundary::Enqueue);
            incoming.by(|| from.backend.copy_to_peer(raw, seq, source, &*to.backend, room, bytes))
        };
        let (sent, _) = from.operate(&here, Work::Between("copy to a device", &send), &[buffer], &[])?;
        let receive = || {
            let (_, done) = try_enter(|held| from.cover(held, sent.stream, sent.seq)).ok_or(Error::Reentered)??;
            let wait = |raw, _| to.backend.wait_peer(raw, &*from.backend, done.raw());
            to.operate(&there, Work::Between("copy from a device", &wait), &[], &[])
        };
        let received = receive().inspect_err(|_| {
            let why = Why::here("copy to a device");
            let waited = try_enter(|held| from.await_seq(held, sent.stream, sent.seq, None, why));
            if matches!(waited, Some(Ok(()))) {
                incoming.arrived();
            }
        });
        let (stamp, _) = received?;
        incoming.arrived();
        copy.publish(stamp);
        Ok(copy)
    }
}
