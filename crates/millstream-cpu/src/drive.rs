//! Driving streams: who runs the items, and how a wait between streams does not deadlock.
//!
//! An item may be run by the thread that enqueued it, by another that drives the stream at that moment, by one that waits for it, or by
//! the stream's worker. Who drives, and that nothing is left behind, is the business of [`millstream_sync::driven_queue`]. A launch on a stream at rest does
//! not go through the queue: its thread keeps it, and runs it from where it lies.
//!
//! A wait blocks its driver. In inline mode it may have to be the driver of the other stream too: the thread that enqueued there
//! may be this one, or idle. It then drives that stream *up to the mark and no further*, since later items may wait for the very stream that
//! this thread holds; what is left there is driven when nothing is held any more. Marks are enqueued before waits for them, so
//! the items that a mark needs never wait for an item after that wait: the order of enqueueing is acyclic.
//!
//! **Invariants**
//! * `waits-look-back`: a thread that drives inside a wait runs items enqueued before that wait only.
//!
//! **Locks** none. **Checked by** tests/streams, in scheduled runs among others.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use millstream_hal::{Launch, Mark, RawEvent, RawStream};
use millstream_sync::{Arc, Driven};

use crate::backend::Shared;
use crate::execute::execute;
use crate::options::Mode;
use crate::stream::{Item, Slot};

/// Streams that were driven up to a mark and have items left.
type Left = Vec<u16>;

impl Shared {
    /// Runs what is in the queue of `slot`, unless somebody else does, and what was left of streams that it had to wait for. Nothing is held.
    pub(crate) fn drive(&self, slot: &Slot) {
        let mut left = Left::new();
        self.run_queue(slot, u64::MAX, &mut left);
        while let Some(index) = left.pop() {
            self.run_queue(self.slot(index.into()), u64::MAX, &mut left);
        }
    }

    /// Runs items of `slot` until its position is `until`, its queue is empty or somebody else drives it.
    fn run_queue(&self, slot: &Slot, until: u64, left: &mut Left) {
        match slot.queue.drive(|| slot.timeline.reached() >= until, |item| self.run_item(slot, item, left)) {
            Driven::Empty => {}
            Driven::ByAnother => self.counters.drives_left_to_another.hit(),
            Driven::Stopped => left.push(slot.index),
        }
    }

    /// Runs the launch that the calling thread has kept, and then what others have enqueued meanwhile.
    pub(crate) fn run_kept(&self, slot: &Slot, launch: &Launch) {
        let position = slot.position_of(launch.seq);
        let run = || {
            self.run_launch(slot, launch, position);
            slot.timeline.reach(position);
        };
        if !slot.queue.work_kept(run) {
            self.drive(slot);
        }
    }

    /// Runs a launch, unless it comes after a failure of its stream.
    fn run_launch(&self, slot: &Slot, launch: &Launch, position: u64) {
        if slot.timeline.is_lost(position) {
            self.counters.kernels_skipped.hit();
            return;
        }
        slot.set_working(true);
        let run = || execute(self.level, &self.team, launch);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            self.fault.set(slot.raw(), launch.seq, launch.kernel.name(), &*panic);
            slot.timeline.fail(position);
        }
        slot.set_working(false);
    }

    fn run_item(&self, slot: &Slot, item: Item, left: &mut Left) {
        match item {
            Item::Launch { launch, position } => {
                self.run_launch(slot, &launch, position);
                slot.advance(position);
            }
            Item::Wait { mark } => {
                let other = &self.slot(mark.slot()).timeline;
                if other.reached() < mark.position() {
                    self.counters.waits_blocked.hit();
                    self.wait_for(mark, None, None, Some(left));
                }
                if other.is_lost(mark.position()) {
                    slot.timeline.lose_rest();
                }
            }
            Item::Record { position, timed } => {
                if let Some((event, mark)) = timed {
                    self.events.set_time(event, mark, self.now_ns());
                }
                slot.advance(position);
            }
        }
    }

    /// Blocks until `mark` is reached, and its time taken if it is one of the timing event `timed`, or `timeout` has passed; returns whether
    /// it was reached. In inline mode the caller drives the stream
    /// if nobody does: with `left` up to the mark, and what remains is noted there; without, to the end of its queue.
    pub(crate) fn wait_for(
        &self,
        mark: Mark,
        timed: Option<RawEvent>,
        timeout: Option<Duration>,
        mut left: Option<&mut Left>,
    ) -> bool {
        let slot = self.slot(mark.slot());
        let inline = self.mode == Mode::Inline;
        let end = timeout.and_then(|t| Instant::now().checked_add(t));
        let reached = || self.is_reached(mark, timed);
        let orphaned = || inline && !slot.queue.is_driven() && !slot.queue.is_empty();
        loop {
            if reached() {
                return true;
            }
            if orphaned() {
                self.counters.drives_for_a_wait.hit();
                match &mut left {
                    Some(left) => self.run_queue(slot, mark.position(), left),
                    None => self.drive(slot),
                }
                continue;
            }
            let time_left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if !slot.queue.bell().wait_until(time_left, || reached() || orphaned() || self.is_closed())
                || self.is_closed()
            {
                return reached();
            }
        }
    }

    /// Whether `mark` was reached, and its time taken if it is one of the timing event `timed`.
    pub(crate) fn is_reached(&self, mark: Mark, timed: Option<RawEvent>) -> bool {
        self.slot(mark.slot()).timeline.reached() >= mark.position()
            && timed.is_none_or(|event| self.events.has_time(event, mark))
    }

    /// The life of a worker thread: queued mode.
    pub(crate) fn work(self: &Arc<Self>, slot: &Slot) {
        let mut left = Left::new();
        let mut turns = 0u64;
        loop {
            slot.queue.bell().wait_until(None, || !slot.queue.is_empty() || slot.stop_requested());
            if self.is_closed() || (slot.stop_requested() && slot.queue.is_empty()) {
                return;
            }
            // Nobody else drives a stream that has a worker.
            slot.queue.drive(
                || self.is_closed(),
                |item| {
                    turns += 1;
                    self.delay(slot.index, turns);
                    self.run_item(slot, item, &mut left);
                },
            );
        }
    }

    /// Sleeps a time that is a function of seed, stream and turn.
    fn delay(&self, stream: u16, turn: u64) {
        let Some(seed) = self.delay_seed else { return };
        let mut z = seed ^ (u64::from(stream) << 48) ^ turn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let micros = (z ^ (z >> 31)) % (u64::from(self.delay_micros_max) + 1);
        // Every other item goes on at once: a pause between all of them hides what two close ones do.
        if micros.is_multiple_of(2) && micros > 0 {
            self.counters.items_delayed.hit();
            std::thread::sleep(Duration::from_micros(micros));
        }
    }
}

impl Slot {
    /// The handle of the stream that has the slot.
    pub(crate) fn raw(&self) -> RawStream {
        RawStream(u32::from(self.index) | self.generation() << crate::stream::STREAMS_MAX.trailing_zeros())
    }
}
