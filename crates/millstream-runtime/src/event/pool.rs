//! Native events at rest, reused when they are done and nobody refers to them.
//!
//! **Invariants**
//! * `reuse-when-done`: an event is given back only after its mark was seen to be reached, and taken only when its handle is the last one.
//!
//! **Locks** `EventPool`; the driver is called with nothing held.
//!
//! **Checked by** specs/event_reuse, the seeded bug `event-reuse`.

use millstream_hal::{Backend, EventStatus, RawEvent};
use millstream_sync::Arc;
use millstream_sync::lock::levels::Nothing;
use millstream_sync::lock::record::{self, Boundary};
use millstream_sync::lock::{Held, Lock, levels};
use millstream_sync::seeded::{self, Bug};

use crate::error::{Error, Result};
use crate::evidence::{Evidence, Step};

/// A backend's event, counted.
#[derive(Debug)]
pub(crate) struct NativeEvent {
    raw: RawEvent,
    timing: bool,
}

impl NativeEvent {
    pub(crate) fn raw(&self) -> RawEvent {
        self.raw
    }
}

/// The pool.
#[derive(Debug)]
pub(crate) struct EventPool {
    resting: Lock<levels::EventPool, Vec<Arc<NativeEvent>>>,
}

impl EventPool {
    pub(crate) fn new() -> Self {
        Self { resting: Lock::new(Vec::new()) }
    }

    /// An event that nobody refers to, or a new one.
    pub(crate) fn take(
        &self,
        held: &mut Held<'_, Nothing>,
        backend: &dyn Backend,
        timing: bool,
        evidence: &Evidence,
    ) -> Result<Arc<NativeEvent>> {
        let found = {
            let mut resting = held.lock(&self.resting);
            // Who asks or waits may still refer to an event that another thread has put to rest: it is left there. The seeded bug takes such too.
            let at = resting
                .iter()
                .position(|e| e.timing == timing && (Arc::strong_count(e) == 1 || seeded::is(Bug::EventReuse)));
            at.map(|at| resting.swap_remove(at))
        };
        if let Some(event) = found {
            // Timing events come back when their owner drops them, reached or not.
            if !timing || backend.query(event.raw) == Ok(EventStatus::Done) {
                evidence.hit(Step::EventReused);
                return Ok(event);
            }
            self.give_back(held, vec![event]);
        }
        record::boundary(Boundary::DriverCall);
        let raw = backend.create_event(timing).map_err(Error::backend("making an event"))?;
        Ok(Arc::new(NativeEvent { raw, timing }))
    }

    /// Events whose marks were reached, or that were never recorded.
    pub(crate) fn give_back(&self, held: &mut Held<'_, Nothing>, events: Vec<Arc<NativeEvent>>) {
        if !events.is_empty() {
            held.lock(&self.resting).extend(events);
        }
    }

    /// Ends the events that nobody refers to. For the end of a device.
    pub(crate) fn release(&self, held: &mut Held<'_, Nothing>, backend: &dyn Backend, evidence: &Evidence) {
        let resting = std::mem::take(&mut *held.lock(&self.resting));
        let mut kept = Vec::new();
        for event in resting {
            if Arc::strong_count(&event) == 1 {
                evidence.keep("ending an event", backend.destroy_event(event.raw));
            } else {
                kept.push(event);
            }
        }
        held.lock(&self.resting).extend(kept);
    }
}
