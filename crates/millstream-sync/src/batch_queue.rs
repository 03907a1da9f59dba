//! Requests from any thread or task, joined into batches: a bounded queue with a few workers of its own.
//!
//! A call puts its request into the queue and waits for the answer, as a thread or as a task. A free worker takes requests of about one length, as many as the token budget allows,
//! and runs them together. It changes with how requests are taken and answered. What is run is the caller's ([`Work`]); which requests are taken is decided in `choice`.
//!
//! **Life** of a request: waiting; at work; answered, expired or cancelled. Of a queue: open; draining (nothing new, what waits is worked off) or aborted (what waits is refused); its workers leave when nothing waits.
//!
//! **Invariants**
//! * `nobody-left-waiting`: every request that was taken in is answered once, or cancelled by its caller: also when its batch fails or panics, and when the queue drains, aborts or loses its last handle.
//! * `bounded`: no more requests wait than the capacity.
//! * `work-conserving`: while a request waits and no worker is at work, none sleeps; while some are at work a request waits for `max_delay` at most before a free one takes it.
//! * `fails-alone`: an error or a panic of a batch is the answer of those requests alone that have it by themselves.
//!
//! **Locks** `BatchQueue`, for the queue and for each answer, never two at once. Wakers, inputs and answers are called or dropped with nothing held.
//!
//! **Checked by** tests/loom/protocols/batch_queue.rs, specs/batch_queue, tests/batch_queue.rs, the attempt `batch_queue` of a round.

mod answer;
mod choice;
mod error;
mod requests;
mod worker;

use std::time::Duration;

pub use answer::Pending;
pub use error::BatchError;
pub use requests::BatchFigures;

use crate::deadline::Deadline;
use crate::lock::record::{self, Boundary};
use crate::lock::{Lock, Signal, enter, levels, try_enter};
use crate::{Arc, thread};
use answer::Answer;
use requests::{Life, Request, Requests};

/// What is computed in batches.
pub trait Work: Send + Sync + 'static {
    /// What a caller gives.
    type Asked: ?Sized;
    /// What of it goes to a worker.
    type Input: Send + 'static;
    /// What comes back.
    type Output: Send + 'static;
    /// Why nothing comes back.
    type Error: Send + 'static;

    /// Makes ready what was asked, on the caller's own thread. Errors: the caller's alone; nothing is queued.
    fn prepare(&self, asked: &Self::Asked) -> Result<Self::Input, Self::Error>;

    /// Size of an input. A batch costs its longest times its rows.
    fn tokens(&self, input: &Self::Input) -> usize;

    /// Computes a batch on a thread of a worker: one output for each input, in their order. Where it fails or panics, each input is run once more by itself.
    fn run(&self, batch: &[&Self::Input]) -> Result<Vec<Self::Output>, Self::Error>;
}

/// How a queue joins requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchOptions {
    /// Most tokens of a batch, filled up ones included. A longer request goes alone.
    pub batch_tokens: usize,
    /// How long a request waits for company at most while a worker is free and others are at work. While none is at work it does not wait.
    pub max_delay: Duration,
    /// Most requests that wait.
    pub capacity: usize,
    /// Threads that run batches, at least 1. What is under way is shared out evenly among them.
    pub workers: usize,
}

impl Default for BatchOptions {
    /// 512 tokens, 2 ms, 1,024 requests, one worker.
    fn default() -> Self {
        Self { batch_tokens: 512, max_delay: Duration::from_millis(2), capacity: 1_024, workers: 1 }
    }
}

/// Who goes first. Every fourth batch begins with the oldest request whatever its priority, so none waits for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// After all others.
    Low,
    /// The usual.
    #[default]
    Normal,
    /// Before all others.
    High,
}

/// What a call may choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// Who goes first.
    pub priority: Priority,
    /// How long the caller wants to wait; `None`: until the answer comes.
    pub timeout: Option<Duration>,
}

/// A queue of requests and its workers. `Clone + Send + Sync`; clones share it. The last one that is dropped lets the workers finish what waits, and does not wait for them.
pub struct BatchQueue<W: Work> {
    handle: Arc<Handle<W>>,
}

impl<W: Work> Clone for BatchQueue<W> {
    fn clone(&self) -> Self {
        Self { handle: Arc::clone(&self.handle) }
    }
}

impl<W: Work> std::fmt::Debug for BatchQueue<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchQueue").field("options", &self.shared().options).finish_non_exhaustive()
    }
}

/// What the clones of a queue share: with it the queue ends.
struct Handle<W: Work> {
    shared: Arc<Shared<W>>,
}

/// What callers and workers share.
pub(crate) struct Shared<W: Work> {
    work: W,
    options: BatchOptions,
    requests: Lock<levels::BatchQueue, Requests<W>>,
    /// Something for the workers to look at.
    arrived: Signal,
    /// A worker has left.
    left: Signal,
    /// The process that has the workers: a forked child has none.
    process: u32,
}

impl<W: Work> BatchQueue<W> {
    /// A queue in front of `work`, with its workers started. Errors: the system has no more threads.
    pub fn new(work: W, options: BatchOptions) -> std::io::Result<Self> {
        let options = BatchOptions { workers: options.workers.max(1), capacity: options.capacity.max(1), ..options };
        let shared = Arc::new(Shared {
            requests: Lock::new(Requests::new(options.workers)),
            work,
            options,
            arrived: Signal::new(),
            left: Signal::new(),
            process: std::process::id(),
        });
        let queue = Self { handle: Arc::new(Handle { shared: Arc::clone(&shared) }) };
        for number in 0..shared.options.workers {
            let of_worker = Arc::clone(&shared);
            let name = format!("batch worker {}", number + 1);
            match thread::Builder::new().name(name).spawn(move || worker::serve(&of_worker)) {
                Ok(thread) => enter(|held| held.lock(&shared.requests).threads.push(thread)),
                Err(error) => {
                    enter(|held| held.lock(&shared.requests).workers -= shared.options.workers - number);
                    return Err(error);
                }
            }
        }
        Ok(queue)
    }

    fn shared(&self) -> &Arc<Shared<W>> {
        &self.handle.shared
    }

    /// What is run.
    #[must_use]
    pub fn work(&self) -> &W {
        &self.shared().work
    }

    /// How requests are joined.
    #[must_use]
    pub fn options(&self) -> &BatchOptions {
        &self.shared().options
    }

    /// The answer to one request, computed together with those of others. Blocks the host until it is there. Errors: [`BatchError`].
    pub fn call(&self, asked: &W::Asked) -> Result<W::Output, BatchError<W::Error>> {
        self.submit(asked, Call::default())?.wait()
    }

    /// Queues a request; its answer is a future, and a thread may wait for it ([`Pending::wait`]). Does not wait. Dropping it cancels the request.
    /// Errors: `Work` of [`Work::prepare`], `Overloaded`, `Closed`, `Forked`, `Reentered`.
    pub fn submit(&self, asked: &W::Asked, call: Call) -> Result<Pending<W>, BatchError<W::Error>> {
        let shared = self.shared();
        if shared.is_elsewhere() {
            return Err(BatchError::Forked);
        }
        let deadline = Deadline::after(call.timeout);
        let input = shared.work.prepare(asked).map_err(BatchError::Work)?;
        let tokens = shared.work.tokens(&input).max(1);
        let answer = Arc::new(Answer::new());
        let ripe = Deadline::after(Some(shared.options.max_delay));
        let of_queue = Arc::clone(&answer);
        let request = Request { number: 0, input, tokens, priority: call.priority, deadline, ripe, answer: of_queue };
        let entered = try_enter(|held| {
            let mut requests = held.lock(&shared.requests);
            let taken_in = requests.take_in(request, shared.options.capacity);
            drop(requests);
            shared.arrived.notify_one();
            taken_in
        });
        match entered {
            None => Err(BatchError::Reentered),
            // The request is dropped here, with nothing held.
            Some(Err((_request, refusal))) => Err(refusal),
            Some(Ok(number)) => Ok(Pending::new(Arc::clone(shared), answer, number, deadline)),
        }
    }

    /// Takes nothing new, lets the workers finish what waits, and waits for them to leave, `limit` at most (`None`: as long as it takes). Whether they have left; called again it waits further.
    /// Blocks the host. In a forked child it does nothing.
    ///
    /// # Panics
    /// When called from inside a call of the runtime.
    pub fn drain(&self, limit: Option<Duration>) -> bool {
        self.shared().close(Life::Draining);
        self.shared().join(Deadline::after(limit))
    }

    /// Takes nothing new, refuses what waits with `Closed`, lets the batches that are at work finish and waits for the workers to leave, `limit` at most. Whether they have left.
    /// Blocks the host. In a forked child it does nothing.
    ///
    /// # Panics
    /// When called from inside a call of the runtime.
    pub fn abort(&self, limit: Option<Duration>) -> bool {
        self.shared().close(Life::Aborted);
        self.shared().join(Deadline::after(limit))
    }

    /// What the queue has done so far. `None`: called from inside a call of the runtime, or in a forked child.
    #[must_use]
    pub fn figures(&self) -> Option<BatchFigures> {
        let shared = self.shared();
        if shared.is_elsewhere() {
            return None;
        }
        try_enter(|held| held.lock(&shared.requests).figures())
    }
}

impl<W: Work> Shared<W> {
    /// Whether this is a forked child of the process that has the workers: a lock may be held there for ever.
    fn is_elsewhere(&self) -> bool {
        std::process::id() != self.process
    }

    /// Moves on to `life`; never back.
    fn close(&self, life: Life) {
        if self.is_elsewhere() {
            return;
        }
        let refused = enter(|held| {
            let mut requests = held.lock(&self.requests);
            let refused = requests.close(life);
            drop(requests);
            self.arrived.notify_all();
            refused
        });
        refused.into_iter().for_each(|request| request.answer.give(Err(BatchError::Closed)));
    }

    /// Waits until all workers have left, and for their threads. Whether they have.
    fn join(&self, deadline: Deadline) -> bool {
        if self.is_elsewhere() {
            return false;
        }
        record::boundary(Boundary::HostWait);
        let threads = enter(|held| {
            let mut requests = held.lock(&self.requests);
            while requests.workers > 0 {
                if deadline.passed() {
                    return None;
                }
                requests = requests.wait(&self.left, deadline.left());
            }
            Some(std::mem::take(&mut requests.threads))
        });
        let Some(threads) = threads else { return false };
        // What their destructors give back is back when this returns.
        threads.into_iter().for_each(|thread| drop(thread.join()));
        true
    }
}

impl<W: Work> Drop for Handle<W> {
    fn drop(&mut self) {
        let shared = &self.shared;
        if shared.is_elsewhere() {
            return;
        }
        let closed = try_enter(|held| {
            let nothing = held.lock(&shared.requests).close(Life::Draining);
            debug_assert!(nothing.is_empty(), "draining refuses nothing");
            shared.arrived.notify_all();
        });
        if closed.is_none() {
            // Dropped from inside a call of the runtime: the lock is taken from elsewhere.
            let shared = Arc::clone(shared);
            let _ = thread::Builder::new().spawn(move || shared.close(Life::Draining));
        }
    }
}
