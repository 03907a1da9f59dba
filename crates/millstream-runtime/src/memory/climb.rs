//! The ladder: where a block is looked for when the thread's cache has none, one rung after another, and the search that is made again after each.
//!
//! **Locks** `BlockPool > SegmentHeap`; `StreamSubmit` alone, one at a time, to make this stream wait for another. The host waits and the device is asked with nothing
//! held, as the token shows.
//!
//! **Invariants**
//! * `ordered-take`: a block of another stream's pool is taken only when that stream has completed its tail, or when this stream waits for that tail on the device.
//! * `nothing-in-hands`: an allocation is refused only when no other thread carried a block from one place to another during the search (or after many searches).

use std::time::{Duration, Instant};

use millstream_hal::{Kernel, Launch};
use millstream_sync::lock::Held;
use millstream_sync::lock::levels::Nothing;
use millstream_sync::schedule::{self, Point};
use millstream_sync::thread;

use super::growth::Growth;
use super::ladder::{Ladder, Rung};
use crate::device::Shared;
use crate::error::Result;
use crate::evidence::Step;
use crate::profile::Why;
use crate::stamp::Stamp;
use crate::stream::Work;
use crate::thread_state::Here;

/// Longest wait of an allocation for the streams to give memory back.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How often a search is made again because blocks were on their way.
const AGAIN_MAX: u32 = 64;

/// One allocation on its way up.
pub(super) struct Climb {
    size: usize,
    pub(super) ladder: Ladder,
    /// The rung that was climbed last: it serves what the next search finds.
    pub(super) rung: Rung,
    /// When waiting ends; from the first wait on.
    deadline: Option<Instant>,
    /// Searches made again because blocks were on their way.
    again: u32,
}

impl Climb {
    pub(super) fn new(size: usize) -> Self {
        Self { size, ladder: Ladder::default(), rung: Rung::Inbox, deadline: None, again: 0 }
    }

    /// What is found from here on was found thanks to `rung`, or to a later one that was climbed before.
    pub(super) fn at_least(&mut self, rung: Rung) {
        if rung as usize > self.rung as usize {
            self.rung = rung;
        }
    }
}

impl Shared {
    /// Climbs to the last rung that the runtime has by itself. `None`: nothing was found. Errors: `Fault`, `Backend`.
    pub(super) fn climb(&self, held: &mut Held<'_, Nothing>, here: &Here, climb: &mut Climb) -> Result<Option<u32>> {
        loop {
            let moves = self.memory.moves();
            let found = match self.without_waiting(held, here, climb)? {
                Some(number) => Some(number),
                None if self.give_back_empty(held, climb) > 0 || self.wait_for_oldest(held, climb) => continue,
                None if self.may_have_overlooked(moves, climb) => continue,
                None => None,
            };
            if found.is_some() {
                self.memory.served.count(climb.rung);
                self.memory.note_move();
            }
            return Ok(found);
        }
    }

    /// The rungs on which the host neither waits nor gives anything away.
    fn without_waiting(&self, held: &mut Held<'_, Nothing>, here: &Here, climb: &mut Climb) -> Result<Option<u32>> {
        let (slot, size) = (here.slot, climb.size);
        climb.ladder.note(Rung::Cache, here.cache.bytes());
        loop {
            climb.ladder.note(Rung::Inbox, self.drain_inbox(held, slot, true));
            climb.ladder.note(Rung::OwnPool, self.free_bytes(held, slot));
            if let Some(number) = self.search(held, slot, size) {
                climb.at_least(Rung::OwnPool);
                return Ok(Some(number));
            }
            climb.ladder.note(Rung::Limbo, self.limbo_bytes(held, slot));
            if self.collect_limbo(held, slot) > 0
                && let Some(number) = self.search(held, slot, size)
            {
                climb.at_least(Rung::Limbo);
                return Ok(Some(number));
            }
            climb.ladder.note(Rung::IdlePools, self.other_free_bytes(held, slot, true));
            if let Some(number) = self.steal(held, slot, size, true) {
                climb.at_least(Rung::IdlePools);
                return Ok(Some(number));
            }
            match self.grow(held, slot, size)? {
                Growth::Grown | Growth::Raced => climb.at_least(Rung::Grow),
                Growth::NoRoom(left) => {
                    climb.ladder.note(Rung::Grow, left);
                    break;
                }
            }
        }
        climb.ladder.note(Rung::OtherPools, self.other_free_bytes(held, slot, false));
        if let Some(number) = self.steal(held, slot, size, false) {
            climb.at_least(Rung::OtherPools);
            return Ok(Some(number));
        }
        climb.ladder.note(Rung::BusyPools, self.other_free_bytes(held, slot, false));
        if let Some(number) = self.steal_behind_a_wait(held, here, size) {
            climb.at_least(Rung::BusyPools);
            return Ok(Some(number));
        }
        self.after_trimming(held, here, climb)
    }

    /// The thread's own cache, then those of others.
    fn after_trimming(&self, held: &mut Held<'_, Nothing>, here: &Here, climb: &mut Climb) -> Result<Option<u32>> {
        let own = self.take_cache(held, &here.cache);
        climb.ladder.note(Rung::OwnCache, own);
        if own > 0 {
            self.evidence.hit(Step::OwnCacheTrimmed);
            if let Some(number) = self.search_everywhere(held, here, climb.size) {
                climb.at_least(Rung::OwnCache);
                return Ok(Some(number));
            }
        }
        let others = self.take_idle_caches(held, Some(&here.cache));
        climb.ladder.note(Rung::IdleCaches, others);
        if let Some(number) = self.search_everywhere(held, here, climb.size) {
            climb.at_least(Rung::IdleCaches);
            return Ok(Some(number));
        }
        Ok(None)
    }

    /// Own pool, completed pools, busy pools.
    fn search_everywhere(&self, held: &mut Held<'_, Nothing>, here: &Here, size: usize) -> Option<u32> {
        let found = self.search(held, here.slot, size).or_else(|| self.steal(held, here.slot, size, false));
        found.or_else(|| self.steal_behind_a_wait(held, here, size))
    }

    /// Own free blocks, then a segment at rest.
    fn search(&self, held: &mut Held<'_, Nothing>, slot: u16, size: usize) -> Option<u32> {
        let stream = self.streams.slot(slot);
        let mut locked = held.lock(&stream.pool);
        let (pool, inner) = locked.split();
        if let Some(number) = pool.take(&self.memory.slab, size) {
            return Some(number);
        }
        let segment = inner.lock(&self.memory.heap).take_empty(size)?;
        if pool.adopt(&self.memory.slab, segment) {
            return pool.take(&self.memory.slab, size);
        }
        drop(locked);
        // No number for another block: the segment goes back to rest.
        held.lock(&self.memory.heap).put_empty(segment);
        None
    }

    fn free_bytes(&self, held: &mut Held<'_, Nothing>, slot: u16) -> usize {
        held.lock(&self.streams.slot(slot).pool).free_bytes()
    }

    fn other_free_bytes(&self, held: &mut Held<'_, Nothing>, slot: u16, idle_only: bool) -> usize {
        self.streams
            .created()
            .filter(|other| *other != slot && !(idle_only && self.streams.is_held(*other)))
            .map(|other| self.free_bytes(held, other))
            .sum()
    }

    /// Takes a free block of another stream that has completed all of its work. The block keeps its home.
    fn steal(&self, held: &mut Held<'_, Nothing>, slot: u16, size: usize, idle_only: bool) -> Option<u32> {
        for other in self.streams.created().filter(|other| *other != slot) {
            if idle_only && self.streams.is_held(other) {
                continue;
            }
            self.drain_inbox(held, other, false);
            self.collect_limbo(held, other);
            let stream = self.streams.slot(other);
            let mut pool = held.lock(&stream.pool);
            // Under the pool's lock no block comes in whose work is later than this tail.
            if stream.completed(&*self.backend) < stream.published() {
                continue;
            }
            if let Some(number) = pool.take(&self.memory.slab, size) {
                drop(pool);
                self.evidence.hit(Step::Steal);
                return Some(number);
            }
        }
        None
    }

    /// Takes a free block of another stream that is still at work, and makes this stream wait on the device for the other's tail: what was done to the block lies before it. The
    /// wait is an operation of this stream, so that its own tail comes after it. The block keeps its home.
    fn steal_behind_a_wait(&self, held: &mut Held<'_, Nothing>, here: &Here, size: usize) -> Option<u32> {
        for other in self.streams.created().filter(|other| *other != here.slot) {
            let stream = self.streams.slot(other);
            let (number, seq) = {
                let mut pool = held.lock(&stream.pool);
                match pool.take(&self.memory.slab, size) {
                    // Under the pool's lock no block comes in whose work is later than this tail.
                    Some(number) => (number, stream.published()),
                    None => continue,
                }
            };
            let tail = Stamp { device: self.id, stream: other, generation: stream.generation(), seq };
            let mut nothing = [Launch::new(Kernel::Spin { micros: 0 }, 0, &[])];
            let mut work = Work::Launches(&mut nothing);
            if let Ok(enqueued) = self.enqueue(held, here, &mut work, &[], &[tail]) {
                if let Some(raw) = self.streams.slot(here.slot).raw() {
                    work.drive(&*self.backend, raw, enqueued.launched);
                }
                self.evidence.hit(Step::StealBehindWait);
                return Some(number);
            }
            self.put_in_pool(held, other, &[number]);
        }
        None
    }

    /// Gives the empty segments of streams that have completed their work back to the device. Returns the bytes.
    fn give_back_empty(&self, held: &mut Held<'_, Nothing>, climb: &mut Climb) -> usize {
        let slots: Vec<u16> = self.streams.created().collect();
        for slot in slots {
            self.give_up_segments(held, slot);
        }
        let released = self.release_empty(held);
        climb.ladder.note(Rung::Release, released);
        if released > 0 {
            climb.at_least(Rung::Release);
        }
        released
    }

    /// Waits on the host for the oldest position that holds memory back. `false`: there is none, or the time is over.
    fn wait_for_oldest(&self, held: &mut Held<'_, Nothing>, climb: &mut Climb) -> bool {
        let deadline = *climb.deadline.get_or_insert_with(|| Instant::now() + WAIT_MAX);
        if Instant::now() >= deadline {
            climb.ladder.note(Rung::Wait, 0);
            return false;
        }
        let Some((bytes, slot, seq)) = self.oldest(held) else {
            climb.ladder.note(Rung::Wait, 0);
            return false;
        };
        climb.ladder.note(Rung::Wait, bytes);
        climb.at_least(Rung::Wait);
        self.evidence.hit(Step::WaitedForOldest);
        // A fault or a timeout leaves the memory where it is; the next look at the clock or the stream ends it.
        self.await_seq(held, slot, seq, Some(deadline), Why::here("allocation")).is_ok()
    }

    /// Whether blocks went from one place to another since `moves` was read, or are in a thread's hands: they are in no place that the search looked into. A few times only: a
    /// request that is too large for what the others leave must be refused, however busy they are.
    fn may_have_overlooked(&self, moves: u64, climb: &mut Climb) -> bool {
        let overlooked = self.memory.may_have_overlooked(moves) && climb.again < AGAIN_MAX;
        if overlooked {
            climb.again += 1;
            if !schedule::blocked(Point::Wait) {
                thread::yield_now();
            }
        }
        overlooked
    }

    /// The position to wait for: that of the block which has been in limbo for longest, else the tail of the stream at work that has the least left to do. With
    /// the bytes that wait for it.
    fn oldest(&self, held: &mut Held<'_, Nothing>) -> Option<(usize, u16, u64)> {
        let slots: Vec<u16> = self.streams.created().collect();
        let mut first: Option<(u64, u32, u16, u64)> = None;
        for &slot in &slots {
            let limbo = held.lock(&self.streams.slot(slot).limbo);
            let oldest = limbo.oldest().filter(|o| first.as_ref().is_none_or(|(ticket, ..)| o.0 < *ticket));
            first = oldest.or(first);
        }
        if let Some((_, number, stream, seq)) = first {
            return Some((self.memory.slab.block(number).bytes(), stream, seq));
        }
        let left = |slot: &u16| {
            let stream = self.streams.slot(*slot);
            stream.published().saturating_sub(stream.completed(&*self.backend))
        };
        let slot = slots.into_iter().filter(|slot| left(slot) > 0).min_by_key(left)?;
        Some((self.free_bytes(held, slot), slot, self.streams.slot(slot).published()))
    }
}
