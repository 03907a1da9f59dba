//! What a device says and does about its memory: figures, giving back, memory of others, a view for the host.

use std::path::Path;
use std::ptr::NonNull;

use millstream_sync::Arc;
use millstream_sync::lock::try_enter;

use super::Device;
use crate::error::{Error, Result};
use crate::memory::{Buffer, MemorySnapshot, MemoryStats, Reclaimer};
use crate::profile::Why;

impl Device {
    /// Figures of the memory. Short locks, no driver call. Zeros in a forked child, where a lock may be held by a thread that is not there.
    #[must_use]
    pub fn memory_stats(&self) -> MemoryStats {
        if self.shared().check_process().is_err() {
            return MemoryStats::default();
        }
        self.shared().settle_imports();
        try_enter(|held| self.shared().memory_stats(held)).unwrap_or_default()
    }

    /// Peaks of [`Device::memory_stats`] count from here on. Short locks, no driver call.
    pub fn reset_peaks(&self) {
        let _ = try_enter(|held| self.shared().reset_peaks(held));
    }

    /// Every segment and block with its state, what is imported and staged, and what the history has. Short locks, no driver call. Errors: `Reentered`, `ForkedChild`.
    pub fn memory_snapshot(&self) -> Result<MemorySnapshot> {
        self.shared().check_process()?;
        try_enter(|held| self.shared().memory_snapshot(held)).ok_or(Error::Reentered)
    }

    /// Keeps the last `entries` allocations, frees and segments for [`Device::memory_snapshot`], from now on. The number is that of the first call. Costs a clock reading for each.
    pub fn start_memory_history(&self, entries: usize) {
        self.shared().memory.history.start(entries);
    }

    /// Notes nothing any more; what is kept stays.
    pub fn stop_memory_history(&self) {
        self.shared().memory.history.stop();
    }

    /// Gives memory back to the device: idle threads' caches, inboxes, empty segments, staging memory at rest. Returns the bytes of segments released, in a forked child none. May call the driver.
    pub fn trim(&self) -> usize {
        if self.shared().check_process().is_err() {
            return 0;
        }
        self.shared().settle_imports();
        let Some(_pass) = self.shared().gate.pass() else { return 0 };
        self.shared().release_staging(usize::MAX);
        try_enter(|held| self.shared().trim(held)).unwrap_or(0)
    }

    /// Registers `reclaim`: when an allocation is about to be refused it is called with the bytes wanted and says how many it freed, by dropping buffers or tensors. Then the search is made again.
    /// It is called with no lock held, by one thread at a time and never from inside a reclaimer; it may use the device, and an allocation inside it is refused
    /// rather than calling it again. Reclaimers are asked in the order of their registration, each once for an allocation, until the memory is there. A panic in it goes through the allocation.
    /// Registered until the guard drops; let it hold the device only weakly or not at all. Errors: `Closed`, `Fault`, `ForkedChild`, `Reentered`.
    pub fn register_reclaimer(&self, reclaim: impl Fn(usize) -> usize + Send + Sync + 'static) -> Result<Reclaimer> {
        self.shared().register_reclaimer(Arc::new(reclaim))
    }

    /// A buffer over `bytes` bytes of somebody else's host memory at `start`, read by kernels where it lies and never written.
    ///
    /// When the last handle has dropped and every kernel that uses the memory has completed, `deleter` is called: once, on whatever thread comes by (a drop, a synchronisation, an
    /// allocation, a shutdown), with no lock held, never in a forked child. It may use the device; a panic in it is caught and counted. The bytes are in [`MemoryStats`] and not
    /// in the budget. Kernels need the alignment of their elements. Does not block.
    ///
    /// Errors: `Unsupported` (see [`Device::info`], `host_addressable`), `Closed`, `Fault`, `ForkedChild`; the deleter is then dropped without a call.
    ///
    /// # Safety
    /// Until `deleter` is called or dropped, `start` must be valid for reads of `bytes` bytes from any thread, all of them initialised, and nobody may write them.
    #[expect(unsafe_code, reason = "only the caller knows how long the memory lives")]
    pub unsafe fn import(
        &self,
        start: NonNull<u8>,
        bytes: usize,
        deleter: impl FnOnce() + Send + 'static,
    ) -> Result<Buffer> {
        self.shared().import(start, bytes, Box::new(deleter))
    }

    /// The same for a vector of f32, without a promise of the caller's: the vector lives until `deleter` has been called, and nobody else has it. A deleter that is dropped without
    /// a call drops the vector too. Errors: as [`Device::import`].
    #[expect(unsafe_code, reason = "the vector is owned by what the deleter drops")]
    pub fn import_vec(&self, data: Vec<f32>, deleter: impl FnOnce() + Send + 'static) -> Result<Buffer> {
        let (start, bytes) = (NonNull::from(data.as_slice()).cast(), data.len() * 4);
        let owner = move || {
            deleter();
            drop(data);
        };
        // SAFETY: asks for initialised bytes that nobody writes until the deleter is called or dropped; true because the deleter owns the vector, whose elements do not move.
        unsafe { self.import(start, bytes, owner) }
    }

    /// A buffer over `bytes` bytes of a file from byte `offset` on, mapped and not read: pages come when a kernel touches them. The mapping ends when the last handle has dropped and
    /// every kernel that uses it has completed. May block on the file system.
    ///
    /// As with every mapped file, nobody may change or cut the file meanwhile: the system ends a process that touches pages which are gone.
    ///
    /// Errors: `File` (absent, no permission, no file that can be mapped), `FileTooShort`, and those of [`Device::import`].
    pub fn map_file(&self, path: impl AsRef<Path>, offset: u64, bytes: usize) -> Result<Buffer> {
        self.shared().map_file(path.as_ref(), offset, bytes)
    }

    /// A buffer with `bytes` bytes of a file from byte `offset` on, read and copied to the device: for devices that cannot map it. Blocks on the file system.
    /// Errors: `File`, `FileTooShort`, and those of [`Device::upload`].
    #[track_caller]
    pub fn read_file(&self, path: impl AsRef<Path>, offset: u64, bytes: usize) -> Result<Buffer> {
        self.upload(&crate::memory::read_file(path.as_ref(), offset, bytes)?)
    }

    /// Copies the bytes of `buffer` from byte `from` on into `to` where the host can address device memory: without a copy on a stream, staging memory or the host's heap. Blocks the
    /// host until the value is there; on a device that has failed, a value that the failure did not reach is read all the same.
    /// Errors: `BeyondEnd`, `Unsupported` (see [`Device::info`], `host_addressable`), `MixedDevices`, `Fault` when the value is lost, `Closed`, `ForkedChild`.
    #[track_caller]
    pub fn read_in_place(&self, buffer: &Buffer, from: usize, to: &mut [u8]) -> Result<()> {
        let asked = from.saturating_add(to.len());
        if asked > buffer.bytes() {
            return Err(Error::BeyondEnd { asked, bytes: buffer.bytes() });
        }
        let shared = self.shared();
        shared.check_host_addressable("reading device memory where it lies")?;
        shared.read_value(buffer, from, to, Why::here("download"))
    }

    /// The host address of a buffer's first byte, for reading its [`Buffer::bytes`] bytes while a handle to it lives. Blocks the host until the value is there.
    /// Errors: `Unsupported` where device memory has no host address, `MixedDevices`, `Fault` when the value is lost, `Closed`, `ForkedChild`.
    #[track_caller]
    pub fn host_ptr(&self, buffer: &Buffer) -> Result<NonNull<u8>> {
        let shared = self.shared();
        shared.check_host_addressable("a host address of device memory")?;
        shared.check_readable()?;
        if !Arc::ptr_eq(shared, buffer.shared()) {
            return Err(Error::MixedDevices { left: shared.name(), right: buffer.shared().name() });
        }
        let (written, why) = (buffer.last_write(), Why::here("host view"));
        try_enter(|held| shared.await_seq(held, written.stream, written.seq, None, why)).ok_or(Error::Reentered)??;
        let address = buffer.block().address().0 as usize;
        NonNull::new(std::ptr::with_exposed_provenance_mut(address))
            .ok_or(Error::Unsupported { what: "a host address of an empty buffer", device: shared.name() })
    }
}
