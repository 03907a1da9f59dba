//! What the queue's lock guards: the requests that wait, who is at work, and how far the queue's life has gone.

use std::collections::VecDeque;
use std::time::Duration;

use super::answer::Answer;
use super::choice::{self, Limits};
use super::{BatchError, BatchOptions, Priority, Work};
use crate::deadline::Deadline;
use crate::{Arc, thread};

/// A request that waits or is at work.
pub(super) struct Request<W: Work> {
    pub(super) number: u64,
    pub(super) input: W::Input,
    pub(super) tokens: usize,
    pub(super) priority: Priority,
    pub(super) deadline: Deadline,
    /// When it has waited long enough for company.
    pub(super) ripe: Deadline,
    pub(super) answer: Arc<Answer<W>>,
}

/// How far the queue's life has gone; forwards only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Life {
    Open,
    Draining,
    Aborted,
}

/// What a queue has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchFigures {
    /// Requests that wait just now.
    pub waiting: usize,
    /// Batches at work just now.
    pub at_work: usize,
    /// Batches taken.
    pub batches: u64,
    /// Requests in them.
    pub requests: u64,
    /// Tokens of these requests.
    pub tokens: u64,
    /// Tokens of the batches: each row as long as the longest.
    pub filled_tokens: u64,
    /// Requests refused because the queue was full.
    pub overloaded: u64,
    /// Requests whose callers gave up or ran out of time while they waited.
    pub given_up: u64,
}

/// What a worker is to do.
pub(super) enum When {
    /// Take a batch.
    Now,
    /// Sleep, so long at most.
    Later(Option<Duration>),
    /// Leave.
    Never,
}

pub(super) struct Requests<W: Work> {
    /// Oldest first.
    waiting: VecDeque<Request<W>>,
    waiting_tokens: usize,
    tokens_at_work: usize,
    next: u64,
    life: Life,
    figures: BatchFigures,
    /// Workers that have not left.
    pub(super) workers: usize,
    pub(super) threads: Vec<thread::JoinHandle<()>>,
}

type Refused<W> = (Request<W>, BatchError<<W as Work>::Error>);

impl<W: Work> Requests<W> {
    pub(super) fn new(workers: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            waiting_tokens: 0,
            tokens_at_work: 0,
            next: 0,
            life: Life::Open,
            figures: BatchFigures::default(),
            workers,
            threads: Vec::new(),
        }
    }

    pub(super) fn figures(&self) -> BatchFigures {
        BatchFigures { waiting: self.waiting.len(), ..self.figures }
    }

    /// Its number. Errors: the request and why it is not taken in.
    pub(super) fn take_in(&mut self, mut request: Request<W>, capacity: usize) -> Result<u64, Refused<W>> {
        if self.life != Life::Open {
            return Err((request, BatchError::Closed));
        }
        if self.waiting.len() >= capacity {
            self.figures.overloaded += 1;
            return Err((request, BatchError::Overloaded { capacity }));
        }
        self.next += 1;
        request.number = self.next;
        self.waiting_tokens += request.tokens;
        self.waiting.push_back(request);
        Ok(self.next)
    }

    /// Moves on to `life`, and gives out the requests that it refuses.
    pub(super) fn close(&mut self, life: Life) -> VecDeque<Request<W>> {
        self.life = self.life.max(life);
        match self.life {
            Life::Aborted => {
                self.waiting_tokens = 0;
                std::mem::take(&mut self.waiting)
            }
            _ => VecDeque::new(),
        }
    }

    /// The request of this number, if it still waits: its caller has given up.
    pub(super) fn give_up(&mut self, number: u64) -> Option<Request<W>> {
        // Numbers rise from front to back.
        let at = self.waiting.binary_search_by_key(&number, |request| request.number).ok()?;
        self.remove(at)
    }

    fn remove(&mut self, at: usize) -> Option<Request<W>> {
        let request = self.waiting.remove(at)?;
        self.waiting_tokens -= request.tokens;
        self.figures.given_up += 1;
        Some(request)
    }

    /// The requests that nobody wants any more: expired, or dropped where the lock could not be taken.
    pub(super) fn take_unwanted(&mut self) -> Vec<Request<W>> {
        let unwanted = |request: &Request<W>| request.deadline.passed() || request.answer.is_unwanted();
        let places: Vec<usize> = (0..self.waiting.len()).rev().filter(|at| unwanted(&self.waiting[*at])).collect();
        places.into_iter().filter_map(|at| self.remove(at)).collect()
    }

    /// How large a batch is to be: what is under way is shared out among the workers.
    fn limits(&self, options: &BatchOptions) -> Limits {
        let share = (self.waiting_tokens + self.tokens_at_work).div_ceil(options.workers);
        Limits { budget: options.batch_tokens, share }
    }

    pub(super) fn when(&self, options: &BatchOptions) -> When {
        let Some(oldest) = self.waiting.front() else {
            return if self.life == Life::Open { When::Later(None) } else { When::Never };
        };
        let idle = self.figures.at_work == 0;
        let Limits { budget, share } = self.limits(options);
        let enough = self.waiting_tokens >= share.min(budget);
        if idle || enough || self.life != Life::Open || oldest.ripe.passed() {
            When::Now
        } else {
            When::Later(oldest.ripe.left())
        }
    }

    /// Takes the next batch out.
    pub(super) fn take_batch(&mut self, options: &BatchOptions) -> VecDeque<Request<W>> {
        let facts: Vec<_> = self.waiting.iter().map(|request| (request.tokens, request.priority)).collect();
        self.figures.batches += 1;
        let oldest = self.figures.batches.is_multiple_of(choice::OLDEST_EVERY);
        let chosen = choice::choose(&facts, self.limits(options), oldest);
        // From the back, so that places in front stay what they are.
        let mut batch = VecDeque::with_capacity(chosen.len());
        for at in chosen.into_iter().rev() {
            if let Some(request) = self.waiting.remove(at) {
                batch.push_front(request);
            }
        }
        let tokens: usize = batch.iter().map(|request| request.tokens).sum();
        let longest = batch.iter().map(|request| request.tokens).max().unwrap_or(0);
        self.waiting_tokens -= tokens;
        self.tokens_at_work += tokens;
        self.figures.at_work += 1;
        self.figures.requests += batch.len() as u64;
        self.figures.tokens += tokens as u64;
        self.figures.filled_tokens += (longest * batch.len()) as u64;
        batch
    }

    /// A batch of so many tokens is done.
    pub(super) fn put_down(&mut self, tokens: usize) {
        self.tokens_at_work -= tokens;
        self.figures.at_work -= 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
