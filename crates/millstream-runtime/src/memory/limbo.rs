//! Freed blocks that other streams may still be using.
//!
//! A block waits here until every foreign stamp of its use set has completed, then goes to its stream's pool. The stream that is waited for learns
//! of it by its `wanted` word; nobody blocks.
//!
//! **Invariants**
//! * `no-early-reuse`: a block leaves only when all of its stamps have completed.
//!
//! **Locks** `Limbo` guards the list; nothing is called while it is held.
//!
//! **Checked by** specs/stamps_and_reuse, the memory attempt.

use millstream_sync::atomic::Ordering;
use millstream_sync::lock::Held;
use millstream_sync::lock::levels::Nothing;
use millstream_sync::seeded::{self, Bug};
use millstream_sync::use_set::Use;

use crate::device::Shared;
use crate::evidence::Step;
use crate::profile::{Stay, Trace};

/// A block and the foreign positions that it waits for.
#[derive(Debug)]
pub(super) struct Waiting {
    /// How many came before.
    ticket: u64,
    /// When it came, by the profiler's clock, and what it waited for then.
    entered: Option<u64>,
    first: (u16, u64),
    pub(super) number: u32,
    pub(super) stamps: Vec<(u16, u64)>,
}

impl Waiting {
    pub(super) fn new(ticket: u64, number: u32, stamps: Vec<(u16, u64)>, entered: Option<u64>) -> Self {
        let first = stamps.first().copied().unwrap_or_default();
        Self { ticket, entered, first, number, stamps }
    }
}

/// The list of one stream.
#[derive(Debug, Default)]
pub(crate) struct Limbo {
    waiting: Vec<Waiting>,
}

impl Limbo {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The block that has waited for longest: its ticket, its number, and the first position that it waits for.
    pub(super) fn oldest(&self) -> Option<(u64, u32, u16, u64)> {
        let oldest = self.waiting.iter().min_by_key(|w| w.ticket)?;
        let (stream, seq) = *oldest.stamps.first()?;
        Some((oldest.ticket, oldest.number, stream, seq))
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.waiting.iter().map(|w| w.number)
    }
}

impl Shared {
    /// The foreign positions that a freed block must wait for. A masked stream stands for its tail.
    pub(super) fn stamps_of(&self, number: u32) -> Vec<(u16, u64)> {
        let block = self.memory.slab.block(number);
        let own = block.home();
        let mut stamps = Vec::new();
        block.uses.each(|one| {
            stamps.push(match one {
                Use::Exact { stream, position } => (stream, position),
                Use::Masked { stream } => (stream, self.streams.slot(stream).published()),
            });
        });
        // A stolen block goes home: its last stream is a foreign one there.
        if block.stream() != own {
            stamps.push((block.stream(), self.streams.slot(block.stream()).published()));
        }
        stamps.retain(|(stream, _)| *stream != own);
        stamps
    }

    /// Puts freed blocks where they belong: their home pool, or limbo. Nothing is held.
    pub(crate) fn settle(&self, held: &mut Held<'_, Nothing>, numbers: &[u32]) {
        for &number in numbers {
            let home = self.memory.slab.block(number).home();
            let stamps = self.stamps_of(number);
            if stamps.is_empty() || seeded::is(Bug::EarlyReuse) {
                self.put_in_pool(held, home, &[number]);
            } else {
                if stamps.len() > 1 {
                    self.evidence.hit(Step::LateSecondUser);
                }
                self.evidence.hit(Step::LimboEntered);
                let ticket = self.memory.moving.limbo_tickets.fetch_add(1, Ordering::Relaxed);
                held.lock(&self.streams.slot(home).limbo).waiting.push(Waiting::new(
                    ticket,
                    number,
                    stamps,
                    self.profiler.now(),
                ));
            }
        }
    }

    /// Moves blocks whose stamps have completed from the limbo of `slot` to its pool. Returns how many. Nothing is held.
    pub(crate) fn collect_limbo(&self, held: &mut Held<'_, Nothing>, slot: u16) -> usize {
        let stream = self.streams.slot(slot);
        let _carried = self.memory.carry();
        let mut waiting = std::mem::take(&mut held.lock(&stream.limbo).waiting);
        if waiting.is_empty() {
            return 0;
        }
        let mut done = Vec::new();
        waiting.retain_mut(|w| {
            w.stamps.retain(|(foreign, seq)| !self.reached(held, *foreign, *seq));
            if w.stamps.is_empty() {
                done.push(w.number);
                self.note_left(slot, w);
            }
            !w.stamps.is_empty()
        });
        if !waiting.is_empty() {
            held.lock(&stream.limbo).waiting.append(&mut waiting);
        }
        if !done.is_empty() {
            self.memory.note_move();
        }
        for _ in &done {
            self.evidence.hit(Step::LimboLeft);
        }
        self.put_in_pool(held, slot, &done);
        done.len()
    }

    /// The profiler hears of a block that leaves the limbo of `slot`.
    fn note_left(&self, slot: u16, waiting: &Waiting) {
        if let (Some(stay), Some(now)) = (self.stay(slot, waiting), self.profiler.now()) {
            self.profiler.stays.note(stay, now);
        }
    }

    /// `None`: it came unrecorded.
    fn stay(&self, slot: u16, waiting: &Waiting) -> Option<Stay> {
        let bytes = self.memory.slab.block(waiting.number).bytes();
        let Waiting { ticket, first: waits_for, entered, .. } = *waiting;
        Some(Stay { ticket, bytes, stream: slot, waits_for, entered: entered? })
    }

    /// What the profiler kept, and the blocks that are in limbo just now.
    pub(crate) fn read_trace(&self, held: &mut Held<'_, Nothing>) -> Trace {
        let mut trace = self.profiler.read(held);
        for slot in self.streams.created() {
            let limbo = held.lock(&self.streams.slot(slot).limbo);
            let there = limbo.waiting.iter().filter_map(|w| self.stay(slot, w));
            trace.limbo.extend(there.map(|stay| stay.shown(&self.profiler, None)));
        }
        trace.limbo.sort_by(|a, b| a.entered_us.total_cmp(&b.entered_us));
        trace
    }

    /// Bytes of the blocks in the limbo of `slot`.
    pub(crate) fn limbo_bytes(&self, held: &mut Held<'_, Nothing>, slot: u16) -> usize {
        let slab = &self.memory.slab;
        held.lock(&self.streams.slot(slot).limbo).numbers().map(|number| slab.block(number).bytes()).sum()
    }

    /// Whether `stream` has completed `seq`; if not, lets it know that somebody wants to see it. Nothing is held.
    pub(super) fn reached(&self, held: &mut Held<'_, Nothing>, stream: u16, seq: u64) -> bool {
        if self.streams.slot(stream).completed(&*self.backend) >= seq {
            return true;
        }
        self.streams.slot(stream).want(seq);
        // An idle stream has no next submitter: record for it.
        if !self.streams.is_held(stream) {
            // Failing to record only means that the block stays here for longer.
            self.keep_unless_fault("recording for limbo", self.cover(held, stream, seq));
        }
        self.poll(held, stream) >= seq
    }
}
