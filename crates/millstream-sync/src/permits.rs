//! Claims on a [`SlotSet`] that can wait: one permit per freed slot, given to the oldest waiter.
//!
//! Claiming and releasing touch only the bitmask while nobody waits. The Dekker pair (waiter: count up, fence, look at the mask;
//! releaser: clear the bit, fence, look at the count) makes a lost wake-up impossible.
//!
//! It does not know what a slot is for, and not when the pool closes: the caller passes that question in.
//!
//! **Invariants**
//! * `no-lost-wakeup`: at rest nobody sleeps while a slot is free.
//! * `one-permit-per-slot`: a freed slot grants at most one waiter.
//! * `permit-passed-on`: a permit granted to a waiter that gives up goes to the next one.
//! * `oldest-first`: of those asleep the oldest is granted first, and nobody asleep claims without a permit.
//!
//! **Locks** `StreamSlots`.
//!
//! **Checked by** tests/loom/protocols/permits.rs, tests/shuttle, specs/lease_and_permits.

use std::collections::VecDeque;

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
    /// Waiters in order of arrival, by ticket.
    waiting: VecDeque<u64>,
    /// Waiters that hold a permit and have not woken yet.
    granted: Vec<u64>,
    next_ticket: u64,
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

    /// Claims that wait just now.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.waiters.load(Ordering::Relaxed)
    }

    /// Claims a slot at once. `None`: none is free.
    pub fn claim(&self, first: usize) -> Option<usize> {
        self.slots.claim_from(first)
    }

    /// Claims a slot, waiting for one until `deadline` and while `open()`. Blocks the host. Errors: [`Denied`].
    pub fn claim_waiting(
        &self,
        held: &mut Held<'_, Nothing>,
        deadline: impl Into<Deadline>,
        open: impl Fn() -> bool,
    ) -> Result<usize, Denied> {
        if let Some(slot) = self.slots.claim_from(0) {
            return Ok(slot);
        }
        let deadline = deadline.into();
        self.waits.fetch_add(1, Ordering::Relaxed);
        record::boundary(record::Boundary::HostWait);
        self.waiters.fetch_add(1, Ordering::Relaxed);
        // ORDER: SeqCst fence so that either the releaser sees this waiter or this waiter sees the freed slot; pairs with `release`.
        fence(Ordering::SeqCst);
        let mut queue = held.lock(&self.queue);
        let ticket = queue.next_ticket;
        queue.next_ticket += 1;
        queue.waiting.push_back(ticket);
        let mut first_look = true;
        let outcome = loop {
            if !open() {
                break Err(Denied::Closed);
            }
            if !first_look && deadline.passed() {
                break Err(Denied::TimedOut);
            }
            // The first look needs no permit: the slot may have been freed before anybody could see this waiter. From then on only a
            // permit entitles to a claim, so that who came first is served first.
            let granted = queue.granted.iter().position(|t| *t == ticket);
            if (first_look || granted.is_some())
                && let Some(slot) = self.slots.claim_from(0)
            {
                break Ok(slot);
            }
            first_look = false;
            // The slot of this permit went to a claim that did not wait: stand first again.
            if let Some(at) = granted {
                queue.granted.swap_remove(at);
                queue.waiting.push_front(ticket);
            }
            queue = queue.wait(&self.signal, deadline.left());
        };
        queue.waiting.retain(|t| *t != ticket);
        let had_permit = match queue.granted.iter().position(|t| *t == ticket) {
            Some(at) => {
                queue.granted.swap_remove(at);
                true
            }
            None => false,
        };
        if outcome.is_err() && had_permit && !seeded::is(Bug::SwallowedPermit) {
            self.passed_on.fetch_add(1, Ordering::Relaxed);
            self.grant(&mut queue);
        }
        self.waiters.fetch_sub(1, Ordering::Relaxed);
        outcome
    }

    /// Gives a slot back and grants one permit to the oldest waiter. Errors: [`NotClaimed`], and nothing has changed.
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

    /// Wakes every waiter so that it asks `open()` again.
    pub fn wake_all<L: Level + MayTake<StreamSlots>>(&self, held: &mut Held<'_, L>) {
        let _queue = held.lock(&self.queue);
        self.signal.notify_all();
    }

    fn grant(&self, queue: &mut Queue) {
        if let Some(ticket) = queue.waiting.pop_front() {
            queue.granted.push(ticket);
            self.signal.notify_all();
        }
    }
}
