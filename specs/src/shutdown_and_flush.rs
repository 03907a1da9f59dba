//! The gate between flushes of thread caches and the shutdown that releases the memory they flush into.
//!
//! It exists because a thread's exit and the shutdown know nothing of each other; it changes when the gate's steps, the
//! shutdown's order or the handling of a panic do. Bytes are one unit a flush. It does not model what a flush does inside
//! the pool (`inbox_thread_exit`), the submissions that shutdown waits for too, the draining of streams, buffers that
//! outlive the device, or the exit hook.
//!
//! **Life** of the device: live; draining (new work is refused, flushes are not); closed, the gate is shut; memory
//! released, once the count was 0 after that. A passed deadline is reported and releases nothing; the reaper waits on.
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
//! **Checked by** `tests/cases.rs`; the code by the loom cases `gate`.

use stateright::{Model, Property};

use crate::check::{Case, can_move, protocol};

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
    /// Shutdown waits for the count while draining, and shuts the gate after that.
    WaitBeforeClose,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Everything is welcome.
    Live,
    /// Only flushes are welcome.
    Draining,
    /// The gate is shut.
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
    /// Draining, about to store `Closed`.
    Storable,
    /// Waits for the count to be 0.
    Waiting,
    /// About to release the memory.
    Releasing,
    /// Found another at it; waits for it to end.
    Following,
    /// Returned.
    Returned,
}

/// A state of the gate, the flushes and the shutdowns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    phase: Phase,          // the device's state
    count: u8,             // flushes in progress
    released: u8,          // how often the memory was released
    overdue: bool,         // whether a shutdown reported flushes still in progress at its deadline
    at: Vec<At>,           // each thread's place
    late: Vec<bool>,       // whether each thread's flush arrived when the gate was shut
    to_go: Vec<u8>,        // each thread's flushes to go
    cached: u8,            // bytes in caches
    pooled: u8,            // bytes in the pool
    stranded: u8,          // bytes reported as stranded
    closing: Vec<Closing>, // each shutdown's place
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
    fn is_alive(&self, s: &State) -> bool {
        s.phase != Phase::Closed || self.has(Bug::FlushAfterClose)
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
                s.late[t] = self.watches_arrivals && s.phase == Phase::Closed;
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
        let waits_first = self.has(Bug::WaitBeforeClose);
        s.closing[c] = match s.closing[c] {
            Closing::No if s.phase != Phase::Live => Closing::Following,
            Closing::No if self.has(Bug::ShutdownTwice) => Closing::Storing,
            Closing::No | Closing::Storing => {
                s.phase = s.phase.max(Phase::Draining);
                if waits_first { Closing::Waiting } else { Closing::Storable }
            }
            Closing::Storable => {
                s.phase = Phase::Closed;
                if waits_first { Closing::Releasing } else { Closing::Waiting }
            }
            Closing::Waiting if waits_first => Closing::Storable,
            Closing::Waiting => Closing::Releasing,
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
            Closing::Following => s.released > 0,
            Closing::Returned => false,
            _ => true,
        }
    }

    fn pass_deadline(&self, s: &mut State, c: usize) {
        s.overdue = true;
        if self.has(Bug::DeadlineReleases) {
            s.closing[c] = Closing::Releasing;
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
                s.phase == Phase::Closed && s.at.contains(&At::Counted)
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

const LONE: Config = Config { threads: 2, flushes: 2, shutdowns: 1, ..FULL };
const UNWINDING: Config = Config { deadlines: false, ..LONE };
const QUIET: Config = Config { panics: false, ..UNWINDING };
const TIMED: Config = Config { panics: false, ..LONE };
const TWICE: Config = Config { shutdowns: 2, ..QUIET };
const UNWATCHED: Config = Config { watches_arrivals: false, ..FULL };
const FULL: Config =
    Config { threads: 3, flushes: 2, shutdowns: 2, panics: true, deadlines: true, watches_arrivals: true, bug: None };

protocol!("shutdown_and_flush");

/// Every configuration, with what must come out.
pub const CASES: &[Case<Config>] = &[
    Case::holds("2 threads, 2 flushes", QUIET, 1_289),
    Case::holds("2 threads, 2 flushes, panics", UNWINDING, 2_561),
    Case::holds("3 threads, 2 flushes, panics, deadlines, 2 shutdowns", FULL, 267_562),
    Case::holds("no first check, harmless to memory", UNWATCHED.with(Bug::NoFirstCheck), 133_229),
    Case::fails("no first check, arrivals", QUIET.with(Bug::NoFirstCheck), "late-arrivals-are-not-counted"),
    Case::fails("no second check", QUIET.with(Bug::NoSecondCheck), "no-touch-after-release"),
    Case::fails("count kept on unwind", UNWINDING.with(Bug::CountKeptOnUnwind), "count-returns-to-zero"),
    Case::fails("count kept on unwind, for ever", UNWINDING.with(Bug::CountKeptOnUnwind), "no-deadlock"),
    Case::fails("bytes forgotten on unwind", UNWINDING.with(Bug::BytesForgottenOnUnwind), "no-bytes-lost"),
    Case::fails("refused flush not reported", QUIET.with(Bug::RefusalNotReported), "no-bytes-lost"),
    Case::fails("flush after close", QUIET.with(Bug::FlushAfterClose), "no-touch-after-release"),
    Case::fails("count awaited before the gate is shut", QUIET.with(Bug::WaitBeforeClose), "no-touch-after-release"),
    Case::fails("deadline releases under a flush", TIMED.with(Bug::DeadlineReleases), "no-touch-after-release"),
    Case::fails("two shutdowns at once", TWICE.with(Bug::ShutdownTwice), "released-once"),
];
