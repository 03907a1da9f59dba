//! Events: marks in streams that can be asked for, waited for and recorded again.
//!
//! A mark is one word, stream and position, so that recording, reading and reusing an event need no lock, and a wait that was
//! enqueued keeps the mark that it read.
//!
//! **Invariants**
//! * `mark-is-whole`: a reader sees the stream and the position of one and the same record.
//! * `time-belongs`: a time is read only together with the mark that it was taken for.
//!
//! **Locks** none.

use millstream_hal::{Error, Mark, RawEvent, Result};
use millstream_sync::atomic::{AtomicU32, AtomicU64, Ordering};
use millstream_sync::{BoundedQueue, OnceLock};

#[derive(Debug, Default)]
struct Cell {
    /// Zero: never recorded.
    mark: AtomicU64,
    /// Mark for which `time_ns` was taken.
    timed: AtomicU64,
    time_ns: AtomicU64,
    /// Whether times are taken, as a number.
    timing: AtomicU32,
}

const PAGE: usize = 256;
const PAGES: usize = 128;
/// Most events at once.
pub(crate) const EVENTS_MAX: usize = PAGE * PAGES;

/// All events of a device, in pages that are made when first needed.
#[derive(Debug)]
pub(crate) struct Events {
    pages: Box<[OnceLock<Box<[Cell]>>]>,
    free: BoundedQueue<u32>,
    made: AtomicU64,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self {
            pages: (0..PAGES).map(|_| OnceLock::new()).collect(),
            free: BoundedQueue::with_capacity(EVENTS_MAX),
            made: AtomicU64::new(0),
        }
    }

    /// Errors: [`Error::Exhausted`].
    pub(crate) fn create(&self, timing: bool) -> Result<RawEvent> {
        let index = match self.free.try_pop() {
            Some(index) => index as usize,
            None => {
                let index = self.made.fetch_add(1, Ordering::Relaxed) as usize;
                if index >= EVENTS_MAX {
                    self.made.fetch_sub(1, Ordering::Relaxed);
                    return Err(Error::Exhausted { what: "events", limit: EVENTS_MAX });
                }
                index
            }
        };
        let page = self.pages[index / PAGE].get_or_init(|| (0..PAGE).map(|_| Cell::default()).collect());
        let cell = &page[index % PAGE];
        // ORDER: Relaxed; the caller hands the event to other threads in an order of its own.
        cell.mark.store(0, Ordering::Relaxed);
        cell.timed.store(0, Ordering::Relaxed);
        cell.timing.store(timing.into(), Ordering::Relaxed);
        Ok(RawEvent(index as u32))
    }

    pub(crate) fn destroy(&self, event: RawEvent) {
        // The queue has room for all events.
        let _ = self.free.try_push(event.0);
    }

    /// Errors: [`Error::NotRecorded`], also for an event that does not exist.
    fn cell(&self, event: RawEvent) -> Result<&Cell> {
        let page = self.pages.get(event.0 as usize / PAGE).and_then(OnceLock::get);
        page.map(|page| &page[event.0 as usize % PAGE]).ok_or(Error::NotRecorded { event: event.0 })
    }

    pub(crate) fn is_timing(&self, event: RawEvent) -> Result<bool> {
        Ok(self.cell(event)?.timing.load(Ordering::Relaxed) != 0)
    }

    pub(crate) fn record(&self, event: RawEvent, mark: Mark) -> Result<()> {
        // ORDER: Release so that who reads the mark finds its item enqueued; pairs with `mark`.
        self.cell(event)?.mark.store(mark.word(), Ordering::Release);
        Ok(())
    }

    /// The mark of the newest record. Errors: [`Error::NotRecorded`].
    pub(crate) fn mark(&self, event: RawEvent) -> Result<Mark> {
        // ORDER: Acquire; pairs with `record`.
        Mark::from_word(self.cell(event)?.mark.load(Ordering::Acquire)).ok_or(Error::NotRecorded { event: event.0 })
    }

    /// Called by the driver that reached `mark`.
    pub(crate) fn set_time(&self, event: u32, mark: Mark, time_ns: u64) {
        if let Ok(cell) = self.cell(RawEvent(event)) {
            cell.time_ns.store(time_ns, Ordering::Relaxed);
            // ORDER: Release so that the time is visible with its mark; pairs with `time_ns`.
            cell.timed.store(mark.word(), Ordering::Release);
        }
    }

    /// Whether the time of `mark` was taken, or the event has a newer mark by now.
    pub(crate) fn has_time(&self, event: RawEvent, mark: Mark) -> bool {
        // ORDER: Relaxed for the mark, which only says that nobody waits for this time any more; Acquire for the time, pairs with `set_time`.
        self.cell(event).is_ok_and(|cell| {
            cell.timed.load(Ordering::Acquire) == mark.word() || cell.mark.load(Ordering::Relaxed) != mark.word()
        })
    }

    /// The time at which the newest mark was reached. Errors: [`Error::NotRecorded`], also when it was not reached;
    /// [`Error::Unsupported`] for an event without timing.
    pub(crate) fn time_ns(&self, event: RawEvent) -> Result<u64> {
        let mark = self.mark(event)?;
        let cell = self.cell(event)?;
        if cell.timing.load(Ordering::Relaxed) == 0 {
            return Err(Error::Unsupported { what: "the time of an event made without timing", backend: "cpu" });
        }
        // ORDER: Acquire; pairs with `set_time`.
        if cell.timed.load(Ordering::Acquire) != mark.word() {
            return Err(Error::NotRecorded { event: event.0 });
        }
        Ok(cell.time_ns.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_unrecorded_when_made_also_when_it_was_used_before() {
        let events = Events::new();
        let event = events.create(true).unwrap();
        assert_eq!(events.mark(event), Err(Error::NotRecorded { event: event.0 }));
        let mark = Mark::new(3, 9).unwrap();
        events.record(event, mark).unwrap();
        assert_eq!(events.mark(event), Ok(mark));
        assert!(events.time_ns(event).is_err());
        events.set_time(event.0, mark, 77);
        assert_eq!(events.time_ns(event), Ok(77));
        events.destroy(event);
        let again = events.create(false).unwrap();
        assert_eq!(again, event);
        assert!(events.mark(again).is_err());
    }

    #[test]
    fn too_many_events_are_a_typed_error() {
        let events = Events::new();
        for _ in 0..EVENTS_MAX {
            events.create(false).unwrap();
        }
        assert!(matches!(events.create(false), Err(Error::Exhausted { what: "events", limit: EVENTS_MAX })));
        events.destroy(RawEvent(5));
        assert_eq!(events.create(false), Ok(RawEvent(5)));
    }
}
