//! A batch queue: callers put requests in and sleep for the answer, workers take several at once and answer each.
//!
//! It exists because a caller sleeps on the word of a worker that may be asleep itself, fail, or leave; it changes when the steps of a request,
//! of a worker or of the end of the queue do. Requests are of one length: which of them make a batch is arithmetic with tests of its own. A step
//! is what the code does under one taking of its lock. Time is a step that may come at any moment while a request waits beside a busy worker: its
//! delay has passed.
//!
//! **Life** of a caller: away, in the queue or at work while it sleeps, answered, or gone with its request cancelled. Of a worker: looking, asleep,
//! running a batch, answering it one by one, gone. Of the queue: open, draining, aborted.
//!
//! **Invariants**
//! - `nobody-left-waiting`: where nothing can move, no caller waits for an answer.
//! - `answered-once`: no request is answered twice, and none by two.
//! - `bounded`: no more requests wait than the capacity.
//! - `work-conserving`: no worker sleeps without an end in sight while a request waits and none is at work.
//! - `workers-leave`: where nothing can move and the queue has been closed, all workers have left.
//!
//! **Checked by** `tests/cases.rs`; the code by loom `batch_queue`.

use stateright::{Model, Property};

use crate::check::{Case, can_move, protocol};

/// The bugs that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// An answer wakes nobody.
    Unwoken,
    /// A request that comes in wakes no worker.
    ArrivalUnheard,
    /// A batch that panics answers nobody.
    BatchLost,
    /// An abort forgets who waits.
    AbortForgets,
    /// A worker that was woken takes the requests that it saw before it slept.
    StaleLook,
    /// The look at the capacity is made before the lock is taken.
    RoomUnchecked,
    /// A free worker waits for company though none is at work.
    DelayedWhileIdle,
    /// The end of the queue wakes no sleeping worker.
    CloseUnheard,
}

/// One configuration of the model.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Callers; each asks once.
    pub callers: usize,
    /// Workers.
    pub workers: usize,
    /// Most requests that wait.
    pub capacity: usize,
    /// Most requests of a batch.
    pub batch: usize,
    /// Whether callers may give up.
    pub cancels: bool,
    /// Whether a batch may panic.
    pub panics: bool,
    /// Whether the queue is closed, and how.
    pub close: Option<Close>,
    /// The planted bug.
    pub bug: Option<Bug>,
}

/// How a queue ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Close {
    /// What waits is worked off.
    Drain,
    /// What waits is refused.
    Abort,
}

/// Where a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Caller {
    /// Has not asked.
    Away,
    /// `RoomUnchecked`: has seen room, about to go in.
    SawRoom,
    /// Its request is in the queue or at work.
    Waits,
    /// The answer is there, and it sleeps on.
    Unaware,
    /// Has its answer.
    Answered,
    /// Was refused, or gave up.
    Gone,
}

/// Where a worker is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Worker {
    /// About to look under the lock.
    Looks,
    /// Asleep; with an end in sight where a delay runs.
    Sleeps {
        /// Whether a delay wakes it.
        delay: bool,
        /// `StaleLook`: what it saw.
        saw: Vec<usize>,
    },
    /// Running these requests.
    Runs(Vec<usize>),
    /// Answering these requests.
    Answers(Vec<usize>),
    /// Has left.
    Left,
}

/// A state of the queue, its callers and its workers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    waiting: Vec<usize>,   // requests in the queue, oldest first, by caller
    callers: Vec<Caller>,  // each caller's place
    answers: Vec<u8>,      // answers given to each request
    workers: Vec<Worker>,  // each worker's place
    closed: Option<Close>, // how the queue was closed
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The caller goes on: asks, or wakes.
    Caller(usize),
    /// The caller gives up.
    Cancel(usize),
    /// The worker goes on.
    Worker(usize),
    /// The delay of the oldest request is over: a worker that waits for company wakes.
    Delay(usize),
    /// The batch panics.
    Panics(usize),
    /// The queue is closed.
    Close,
}

impl State {
    /// A worker that sleeps looks again.
    fn wake_one(&mut self, stale: bool) {
        if let Some(at) = self.workers.iter().position(|worker| matches!(worker, Worker::Sleeps { .. })) {
            self.wake(at, stale);
        }
    }

    fn wake(&mut self, at: usize, stale: bool) {
        self.workers[at] = match &self.workers[at] {
            Worker::Sleeps { saw, .. } if stale && !saw.is_empty() => Worker::Runs(saw.clone()),
            _ => Worker::Looks,
        };
    }

    fn at_work(&self) -> usize {
        self.workers.iter().filter(|worker| matches!(worker, Worker::Runs(_) | Worker::Answers(_))).count()
    }

    /// The request is answered; one that nobody wants is not.
    fn answer(&mut self, request: usize, woken: bool) {
        if self.callers[request] == Caller::Gone {
            return;
        }
        self.answers[request] += 1;
        self.callers[request] = if woken { Caller::Answered } else { Caller::Unaware };
    }
}

impl Config {
    fn ask(&self, s: &mut State, caller: usize) {
        let full = s.waiting.len() >= self.capacity;
        s.callers[caller] = match s.callers[caller] {
            Caller::Away if s.closed.is_some() || full => Caller::Gone,
            Caller::Away if self.has(Bug::RoomUnchecked) => Caller::SawRoom,
            Caller::SawRoom if s.closed.is_some() => Caller::Gone,
            _ => {
                s.waiting.push(caller);
                if !self.has(Bug::ArrivalUnheard) {
                    s.wake_one(self.has(Bug::StaleLook));
                }
                Caller::Waits
            }
        };
    }

    /// Under the lock: take a batch, sleep, or leave.
    fn look(&self, s: &mut State, worker: usize) {
        let idle = s.at_work() == 0 && !self.has(Bug::DelayedWhileIdle);
        // What is under way is shared out: enough waits where it is a worker's share.
        let running: usize = s.workers.iter().map(|w| if let Worker::Runs(all) = w { all.len() } else { 0 }).sum();
        let share = (s.waiting.len() + running).div_ceil(self.workers).min(self.batch);
        let enough = s.waiting.len() >= share && !self.has(Bug::DelayedWhileIdle);
        s.workers[worker] = if s.waiting.is_empty() {
            if s.closed.is_some() { Worker::Left } else { Worker::Sleeps { delay: false, saw: Vec::new() } }
        } else if idle || enough || s.closed.is_some() {
            self.take(s)
        } else {
            Worker::Sleeps { delay: true, saw: s.waiting.iter().copied().take(self.batch).collect() }
        };
    }

    fn take(&self, s: &mut State) -> Worker {
        let batch: Vec<usize> = s.waiting.drain(..s.waiting.len().min(self.batch)).collect();
        if !s.waiting.is_empty() {
            s.wake_one(self.has(Bug::StaleLook));
        }
        Worker::Runs(batch)
    }

    fn work(&self, s: &mut State, worker: usize) {
        match s.workers[worker].clone() {
            Worker::Looks => self.look(s, worker),
            Worker::Runs(batch) => s.workers[worker] = Worker::Answers(batch),
            Worker::Answers(mut batch) => {
                s.answer(batch.remove(0), !self.has(Bug::Unwoken));
                s.workers[worker] = if batch.is_empty() { Worker::Looks } else { Worker::Answers(batch) };
            }
            Worker::Sleeps { .. } | Worker::Left => {}
        }
    }

    fn close(&self, s: &mut State, how: Close) {
        s.closed = Some(how);
        if how == Close::Abort {
            for request in std::mem::take(&mut s.waiting) {
                if !self.has(Bug::AbortForgets) {
                    s.answer(request, true);
                }
            }
        }
        if !self.has(Bug::CloseUnheard) {
            (0..self.workers).for_each(|at| {
                if matches!(s.workers[at], Worker::Sleeps { .. }) {
                    s.wake(at, self.has(Bug::StaleLook));
                }
            });
        }
    }
}

impl Config {
    /// Whether anything can move that is not the caller's own choice: giving up and closing help nobody.
    fn goes_on(&self, s: &State) -> bool {
        let mut actions = Vec::new();
        self.actions(s, &mut actions);
        actions.iter().any(|step| !matches!(step, Step::Cancel(_) | Step::Close))
    }
}

impl Model for Config {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            waiting: Vec::new(),
            callers: vec![Caller::Away; self.callers],
            answers: vec![0; self.callers],
            workers: vec![Worker::Looks; self.workers],
            closed: None,
        }]
    }

    fn actions(&self, s: &State, actions: &mut Vec<Step>) {
        for caller in 0..self.callers {
            match s.callers[caller] {
                Caller::Away | Caller::SawRoom => actions.push(Step::Caller(caller)),
                Caller::Waits if self.cancels => actions.push(Step::Cancel(caller)),
                _ => {}
            }
        }
        for worker in 0..self.workers {
            match s.workers[worker] {
                Worker::Sleeps { delay: true, .. } => actions.push(Step::Delay(worker)),
                Worker::Sleeps { .. } | Worker::Left => {}
                Worker::Runs(_) if self.panics => actions.extend([Step::Worker(worker), Step::Panics(worker)]),
                _ => actions.push(Step::Worker(worker)),
            }
        }
        if self.close.is_some() && s.closed.is_none() {
            actions.push(Step::Close);
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut s = last.clone();
        match step {
            Step::Caller(caller) => self.ask(&mut s, caller),
            Step::Cancel(caller) => {
                s.waiting.retain(|request| *request != caller);
                s.callers[caller] = Caller::Gone;
            }
            Step::Worker(worker) => self.work(&mut s, worker),
            Step::Delay(worker) if s.waiting.is_empty() => s.wake(worker, self.has(Bug::StaleLook)),
            Step::Delay(worker) => s.workers[worker] = self.take(&mut s),
            Step::Panics(worker) => {
                if let Worker::Runs(batch) = &s.workers[worker] {
                    s.workers[worker] =
                        if self.has(Bug::BatchLost) { Worker::Looks } else { Worker::Answers(batch.clone()) };
                }
            }
            Step::Close => self.close(&mut s, self.close?),
        }
        Some(s)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("nobody-left-waiting", |m: &Self, s: &State| {
                m.goes_on(s) || !s.callers.iter().any(|at| matches!(at, Caller::Waits | Caller::Unaware))
            }),
            Property::always("answered-once", |_, s: &State| s.answers.iter().all(|answers| *answers <= 1)),
            Property::always("bounded", |m: &Self, s: &State| s.waiting.len() <= m.capacity),
            Property::always("work-conserving", |_, s: &State| {
                let rests = |worker: &Worker| matches!(worker, Worker::Sleeps { .. } | Worker::Left);
                s.waiting.is_empty() || !s.workers.iter().all(rests)
            }),
            Property::always("workers-leave", |m: &Self, s: &State| {
                can_move(m, s) || s.closed.is_none() || s.workers.iter().all(|worker| *worker == Worker::Left)
            }),
            Property::sometimes("two are answered together", |_, s: &State| {
                s.workers.iter().any(|worker| matches!(worker, Worker::Answers(batch) if batch.len() == 2))
            }),
            Property::sometimes("one is refused for want of room", |_, s: &State| {
                s.closed.is_none() && s.callers.contains(&Caller::Gone)
            }),
        ];
        if self.workers > 1 {
            properties.push(Property::sometimes("one waits for company", |_, s: &State| {
                s.workers.iter().any(|worker| matches!(worker, Worker::Sleeps { delay: true, .. }))
            }));
        }
        properties
    }
}

const ONE: Config =
    Config { callers: 4, workers: 1, capacity: 2, batch: 2, cancels: false, panics: false, close: None, bug: None };
const TWO: Config = Config { workers: 2, ..ONE };
const FULL: Config = Config { cancels: true, panics: true, close: Some(Close::Drain), ..TWO };
const ABORTED: Config = Config { close: Some(Close::Abort), ..FULL };

protocol!("batch_queue");

/// Every configuration, with what must come out.
pub const CASES: &[Case<Config>] = &[
    Case::holds("4 callers, 1 worker", ONE, 1_024),
    Case::holds("4 callers, 2 workers", TWO, 4_760),
    Case::holds("4 callers, 2 workers, cancels, panics, a drain", FULL, 44_292),
    Case::holds("4 callers, 2 workers, cancels, panics, an abort", ABORTED, 38_028),
    Case::fails("an answer wakes nobody", ONE.with(Bug::Unwoken), "nobody-left-waiting"),
    Case::fails("an arrival wakes nobody", ONE.with(Bug::ArrivalUnheard), "work-conserving"),
    Case::fails("a batch that panics is lost", FULL.with(Bug::BatchLost), "nobody-left-waiting"),
    Case::fails("an abort forgets who waits", ABORTED.with(Bug::AbortForgets), "nobody-left-waiting"),
    Case::fails("a woken worker does not look again", TWO.with(Bug::StaleLook), "answered-once"),
    Case::fails("room is not looked for under the lock", TWO.with(Bug::RoomUnchecked), "bounded"),
    Case::fails("waiting for company while idle", ONE.with(Bug::DelayedWhileIdle), "work-conserving"),
    Case::fails("a close wakes nobody", FULL.with(Bug::CloseUnheard), "workers-leave"),
];
