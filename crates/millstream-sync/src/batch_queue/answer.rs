//! The answer to one request: given once by a worker, taken once by a thread or a task.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::{BatchError, Shared, Work};
use crate::Arc;
use crate::atomic::{AtomicBool, Ordering};
use crate::deadline::Deadline;
use crate::lock::record::{self, Boundary};
use crate::lock::{Lock, Signal, enter, levels, try_enter};
use crate::seeded::{self, Bug};

pub(super) type Outcome<W> = Result<<W as Work>::Output, BatchError<<W as Work>::Error>>;

enum Slot<W: Work> {
    /// Not given yet; the task that waits for it, if one does.
    Open(Option<Waker>),
    Given(Outcome<W>),
    /// Taken, or wanted by nobody.
    Gone,
}

/// The place of one answer.
pub(super) struct Answer<W: Work> {
    slot: Lock<levels::BatchQueue, Slot<W>>,
    given: Signal,
    /// Its caller has gone, and could not take the lock to say so.
    unwanted: AtomicBool,
}

impl<W: Work> Answer<W> {
    pub(super) fn new() -> Self {
        Self { slot: Lock::new(Slot::Open(None)), given: Signal::new(), unwanted: AtomicBool::new(false) }
    }

    pub(super) fn is_unwanted(&self) -> bool {
        // A hint: who does not see it yet computes an answer that nobody takes.
        self.unwanted.load(Ordering::Relaxed)
    }

    /// Gives the answer and wakes who waits for it. One that is there already, or that nobody wants, stands.
    pub(super) fn give(&self, outcome: Outcome<W>) {
        let mut outcome = Some(outcome);
        let waker = enter(|held| {
            let mut slot = held.lock(&self.slot);
            let waker = match &mut *slot {
                Slot::Open(waker) => waker.take(),
                Slot::Given(_) | Slot::Gone => return None,
            };
            if let Some(outcome) = outcome.take() {
                *slot = Slot::Given(outcome);
            }
            drop(slot);
            if seeded::is(Bug::UnwokenCaller) {
                return None;
            }
            self.given.notify_all();
            waker
        });
        if let Some(waker) = waker {
            record::boundary(Boundary::Callback);
            // The executor's code: its panic is not the worker's.
            let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
    }
}

/// The answer to a request that is under way: a future, or something for a thread to wait for. Dropping it cancels the request; one that is at work already is computed for nobody.
#[must_use = "dropping it cancels the request"]
pub struct Pending<W: Work> {
    shared: Arc<Shared<W>>,
    answer: Arc<Answer<W>>,
    number: u64,
    deadline: Deadline,
    /// The answer was taken: nothing to cancel.
    taken: bool,
}

impl<W: Work> std::fmt::Debug for Pending<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pending({})", self.number)
    }
}

impl<W: Work> Pending<W> {
    pub(super) fn new(shared: Arc<Shared<W>>, answer: Arc<Answer<W>>, number: u64, deadline: Deadline) -> Self {
        Self { shared, answer, number, deadline, taken: false }
    }

    /// The answer. Blocks the host until it is there or the timeout of the call has passed. Errors: [`BatchError`].
    pub fn wait(mut self) -> Outcome<W> {
        if self.shared.is_elsewhere() {
            return Err(BatchError::Forked);
        }
        record::boundary(Boundary::HostWait);
        let outcome = try_enter(|held| {
            let mut slot = held.lock(&self.answer.slot);
            loop {
                if let Slot::Given(_) = &*slot {
                    return std::mem::replace(&mut *slot, Slot::Gone);
                }
                if self.deadline.passed() {
                    return Slot::Gone;
                }
                slot = slot.wait(&self.answer.given, self.deadline.left());
            }
        });
        match outcome {
            Some(Slot::Given(outcome)) => {
                self.taken = true;
                outcome
            }
            // The drop cancels it.
            Some(Slot::Open(_) | Slot::Gone) => Err(BatchError::Expired),
            None => Err(BatchError::Reentered),
        }
    }

    fn cancel(&self) {
        // ORDER: Relaxed: a hint, see `is_unwanted`.
        self.answer.unwanted.store(true, Ordering::Relaxed);
        if self.shared.is_elsewhere() {
            return;
        }
        // What comes out is dropped with nothing held.
        let slot = try_enter(|held| std::mem::replace(&mut *held.lock(&self.answer.slot), Slot::Gone));
        let request = try_enter(|held| held.lock(&self.shared.requests).give_up(self.number));
        drop((slot, request));
    }
}

impl<W: Work> Future for Pending<W> {
    type Output = Outcome<W>;

    /// Where the timeout of the call has passed it says so when it is polled, or when a worker next looks at the queue: it has no clock of its own.
    ///
    /// # Panics
    /// When it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(!self.taken, "polled again after it was ready");
        if self.shared.is_elsewhere() {
            return Poll::Ready(Err(BatchError::Forked));
        }
        // Wakers are the executor's code: cloned and dropped with nothing held.
        let mut waker = Some(context.waker().clone());
        let late = self.deadline.passed();
        let found = try_enter(|held| {
            let mut slot = held.lock(&self.answer.slot);
            match &mut *slot {
                Slot::Open(known) if !late => {
                    waker = std::mem::replace(known, waker.take());
                    None
                }
                _ => Some(std::mem::replace(&mut *slot, Slot::Gone)),
            }
        });
        drop(waker);
        let outcome = match found {
            None => Err(BatchError::Reentered),
            Some(None) => return Poll::Pending,
            Some(Some(Slot::Given(outcome))) => outcome,
            Some(Some(Slot::Open(_) | Slot::Gone)) => {
                self.cancel();
                Err(BatchError::Expired)
            }
        };
        self.taken = true;
        Poll::Ready(outcome)
    }
}

impl<W: Work> Drop for Pending<W> {
    fn drop(&mut self) {
        if !self.taken {
            self.cancel();
        }
    }
}
