//! Claims on a [`SlotSet`] that can wait, served in the order in which they came.
//!
//! Claiming and releasing touch only the bitmask while nobody waits. The Dekker pair (waiter: count up, fence, look at the mask;
//! releaser: clear the bit, fence, look at the count) makes a lost wake-up impossible. Once somebody waits a freed slot is claimed for the
//! oldest waiter, under the lock, and handed to it; a claim that comes later finds no slot or stands behind.
//!
//! It does not know what a slot is for, and not when the pool closes: the caller passes that question in. Nor does it know how slots
//! come free: the oldest waiter can be sent to look for one now and then.
//!
//! **Invariants**
//! * `no-lost-wakeup`: at rest nobody sleeps while a slot is free.
//! * `one-permit-per-slot`: a freed slot goes to at most one waiter.
//! * `permit-passed-on`: a slot granted to a waiter that gives up goes to the next one.
//! * `oldest-first`: waiters get slots in the order of their tickets, and no claim that begins after a waiter was counted gets one before it.
//!
//! **Locks** `StreamSlots`.
//!
//! **Checked by** tests/loom/protocols/permits.rs, tests/shuttle, specs/lease_and_permits and its SPIN twin.

use std::collections::VecDeque;
use std::time::Duration;

use crate::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use crate::deadline::Deadline;
use crate::lock::levels::{Nothing, StreamSlots};
use crate::lock::{Held, Level, Lock, MayTake, Signal, record};
use crate::seeded::{self, Bug};
use crate::slot_set::{NotClaimed, SlotSet};

/// Why a waiting claim ended without a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The deadline passed.
    TimedOut,
    /// The pool closed.
    Closed,
}

#[derive(Debug, Default)]
struct Queue {
    /// Waiters in order of arrival: the ticket, and `overtakes` at that time.
    waiting: VecDeque<(u64, u64)>,
    /// Waiters that were granted a slot and have not woken yet, with the slot.
    granted: Vec<(u64, usize)>,
    next_ticket: u64,
    /// The most overtakes in the wait of one.
    overtaken_max: u64,
}

/// A slot set with a queue of waiters.
#[derive(Debug)]
pub struct Permits {
    slots: SlotSet,
    queue: Lock<StreamSlots, Queue>,
    signal: Signal,
    waiters: AtomicU32,
    waits: AtomicU64,
    passed_on: AtomicU64,
    /// Claims that got a slot without waiting and found that others had begun to wait meanwhile.
    overtakes: AtomicU64,
}

impl Permits {
    /// Permits for `len` free slots.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self {
            slots: SlotSet::new(len),
            queue: Lock::new(Queue::default()),
            signal: Signal::new(),
            waiters: AtomicU32::new(0),
            waits: AtomicU64::new(0),
            passed_on: AtomicU64::new(0),
            overtakes: AtomicU64::new(0),
        }
    }

    /// The slots.
    #[must_use]
    pub fn slots(&self) -> &SlotSet {
        &self.slots
    }

    /// Claims that had to wait, so far.
    #[must_use]
    pub fn waits(&self) -> u64 {
        self.waits.load(Ordering::Relaxed)
    }

    /// Permits that a waiter gave up and passed on, so far.
    #[must_use]
    pub fn passed_on(&self) -> u64 {
        self.passed_on.load(Ordering::Relaxed)
    }

    /// Claims that wait just now and were granted no slot yet.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.waiters.load(Ordering::Relaxed)
    }

    /// Claims a slot at once. `None`: none is free, or others wait for it already.
    pub fn claim(&self, first: usize) -> Option<usize> {
        // ORDER: Relaxed: a waiter that is not seen yet has come at the same time as this claim.
        if self.waiters.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let slot = self.slots.claim_from(first)?;
        if self.waiters.load(Ordering::Relaxed) > 0 {
            self.overtakes.fetch_add(1, Ordering::Relaxed);
        }
        Some(slot)
    }

    /// Claims a slot, waiting for one until `deadline` and while `open()`. Blocks the host. Errors: [`Denied`].
    pub fn claim_waiting(
        &self,
        held: &mut Held<'_, Nothing>,
        deadline: impl Into<Deadline>,
        open: impl Fn() -> bool,
    ) -> Result<usize, Denied> {
        self.claim_looking(held, deadline, open, None, |_| {})
    }

    /// The same; while this claim is the oldest of those that wait it calls `look` every so often with nothing held, to find a slot that can be freed.
    pub fn claim_looking(
        &self,
        held: &mut Held<'_, Nothing>,
        deadline: impl Into<Deadline>,
        open: impl Fn() -> bool,
        every: Option<Duration>,
        mut look: impl FnMut(&mut Held<'_, Nothing>),
    ) -> Result<usize, Denied> {
        if let Some(slot) = self.claim(0) {
            return Ok(slot);
        }
        let deadline = deadline.into();
        self.waits.fetch_add(1, Ordering::Relaxed);
        record::boundary(record::Boundary::HostWait);
        let mut queue = held.lock(&self.queue);
        let ticket = queue.next_ticket;
        queue.next_ticket += 1;
        queue.waiting.push_back((ticket, self.overtakes.load(Ordering::Relaxed)));
        // Under the lock: who sees this waiter counted comes behind it.
        self.waiters.fetch_add(1, Ordering::Relaxed);
        // ORDER: SeqCst fence so that either the releaser sees this waiter or this waiter sees the freed slot; pairs with `release`.
        fence(Ordering::SeqCst);
        // A slot may have been freed before anybody could see this waiter.
        self.grant(&mut queue);
        let mut first_look = true;
        let outcome = loop {
            if !open() {
                break Err(Denied::Closed);
            }
            if !first_look && deadline.passed() {
                break Err(Denied::TimedOut);
            }
            first_look = false;
            if let Some(slot) = queue.take_granted(ticket) {
                break Ok(slot);
            }
            let nap = every.filter(|_| queue.is_oldest(ticket));
            queue = queue.wait(&self.signal, [deadline.left(), nap].into_iter().flatten().min());
            if nap.is_some() && queue.is_oldest(ticket) {
                drop(queue);
                look(held);
                queue = held.lock(&self.queue);
                self.grant(&mut queue);
            }
        };
        if let Some(at) = queue.waiting.iter().position(|(t, _)| *t == ticket) {
            queue.waiting.remove(at);
            self.waiters.fetch_sub(1, Ordering::Relaxed);
        }
        if let (Err(_), Some(slot)) = (outcome, queue.take_granted(ticket))
            && !seeded::is(Bug::SwallowedPermit)
        {
            self.passed_on.fetch_add(1, Ordering::Relaxed);
            let released = self.slots.release(slot);
            debug_assert_eq!(released, Ok(()), "a granted slot is claimed");
            self.grant(&mut queue);
        }
        // Whoever is the oldest now looks in its turn.
        if every.is_some() {
            self.signal.notify_all();
        }
        outcome
    }

    /// Gives a slot back; if others wait the oldest gets it. Errors: [`NotClaimed`], and nothing has changed.
    pub fn release<L: Level + MayTake<StreamSlots>>(
        &self,
        held: &mut Held<'_, L>,
        slot: usize,
    ) -> Result<(), NotClaimed> {
        self.slots.release(slot)?;
        // ORDER: SeqCst fence so that either this thread sees the waiter or the waiter sees the freed slot; pairs with `claim_waiting`.
        fence(Ordering::SeqCst);
        if self.waiters.load(Ordering::Relaxed) > 0 && !seeded::is(Bug::LostWakeup) {
            let mut queue = held.lock(&self.queue);
            self.grant(&mut queue);
        }
        Ok(())
    }

    /// How many claims that did not wait were served while one waited, at most, so far. Such a claim began before the waiter was counted, so it is one for each other
    /// thread at most. The figure is a bound: it also counts a claim that was served just before the waiter came.
    pub fn overtaken_max<L: Level + MayTake<StreamSlots>>(&self, held: &mut Held<'_, L>) -> u64 {
        held.lock(&self.queue).overtaken_max
    }

    /// Wakes every waiter so that it asks `open()` again.
    pub fn wake_all<L: Level + MayTake<StreamSlots>>(&self, held: &mut Held<'_, L>) {
        let _queue = held.lock(&self.queue);
        self.signal.notify_all();
    }

    /// Claims free slots for those who wait, oldest first.
    fn grant(&self, queue: &mut Queue) {
        let before = queue.granted.len();
        while let Some(&(ticket, at_arrival)) = queue.waiting.front()
            && let Some(slot) = self.slots.claim_from(0)
        {
            queue.waiting.pop_front();
            queue.granted.push((ticket, slot));
            let overtaken = self.overtakes.load(Ordering::Relaxed) - at_arrival;
            queue.overtaken_max = queue.overtaken_max.max(overtaken);
            self.waiters.fetch_sub(1, Ordering::Relaxed);
        }
        if queue.granted.len() > before {
            self.signal.notify_all();
        }
    }
}

impl Queue {
    fn is_oldest(&self, ticket: u64) -> bool {
        self.waiting.front().is_some_and(|(t, _)| *t == ticket)
    }

    /// The slot that this waiter was granted.
    fn take_granted(&mut self, ticket: u64) -> Option<usize> {
        let at = self.granted.iter().position(|(t, _)| *t == ticket)?;
        Some(self.granted.swap_remove(at).1)
    }
}

#[cfg(all(test, not(any(millstream_loom, millstream_shuttle))))]
mod tests {
    use super::*;
    use crate::Arc;
    use crate::lock::enter;
    use crate::schedule::{Settings, run_with};

    const SHORT: Option<Duration> = Some(Duration::from_millis(5));

    #[test]
    fn a_claim_that_gets_no_slot_says_why_and_waits_no_longer() {
        let permits = Permits::new(1);
        assert_eq!((permits.slots().len(), permits.claim(0), permits.claim(0)), (1, Some(0), None));
        assert_eq!((permits.waits(), permits.waiting()), (0, 0));
        let claim = |open| enter(|held| permits.claim_waiting(held, Deadline::after(SHORT), || open));
        assert_eq!((claim(true), claim(false)), (Err(Denied::TimedOut), Err(Denied::Closed)));
        assert_eq!((permits.waits(), permits.waiting(), permits.passed_on()), (2, 0, 0));
        enter(|held| permits.release(held, 0)).expect("it was claimed");
        assert!(enter(|held| permits.release(held, 0)).is_err());
        assert_eq!((claim(true), permits.waits()), (Ok(0), 2));
        assert_eq!(enter(|held| permits.overtaken_max(held)), 0);
    }

    #[test]
    fn the_oldest_looks_for_a_slot_with_nothing_held_until_it_finds_one() {
        let permits = Permits::new(1);
        permits.claim(0);
        let mut looks = 0;
        let look = |held: &mut Held<'_, Nothing>| {
            looks += 1;
            assert_eq!(permits.waiting(), 1);
            if looks == 3 {
                permits.release(held, 0).expect("it was claimed");
            }
        };
        let found = enter(|held| permits.claim_looking(held, Deadline::NEVER, || true, SHORT, look));
        assert_eq!((found, looks, permits.waiting()), (Ok(0), 3, 0));
    }

    #[test]
    fn nobody_looks_who_was_not_told_to_and_only_one_is_the_oldest() {
        let permits = Permits::new(0);
        let look = |_: &mut Held<'_, Nothing>| panic!("nobody told it to look");
        let found = enter(|held| permits.claim_looking(held, Deadline::after(SHORT), || true, None, look));
        assert_eq!(found, Err(Denied::TimedOut));
        let queue = Queue { waiting: [(1, 0), (2, 0)].into(), ..Queue::default() };
        assert_eq!([1, 2, 3].map(|ticket| queue.is_oldest(ticket)), [true, false, false]);
    }

    #[test]
    fn a_slot_that_comes_too_late_for_its_waiter_is_passed_on_and_overtakes_are_counted_from_its_arrival() {
        let permits = Permits::new(1);
        permits.claim(0);
        permits.overtakes.store(3, Ordering::Relaxed);
        let open = std::cell::Cell::new(true);
        let look = |held: &mut Held<'_, Nothing>| {
            permits.overtakes.store(5, Ordering::Relaxed);
            permits.release(held, 0).expect("it was claimed");
            assert_eq!((permits.waiting(), permits.slots().claimed()), (0, 1), "granted under the lock");
            open.set(false);
        };
        let found = enter(|held| permits.claim_looking(held, Deadline::NEVER, || open.get(), SHORT, look));
        assert_eq!((found, permits.passed_on(), permits.slots().claimed()), (Err(Denied::Closed), 1, 0));
        assert_eq!(enter(|held| permits.overtaken_max(held)), 2);
    }

    #[test]
    fn only_a_claim_that_overtakes_a_waiter_is_counted_as_one() {
        let mut overtakes = 0;
        for seed in 0..200 {
            let permits = Arc::new(Permits::new(1));
            permits.claim(0);
            permits.release_one();
            assert_eq!(permits.overtakes.load(Ordering::Relaxed), 0, "nobody waits");
            permits.claim(0);
            let bodies: [fn(&Permits); 3] = [
                Permits::release_one,
                |permits| {
                    enter(|held| permits.claim_waiting(held, Deadline::NEVER, || true)).expect("it is open");
                    permits.release_one();
                },
                |permits| {
                    if permits.claim(0).is_some() {
                        permits.release_one();
                    }
                },
            ];
            let body = |body: fn(&Permits)| {
                let permits = permits.clone();
                Box::new(move || body(&permits)) as Box<dyn FnOnce() + Send>
            };
            let outcome = run_with(&Settings::new(seed), bodies.map(body).into());
            assert!(outcome.is_clean(), "seed {seed}: {:?} {:?}", outcome.panics, outcome.deadlock);
            assert_eq!((permits.waiting(), permits.slots().claimed()), (0, 0));
            overtakes += permits.overtakes.load(Ordering::Relaxed);
        }
        assert!(overtakes > 0, "no schedule had one");
    }

    impl Permits {
        fn release_one(&self) {
            enter(|held| self.release(held, 0)).expect("it was claimed");
        }
    }
}
