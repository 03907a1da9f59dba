//! The record of an opened device, shared by its handles, leases, events and buffers.
//!
//! **Life** Live, Draining, Closed (see [`millstream_sync::gate`]); it ends when the last handle, lease, event and buffer are gone, and gives back what the shutdown left.
//!
//! **Locks** `DeviceState` guards the list of caches.

use millstream_hal::Backend;
use millstream_sync::atomic::{AtomicU32, Ordering};
use millstream_sync::gate::Gate;
use millstream_sync::lock::levels::DeviceState;
use millstream_sync::lock::{Lock, try_enter};
use millstream_sync::{Arc, OwnerWord};

use super::DeviceOptions;
use crate::error::{Error, Result};
use crate::event::EventPool;
use crate::evidence::Evidence;
use crate::fault::FaultCell;
use crate::fork;
use crate::memory::{Buffer, CacheCounts, Memory, ThreadCache};
use crate::profile::Profiler;
use crate::shutdown::ShutdownReport;
use crate::stream::StreamPool;

static NEXT_ID: AtomicU32 = AtomicU32::new(1);

/// Caches of the device's threads, and what ended ones had counted.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    pub(crate) caches: Vec<Arc<ThreadCache>>,
    pub(crate) retired: CacheCounts,
    pub(crate) shutdown: Option<ShutdownReport>,
}

pub(crate) struct Shared {
    pub(crate) id: u16,
    pub(crate) fork_generation: u32,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) options: DeviceOptions,
    pub(crate) gate: Gate,
    pub(crate) streams: StreamPool,
    pub(crate) memory: Memory,
    pub(crate) events: EventPool,
    pub(crate) profiler: Profiler,
    pub(crate) evidence: Evidence,
    pub(crate) faults: FaultCell,
    pub(crate) state: Lock<DeviceState, Registry>,
    pub(crate) closing: OwnerWord,
}

impl Shared {
    pub(super) fn new(backend: Arc<dyn Backend>, options: DeviceOptions) -> Self {
        fork::watch();
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed) as u16,
            fork_generation: fork::generation(),
            gate: Gate::new(),
            streams: StreamPool::new(options.streams),
            memory: Memory::new(options.budget_bytes, options.cache_bytes_max, options.staging_bytes_max),
            events: EventPool::new(),
            profiler: Profiler::new(options.profiler),
            evidence: Evidence::default(),
            faults: FaultCell::default(),
            state: Lock::new(Registry::default()),
            closing: OwnerWord::new(),
            backend,
            options,
        }
    }

    pub(crate) fn name(&self) -> String {
        format!("{} (device {})", self.backend.info().name, self.id)
    }

    /// Whether this process may use the device. Errors: `ForkedChild`.
    #[inline]
    pub(crate) fn check_process(&self) -> Result<()> {
        if fork::generation() == self.fork_generation { Ok(()) } else { Err(Error::ForkedChild) }
    }

    /// Whether the device takes work: two relaxed loads. Errors: `ForkedChild`, `Fault`, `Closed`.
    #[inline]
    pub(crate) fn check(&self) -> Result<()> {
        self.check_process()?;
        if self.gate.is_live() { Ok(()) } else { Err(self.refusal()) }
    }

    /// Whether `buffer` is of this device. Errors: `MixedDevices`.
    #[inline]
    pub(crate) fn check_owner(self: &Arc<Self>, buffer: &Buffer) -> Result<()> {
        match Arc::ptr_eq(self, buffer.shared()) {
            true => Ok(()),
            false => Err(Error::MixedDevices { left: self.name(), right: buffer.shared().name() }),
        }
    }

    /// A thread's cache has ended: keep its counts. Lock: `DeviceState`.
    pub(crate) fn retire(&self, cache: &Arc<ThreadCache>) {
        // If the token cannot be had the cache stays listed: it costs its record, not its blocks.
        let _ = try_enter(|held| {
            let mut state = held.lock(&self.state);
            // What a flush was refused for goes to the inbox, under this lock, so that figures find it in one place or the other.
            while let Some(number) = cache.take_any(|number| self.memory.slab.block(number).bytes()) {
                self.streams.slot(cache.slot()).hand_back(number, self.memory.slab.block(number));
            }
            if let Some(at) = state.caches.iter().position(|c| Arc::ptr_eq(c, cache)) {
                state.caches.swap_remove(at);
                state.retired.add(cache.counts());
            }
        });
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device").field("name", &self.name()).field("state", &self.gate.state()).finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if fork::generation() != self.fork_generation {
            // The backend's threads are not in this process and may have held its locks: it is never dropped here.
            let _kept = std::mem::ManuallyDrop::new(self.backend.clone());
            return;
        }
        self.release_rest();
        self.end_imports();
    }
}
