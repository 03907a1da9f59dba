//! The gate between flushes of thread caches and the shutdown that releases the memory they flush into.
//!
//! It exists because a thread's exit and the shutdown know nothing of each other; it changes when the gate's steps, the
//! shutdown's order or the handling of a panic do. Bytes are one unit a flush. It does not model what a flush does inside
//! the pool (`inbox_thread_exit`), the submissions that shutdown waits for too, the draining of streams, buffers that
//! outlive the device, or the exit hook.
//!
//! **Life** of the device: live, draining (flushes are refused from here on), closed, memory released. A passed
//! deadline is reported and releases nothing; the reaper goes on waiting.
//!
//! **Why two alive checks.** The second keeps a flush from the pool that is being released. The first is harmless to
//! drop as far as memory goes, and one case pins that; what it keeps is that the count can only fall once the gate is shut,
//! so that shutdown's wait is bounded by the flushes already inside and not by how many threads go on arriving.
//!
//! **Invariants**
//! - `no-touch-after-release`: no flush is at work in a pool whose memory is released.
//! - `count-returns-to-zero`: when no flush is under way, the count is 0.
//! - `late-arrivals-are-not-counted`: a flush that arrived when the gate was shut never raises the count.
//! - `no-bytes-lost`: bytes are still cached, in the pool, or reported as stranded.
//! - `released-once`: the memory is released at most once.
//! - `no-deadlock`: where nothing can move, all flushes have ended and every shutdown has returned.
//!
//! **Checked by** `tests/cases.rs`; the code by `loom_gate`.

use stateright::{Model, Property};

use crate::check::{Case, Expected, Protocol, can_move};

/// The bugs that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The flush raises the count without a first look.
    NoFirstCheck,
    /// The flush does not look again after it raised the count.
    NoSecondCheck,
    /// A panic in the flush leaves the count raised.
    CountKeptOnUnwind,
    /// A panic in the flush leaves its bytes unreported.
    BytesForgottenOnUnwind,
    /// A refused flush does not report its bytes.
    RefusalNotReported,
    /// The flush looks, but takes any state for alive.
    FlushAfterClose,
    /// A passed deadline releases the memory all the same.
    DeadlineReleases,
    /// Shutdown begins with a store in place of a compare-and-swap.
    ShutdownTwice,
}

/// One configuration of the model.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Threads that flush.
    pub threads: usize,
    /// How often each flushes.
    pub flushes: u8,
    /// Calls of shutdown.
    pub shutdowns: usize,
    /// Whether a flush may panic.
    pub panics: bool,
    /// Whether a shutdown's deadline may pass.
    pub deadlines: bool,
    /// Whether late arrivals are looked at; off shows what the first check is not needed for.
    pub watches_arrivals: bool,
    /// The planted bug.
    pub bug: Option<Bug>,
}

/// The device's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Flushes are welcome.
    Live,
    /// The gate is shut.
    Draining,
    /// Done.
    Closed,
}

/// Where a flushing thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// Between two flushes.
    Outside,
    /// About to look for the first time.
    Arrived,
    /// About to raise the count.
    Entering,
    /// Counted, about to look again.
    Counted,
    /// At work in the pool.
    Working,
    /// Panicked at work.
    Unwinding,
    /// About to lower the count.
    Ending,
}

/// Where a shutdown is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Closing {
    /// Not called.
    No,
    /// `ShutdownTwice`: saw the device live, about to store.
    Storing,
    /// Shut the gate; waits for the count to be 0.
    Waiting,
    /// Saw 0, or the deadline's bug; about to store `Closed`.
    Storable,
    /// Stored `Closed`; about to release the memory.
    Releasing,
    /// Found another at it; waits for it to end.
    Following,
    /// Returned.
    Returned,
}

/// A state of the gate, the flushes and the shutdowns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The device's state.
    pub phase: Phase,
    /// Flushes in progress.
    pub count: u8,
    /// How often the memory was released.
    pub released: u8,
    /// Whether a shutdown reported flushes still in progress at its deadline.
    pub overdue: bool,
    /// Each thread's place.
    pub at: Vec<At>,
    /// Whether each thread's flush arrived when the gate was shut.
    pub late: Vec<bool>,
    /// Each thread's flushes to go.
    pub to_go: Vec<u8>,
    /// Bytes in caches.
    pub cached: u8,
    /// Bytes in the pool.
    pub pooled: u8,
    /// Bytes reported as stranded.
    pub stranded: u8,
    /// Each shutdown's place.
    pub closing: Vec<Closing>,
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The flushing thread goes on.
    Flush(usize),
    /// The flush panics at work.
    Panic(usize),
    /// The shutdown goes on.
    Shutdown(usize),
    /// The shutdown's deadline passes.
    Deadline(usize),
}

impl State {
    fn strand(&mut self) {
        self.cached -= 1;
        self.stranded += 1;
    }
}

impl Config {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn is_alive(&self, s: &State) -> bool {
        s.phase == Phase::Live || self.has(Bug::FlushAfterClose)
    }

    /// The flush is turned away: its bytes are reported.
    fn refuse(&self, s: &mut State) {
        if self.has(Bug::RefusalNotReported) {
            s.cached -= 1;
        } else {
            s.strand();
        }
    }

    fn flush(&self, s: &mut State, t: usize) {
        match s.at[t] {
            At::Outside => {
                s.to_go[t] -= 1;
                s.late[t] = self.watches_arrivals && s.phase != Phase::Live;
                s.at[t] = if self.has(Bug::NoFirstCheck) { At::Entering } else { At::Arrived };
            }
            At::Arrived if self.is_alive(s) => s.at[t] = At::Entering,
            At::Arrived => {
                self.refuse(s);
                self.end(s, t);
            }
            At::Entering => {
                s.count += 1;
                s.at[t] = At::Counted;
            }
            At::Counted if self.is_alive(s) || self.has(Bug::NoSecondCheck) => s.at[t] = At::Working,
            At::Counted => {
                self.refuse(s);
                s.at[t] = At::Ending;
            }
            At::Working => {
                s.cached -= 1;
                s.pooled += 1;
                s.at[t] = At::Ending;
            }
            At::Unwinding => self.unwind(s, t),
            At::Ending => {
                s.count -= 1;
                self.end(s, t);
            }
        }
    }

    fn end(&self, s: &mut State, t: usize) {
        s.late[t] = false;
        s.at[t] = At::Outside;
    }

    /// The scope guard at work: bytes are reported, the count goes down as on any way out.
    fn unwind(&self, s: &mut State, t: usize) {
        if self.has(Bug::BytesForgottenOnUnwind) {
            s.cached -= 1;
        } else {
            s.strand();
        }
        if self.has(Bug::CountKeptOnUnwind) {
            self.end(s, t);
        } else {
            s.at[t] = At::Ending;
        }
    }

    fn shut_down(&self, s: &mut State, c: usize) {
        s.closing[c] = match s.closing[c] {
            Closing::No if s.phase != Phase::Live => Closing::Following,
            Closing::No if self.has(Bug::ShutdownTwice) => Closing::Storing,
            Closing::No | Closing::Storing => {
                s.phase = Phase::Draining;
                Closing::Waiting
            }
            Closing::Waiting => Closing::Storable,
            Closing::Storable => {
                s.phase = Phase::Closed;
                Closing::Releasing
            }
            Closing::Releasing => {
                s.released += 1;
                Closing::Returned
            }
            Closing::Following | Closing::Returned => Closing::Returned,
        };
    }

    fn can_shut_down(&self, s: &State, c: usize) -> bool {
        match s.closing[c] {
            Closing::Waiting => s.count == 0,
            Closing::Following => s.phase == Phase::Closed,
            Closing::Returned => false,
            _ => true,
        }
    }

    fn pass_deadline(&self, s: &mut State, c: usize) {
        s.overdue = true;
        if self.has(Bug::DeadlineReleases) {
            s.closing[c] = Closing::Storable;
        }
    }
}

impl Model for Config {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            phase: Phase::Live,
            count: 0,
            released: 0,
            overdue: false,
            at: vec![At::Outside; self.threads],
            late: vec![false; self.threads],
            to_go: vec![self.flushes; self.threads],
            cached: self.threads as u8 * self.flushes,
            pooled: 0,
            stranded: 0,
            closing: vec![Closing::No; self.shutdowns],
        }]
    }

    fn actions(&self, s: &State, actions: &mut Vec<Step>) {
        for thread in 0..self.threads {
            if s.at[thread] != At::Outside || s.to_go[thread] > 0 {
                actions.push(Step::Flush(thread));
            }
            if self.panics && s.at[thread] == At::Working {
                actions.push(Step::Panic(thread));
            }
        }
        for call in 0..self.shutdowns {
            if self.can_shut_down(s, call) {
                actions.push(Step::Shutdown(call));
            }
            if self.deadlines && s.closing[call] == Closing::Waiting && s.count > 0 && !s.overdue {
                actions.push(Step::Deadline(call));
            }
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::Flush(thread) => self.flush(&mut state, thread),
            Step::Panic(thread) => state.at[thread] = At::Unwinding,
            Step::Shutdown(call) => self.shut_down(&mut state, call),
            Step::Deadline(call) => self.pass_deadline(&mut state, call),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("no-touch-after-release", |_, s: &State| {
                s.released == 0 || !s.at.iter().any(|at| matches!(at, At::Working | At::Unwinding))
            }),
            Property::always("count-returns-to-zero", |_, s: &State| {
                s.count == 0 || s.at.iter().any(|at| *at != At::Outside)
            }),
            Property::always("no-bytes-lost", |m: &Self, s: &State| {
                s.cached + s.pooled + s.stranded == m.threads as u8 * m.flushes
            }),
            Property::always("no-deadlock", |m: &Self, s: &State| {
                can_move(m, s) || s.closing.iter().all(|closing| *closing == Closing::Returned)
            }),
            Property::sometimes("the second look refuses a flush", |_, s: &State| {
                s.phase != Phase::Live && s.at.contains(&At::Counted)
            }),
        ];
        if self.watches_arrivals {
            properties.push(Property::always("late-arrivals-are-not-counted", |_, s: &State| {
                let counted = |t: usize| !matches!(s.at[t], At::Outside | At::Arrived | At::Entering);
                !(0..s.at.len()).any(|t| s.late[t] && counted(t))
            }));
        }
        if self.shutdowns > 1 {
            properties.push(Property::always("released-once", |_, s: &State| s.released <= 1));
        }
        if self.deadlines {
            properties.push(Property::sometimes("a deadline passes with a flush at work", |_, s: &State| {
                s.overdue && s.at.contains(&At::Working)
            }));
        }
        properties
    }
}

const SMALL: Config =
    Config { threads: 2, flushes: 2, shutdowns: 1, panics: false, deadlines: false, watches_arrivals: true, bug: None };
const UNWINDING: Config = Config { panics: true, ..SMALL };
const FULL: Config = Config { threads: 3, shutdowns: 2, panics: true, deadlines: true, ..SMALL };

const fn case(name: &'static str, config: Config, expected: Expected) -> Case<Config> {
    Case { name, config, expected }
}

const fn fails(name: &'static str, bug: Bug, config: Config, property: &'static str) -> Case<Config> {
    case(name, Config { bug: Some(bug), ..config }, Expected::Fails { property })
}

impl Protocol for Config {
    const SPEC: &'static str = "shutdown_and_flush";
    const CASES: &'static [Case<Self>] = CASES;

    fn bug(&self) -> Option<String> {
        self.bug.map(|bug| format!("{bug:?}"))
    }
}

const UNWATCHED: Config = Config { watches_arrivals: false, bug: Some(Bug::NoFirstCheck), ..FULL };

/// Every configuration, with what must come out.
pub const CASES: &[Case<Config>] = &[
    case("2 threads, 2 flushes", SMALL, Expected::Holds { states: 0 }),
    case("2 threads, 2 flushes, panics", UNWINDING, Expected::Holds { states: 0 }),
    case("3 threads, 2 flushes, panics, deadlines, 2 shutdowns", FULL, Expected::Holds { states: 0 }),
    case("first check dropped is harmless to memory", UNWATCHED, Expected::Holds { states: 0 }),
    fails(
        "first check dropped, late arrivals hold the shutdown",
        Bug::NoFirstCheck,
        SMALL,
        "late-arrivals-are-not-counted",
    ),
    fails("second check dropped", Bug::NoSecondCheck, SMALL, "no-touch-after-release"),
    fails("count kept on unwind", Bug::CountKeptOnUnwind, UNWINDING, "count-returns-to-zero"),
    fails("count kept on unwind, shutdown waits for ever", Bug::CountKeptOnUnwind, UNWINDING, "no-deadlock"),
    fails("bytes forgotten on unwind", Bug::BytesForgottenOnUnwind, UNWINDING, "no-bytes-lost"),
    fails("refused flush not reported", Bug::RefusalNotReported, SMALL, "no-bytes-lost"),
    fails("flush after close", Bug::FlushAfterClose, SMALL, "no-touch-after-release"),
    fails(
        "deadline releases under a flush",
        Bug::DeadlineReleases,
        Config { deadlines: true, ..SMALL },
        "no-touch-after-release",
    ),
    fails("two shutdowns at once", Bug::ShutdownTwice, Config { shutdowns: 2, ..SMALL }, "released-once"),
];
