//! The device: streams, events, memory and kernels of one GPU behind the contract of a backend.
//!
//! **Invariants**
//! * `no-lock`: nothing here takes a lock; what the driver takes inside is its own.
//! * `faults-stick`: after the first failure no enqueue reaches the driver.

mod contract;
mod opening;

use millstream_hal::{DeviceInfo, Error, EventStatus, Fault, FaultScope, Mark, RawEvent, RawStream, Result};
use millstream_sync::atomic::{AtomicUsize, Ordering};
use millstream_sync::{Arc, BoundedQueue, OnceLock};

use crate::driver::{Answer, Code, Driver};
use crate::event::{Cell, Events};
use crate::fault::FaultCell;
use crate::graph::Graphs;
use crate::loaded::{self, Loaded};
use crate::memory::Memory;
use crate::peer::Sources;
use crate::statistics::{Counters, Statistics};
use crate::stream::{STREAMS_MAX, Scratch, Slot};
use crate::unheard;

/// One CUDA device: `cuda:I`.
#[derive(Debug)]
pub struct CudaBackend {
    info: DeviceInfo,
    pub(crate) number: u32,
    memory: Memory,
    slots: Box<[OnceLock<Box<Slot>>]>,
    free: BoundedQueue<u16>,
    made: AtomicUsize,
    pub(crate) events: Events,
    graphs: Graphs,
    pub(crate) fault: FaultCell,
    pub(crate) counters: Counters,
    pub(crate) sources: Sources,
    pub(crate) loaded: Arc<Loaded>,
}

impl CudaBackend {
    /// What the backend has done so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.counters.read()
    }

    /// Where the driver was found.
    #[must_use]
    pub fn driver_path(&self) -> &std::path::Path {
        self.loaded.context.driver.path()
    }

    /// The driver, with the device's context current on the calling thread.
    #[inline]
    pub(crate) fn driver(&self) -> Answer<&Driver> {
        self.loaded.context.bound()
    }

    /// The slot of a living stream. Panics for any other: the runtime's mistake.
    #[inline]
    pub(crate) fn stream(&self, stream: RawStream) -> &Slot {
        let (index, generation) = Slot::parts(stream);
        let slot = self.slots[index].get().filter(|slot| slot.is_alive(generation));
        slot.unwrap_or_else(|| panic!("stream {} was destroyed or never made", stream.0))
    }

    fn take_slot(&self) -> Result<&Slot> {
        let index = match self.free.try_pop() {
            Some(index) => usize::from(index),
            None => {
                let index = self.made.fetch_add(1, Ordering::Relaxed);
                if index >= STREAMS_MAX {
                    self.made.fetch_sub(1, Ordering::Relaxed);
                    return Err(Error::Exhausted { what: "streams", limit: STREAMS_MAX });
                }
                index
            }
        };
        Ok(self.slots[index].get_or_init(|| Box::new(Slot::new(index as u16))))
    }

    fn open_slot(&self, slot: &Slot) -> Answer {
        let driver = self.driver()?;
        let native = driver.create_stream()?;
        let scratch = slot.own_scratch().map_or_else(|| Scratch::take(driver, native), Ok);
        match scratch {
            Ok(scratch) => slot.open(native, scratch),
            Err(code) => {
                unheard::keep(driver, "a stream was ended", driver.destroy_stream(native));
                return Err(code);
            }
        }
        Ok(())
    }

    /// Whether a mark is known to be reached, without a driver call.
    pub(crate) fn is_known(&self, cell: &Cell, mark: Mark) -> bool {
        cell.is_done(mark) || self.slots[mark.slot()].get().is_some_and(|slot| slot.done() >= mark.position())
    }

    fn ask(&self, event: RawEvent) -> Result<bool> {
        let (cell, mark) = self.events.marked(event)?;
        if self.is_known(cell, mark) {
            return Ok(true);
        }
        self.fault.check()?;
        let slot = self.slots[mark.slot()].get().map(|slot| &**slot);
        let answer = self.driver().and_then(|driver| driver.query_event(cell.native()));
        let done = answer.map_err(|code| self.failed(slot, "an event was asked for", code))?;
        // Also while the mark is not reached: a wait for a device that has failed may never end.
        self.sources.ask().map_err(|code| self.failed(slot, "a device that values came from was asked", code))?;
        if done {
            cell.set_done(mark);
            if let Some(slot) = slot {
                slot.note_done(mark.position());
            }
        }
        Ok(done)
    }

    fn status(done: bool) -> EventStatus {
        if done { EventStatus::Done } else { EventStatus::Pending }
    }

    /// Keeps the first failure, and gives it as an error. `seen` is the stream of the call that reported it.
    #[cold]
    pub(crate) fn failed(&self, seen: Option<&Slot>, when: &str, code: Code) -> Error {
        let error = self.fault.set(|| self.fault_of(seen, when, code)).error();
        loaded::forget(&self.loaded);
        error
    }

    /// The stream is that of `seen`, else the first that has work not known to be complete; what else is not, the runtime knows by name.
    fn fault_of(&self, seen: Option<&Slot>, when: &str, code: Code) -> Fault {
        let all = || self.slots.iter().filter_map(OnceLock::get).map(|slot| &**slot);
        let oldest = seen.into_iter().chain(all()).find_map(|slot| Some((slot.raw(), slot.oldest_unknown()?)));
        let (stream, seq, kernel) = match oldest {
            Some((stream, seq)) => (stream, seq, "the oldest not known to be complete"),
            None => (seen.map_or(RawStream(0), Slot::raw), 0, "no operation"),
        };
        let reason = format!("{}, reported when {when}", self.loaded.context.driver.describe(code));
        Fault { scope: FaultScope::Device, stream, seq, kernel, reason }
    }

    /// The driver for a give-back. Its failure is one of the device: the next enqueue says it too.
    fn give_back(&self, when: &'static str, call: impl FnOnce(&Driver) -> Answer) -> Result<()> {
        self.driver().and_then(call).map_err(|code| self.failed(None, when, code))
    }
}

impl Drop for CudaBackend {
    fn drop(&mut self) {
        // Streams that the runtime has left at work stay until the process ends, and scratch with them: giving memory back waits for all work.
        let slots = || self.slots.iter().filter_map(OnceLock::get);
        if slots().any(|slot| slot.oldest_unknown().is_some()) {
            return;
        }
        let driver = match self.driver() {
            Ok(driver) => driver,
            Err(code) => return unheard::keep(&self.loaded.context.driver, "the context was bound", Err(code)),
        };
        for slot in slots() {
            if let Some(native) = slot.close() {
                unheard::keep(driver, "a stream was ended", driver.destroy_stream(native));
            }
            if let Some(scratch) = slot.own_scratch() {
                unheard::keep(driver, "scratch was given back", driver.free(scratch.0));
            }
        }
        self.events.end(driver);
    }
}
