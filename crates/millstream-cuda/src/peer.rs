//! Other CUDA devices of the process: copies to them, waits for them, and what a device that received values asks of their source.
//!
//! The driver tells a failure of the source to who asks the source. So a device to which values were copied keeps an event of the source's context that is never recorded, and asks it whenever a mark
//! of its own was reached: without a failure the answer is yes. A copy that a failed source never made is thus never told as done.
//!
//! **Invariants**
//! * `source-asked-after`: the source is asked after the mark was seen reached, so that a failure before the copy's end is seen.

use millstream_hal::{Backend, DevicePtr, Error, RawEvent, RawStream, Result};
use millstream_sync::{Arc, OnceLock};

use crate::CudaBackend;
use crate::driver::{Answer, Handle};
use crate::loaded::Loaded;
use crate::unheard;

/// Devices of a process that one can receive from, by their numbers.
const SOURCES_MAX: usize = 64;

/// A device from which values came.
#[derive(Debug)]
struct Source {
    loaded: Arc<Loaded>,
    never_recorded: Handle,
}

impl Drop for Source {
    fn drop(&mut self) {
        let context = &self.loaded.context;
        let ended = context.bound().and_then(|driver| driver.destroy_event(self.never_recorded));
        unheard::keep(&context.driver, "an event of a peer was ended", ended);
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Sources {
    all: Box<[OnceLock<Source>]>,
    any: OnceLock<()>,
}

impl Sources {
    pub(crate) fn new() -> Self {
        Self { all: (0..SOURCES_MAX).map(|_| OnceLock::new()).collect(), any: OnceLock::new() }
    }

    /// Whether all sources work. Without one it costs a load.
    #[inline]
    pub(crate) fn ask(&self) -> Answer {
        if self.any.get().is_none() {
            return Ok(());
        }
        self.all
            .iter()
            .filter_map(OnceLock::get)
            .try_for_each(|source| source.loaded.context.driver.query_event(source.never_recorded).map(drop))
    }

    /// Keeps a source, and lets the two contexts reach each other where the machine can.
    fn add(&self, number: usize, source: &Arc<Loaded>, target: &Arc<Loaded>) -> Answer<bool> {
        let Some(place) = self.all.get(number) else { return Ok(false) };
        if place.get().is_some() {
            return Ok(true);
        }
        let (from, to) = (&source.context, &target.context);
        for (one, other) in [(to, from), (from, to)] {
            let driver = one.bound()?;
            if one.device != other.device && driver.can_access_peer(one.device, other.device)? {
                // Refused when it was enabled before; without it copies go through the host's memory.
                let _ = driver.enable_peer(other.context);
            }
        }
        // Bound to the source, the second of the turns.
        let never_recorded = from.bound()?.create_event(false)?;
        let _ = place.set(Source { loaded: Arc::clone(source), never_recorded });
        let _ = self.any.set(());
        Ok(true)
    }
}

/// Another device of the same driver.
fn cuda<'a>(device: &CudaBackend, peer: &'a dyn Backend) -> Option<&'a CudaBackend> {
    let peer = (peer as &dyn std::any::Any).downcast_ref::<CudaBackend>()?;
    (peer.driver_path() == device.driver_path()).then_some(peer)
}

const NO_PEER: Error = Error::Unsupported { what: "work with a device of another kind", backend: "cuda" };

impl CudaBackend {
    pub(crate) fn connect(&self, peer: &dyn Backend) -> bool {
        let Some(peer) = cuda(self, peer) else { return false };
        let number = self.number as usize;
        self.fault.read().is_none()
            && peer.fault.read().is_none()
            && peer.sources.add(number, &self.loaded, &peer.loaded) == Ok(true)
    }

    pub(crate) fn enqueue_peer_wait(&self, stream: RawStream, peer: &dyn Backend, event: RawEvent) -> Result<()> {
        self.fault.check()?;
        let peer = cuda(self, peer).ok_or(NO_PEER)?;
        let (cell, mark) = peer.events.marked(event)?;
        let slot = self.stream(stream);
        if peer.is_known(cell, mark) {
            self.counters.waits_already_over.hit();
            return Ok(());
        }
        self.counters.waits_enqueued.hit();
        let answer = self.driver().and_then(|driver| driver.wait_event(slot.native(), cell.native()));
        answer.map_err(|code| self.failed(Some(slot), "a wait for a peer was enqueued", code))
    }

    pub(crate) fn enqueue_peer_copy(
        &self,
        stream: RawStream,
        seq: u64,
        from: DevicePtr,
        peer: &dyn Backend,
        to: DevicePtr,
        bytes: usize,
    ) -> Result<()> {
        self.fault.check()?;
        let peer = cuda(self, peer).ok_or(NO_PEER)?;
        let slot = self.stream(stream);
        let (to, from) = ((to.0, peer.loaded.context.context), (from.0, self.loaded.context.context));
        let answer = self.driver().and_then(|driver| driver.copy_to_peer(to, from, bytes, slot.native()));
        answer.map_err(|code| self.failed(Some(slot), "a copy to a peer was enqueued", code))?;
        slot.note_enqueued(slot.position_of(seq));
        Ok(())
    }
}
