//! Events: native ones, pooled by kind, each with the mark that it stands for.
//!
//! A mark is one word, slot and position. An event that was seen done stays done without a driver call until it is recorded again.
//!
//! **Invariants**
//! * `mark-is-whole`: a reader sees the slot and the position of one and the same record.
//! * `done-belongs`: an event counts as done only for the mark that was seen reached.
//!
//! **Locks** none.

use millstream_hal::{Error, Mark, RawEvent, Result};
use millstream_sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use millstream_sync::{BoundedQueue, OnceLock};

use crate::driver::{Driver, Handle};
use crate::unheard;

#[derive(Debug, Default)]
pub(crate) struct Cell {
    native: AtomicUsize,
    /// Zero: never recorded.
    mark: AtomicU64,
    /// The mark that was seen reached.
    done: AtomicU64,
    timing: AtomicBool,
}

impl Cell {
    pub(crate) fn native(&self) -> Handle {
        // ORDER: Relaxed; whoever has the event got it after `create`.
        self.native.load(Ordering::Relaxed)
    }

    pub(crate) fn is_timing(&self) -> bool {
        self.timing.load(Ordering::Relaxed)
    }

    pub(crate) fn is_done(&self, mark: Mark) -> bool {
        // ORDER: Acquire so that who finds it done sees what its query saw; pairs with `set_done`.
        self.done.load(Ordering::Acquire) == mark.word()
    }

    pub(crate) fn set_done(&self, mark: Mark) {
        // ORDER: Release; pairs with `is_done`.
        self.done.store(mark.word(), Ordering::Release);
    }

    pub(crate) fn set_mark(&self, mark: Mark) {
        // ORDER: Release so that who reads the mark finds the native event recorded; pairs with `Events::marked`.
        self.mark.store(mark.word(), Ordering::Release);
    }
}

const PAGE: usize = 256;
const PAGES: usize = 128;
/// Most events at once.
pub(crate) const EVENTS_MAX: usize = PAGE * PAGES;

/// All events of a device, in pages that are made when first needed.
#[derive(Debug)]
pub(crate) struct Events {
    pages: Box<[OnceLock<Box<[Cell]>>]>,
    /// Events at rest: without time, with time.
    free: [BoundedQueue<u32>; 2],
    made: AtomicUsize,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self {
            pages: (0..PAGES).map(|_| OnceLock::new()).collect(),
            free: [BoundedQueue::with_capacity(EVENTS_MAX), BoundedQueue::with_capacity(EVENTS_MAX)],
            made: AtomicUsize::new(0),
        }
    }

    /// An event at rest, or with `make` a new one, and whether it is new. One that finds no place goes to `unmake`. Errors: [`Error::Exhausted`], those of `make`.
    pub(crate) fn create(
        &self,
        timing: bool,
        make: impl FnOnce() -> Result<Handle>,
        unmake: impl FnOnce(Handle),
    ) -> Result<(RawEvent, bool)> {
        if let Some(index) = self.free[usize::from(timing)].try_pop() {
            // ORDER: Relaxed; the caller hands the event to other threads in an order of its own.
            self.cell_at(index as usize).mark.store(0, Ordering::Relaxed);
            return Ok((RawEvent(index), false));
        }
        let native = make()?;
        let index = self.made.fetch_add(1, Ordering::Relaxed);
        if index >= EVENTS_MAX {
            self.made.fetch_sub(1, Ordering::Relaxed);
            unmake(native);
            return Err(Error::Exhausted { what: "events", limit: EVENTS_MAX });
        }
        let cell = self.cell_at(index);
        // ORDER: Relaxed; as above.
        cell.native.store(native, Ordering::Relaxed);
        cell.timing.store(timing, Ordering::Relaxed);
        Ok((RawEvent(index as u32), true))
    }

    fn cell_at(&self, index: usize) -> &Cell {
        let page = self.pages[index / PAGE].get_or_init(|| (0..PAGE).map(|_| Cell::default()).collect());
        &page[index % PAGE]
    }

    /// To rest. A wait that was enqueued keeps the mark that it saw: the driver's promise. Errors: as [`Events::cell`].
    pub(crate) fn destroy(&self, event: RawEvent) -> Result<()> {
        let cell = self.cell(event)?;
        // The queue has room for all events.
        let _ = self.free[usize::from(cell.is_timing())].try_push(event.0);
        Ok(())
    }

    /// Errors: [`Error::NotRecorded`] for an event that does not exist.
    pub(crate) fn cell(&self, event: RawEvent) -> Result<&Cell> {
        let page = self.pages.get(event.0 as usize / PAGE).and_then(OnceLock::get);
        page.map(|page| &page[event.0 as usize % PAGE]).ok_or(Error::NotRecorded { event: event.0 })
    }

    /// An event and its newest mark. Errors: [`Error::NotRecorded`].
    pub(crate) fn marked(&self, event: RawEvent) -> Result<(&Cell, Mark)> {
        let cell = self.cell(event)?;
        // ORDER: Acquire; pairs with `Cell::set_mark`.
        let mark = Mark::from_word(cell.mark.load(Ordering::Acquire)).ok_or(Error::NotRecorded { event: event.0 })?;
        Ok((cell, mark))
    }

    /// Ends all native events. Nobody uses one any more.
    pub(crate) fn end(&self, driver: &Driver) {
        let made = self.made.load(Ordering::Relaxed).min(EVENTS_MAX);
        for index in 0..made {
            unheard::keep(driver, "an event was ended", driver.destroy_event(self.cell_at(index).native()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_at_rest_is_used_again_and_is_unrecorded_then() {
        let events = Events::new();
        let (event, new) = events.create(false, || Ok(7), drop).unwrap();
        assert!(new && events.marked(event).is_err());
        let mark = Mark::new(3, 9).unwrap();
        events.cell(event).unwrap().set_mark(mark);
        assert_eq!(events.marked(event).map(|(cell, mark)| (cell.native(), mark)).unwrap(), (7, mark));
        events.destroy(event).unwrap();
        let (timing, new) = events.create(true, || Ok(8), drop).unwrap();
        assert!(new && timing != event, "kinds are not mixed");
        let (again, new) = events.create(false, || panic!("one is at rest"), drop).unwrap();
        assert!(!new && again == event && events.marked(again).is_err());
    }

    #[test]
    fn a_native_event_that_finds_no_place_is_given_back() {
        let events = Events::new();
        for native in 0..EVENTS_MAX {
            events.create(false, || Ok(native), drop).unwrap();
        }
        let mut given_back = None;
        let refused = events.create(false, || Ok(77), |native| given_back = Some(native));
        assert!(matches!(refused, Err(Error::Exhausted { what: "events", limit: EVENTS_MAX })));
        assert_eq!(given_back, Some(77));
    }
}
