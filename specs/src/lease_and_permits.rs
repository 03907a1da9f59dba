//! The claim of stream slots by compare-and-swap, and the permits that wake those who wait for one.
//!
//! It exists because the claim and the sleep race with the release, with a waiter's deadline and with the closing of
//! the pool; it changes when that protocol does. It does not model which free slot is taken, the policies `Share` and
//! `Fail` (they never sleep), nor the revoking of an idle thread's lease (`lease_revocation`). A critical section that touches
//! only data under the lock is one step; the enrolment is two, as the mask moves without the lock.
//!
//! **Life** of a thread: away, checking the pool, looking for waiters, claiming, verifying, using, releasing; or enrolling,
//! re-checking, asleep. Of the pool: live, closed, its streams freed once the closer has seen the mask empty.
//!
//! **Invariants**
//! - `slot-held-once`: no slot is used by two threads.
//! - `no-lost-wake-up`: when nobody is under way, no thread sleeps while a slot is free.
//! - `no-claim-after-close`: no thread uses a slot once the streams are freed, and the mask ends empty.
//! - `late-arrivals-claim-nothing`: no thread that came to a closed pool takes a bit, not even to undo it; so the
//!   closer waits for those inside, not for those who go on arriving. Nothing else breaks without the first check.
//! - `permits-conserved`: every slot granted and not yet used or passed on is held by one waiter.
//! - `oldest-first`: waiters are granted in the order of their enrolment, and a claim that began when somebody was in the queue takes no
//!   slot past that one.
//! - `no-deadlock`: where nothing can move, every thread has gone.
//!
//! **Checked by** `tests/cases.rs`; the code by the loom cases `permits`.

use stateright::{Model, Property};

use crate::check::{Case, can_move, protocol};

mod queue;

pub use queue::Wake;

/// The bugs that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The waiter does not look at the mask again after it enrolled.
    NoRecheckUnderLock,
    /// A waiter whose deadline passed keeps the slot that it was granted meanwhile.
    PermitSwallowed,
    /// A freed slot is granted to the newest waiter.
    NewestFirst,
    /// A claim does not look whether others wait.
    NoLookForWaiters,
    /// The claim does not look at the state of the pool before it takes a bit.
    NoFirstStateCheck,
    /// The claim does not look at the state of the pool after it took the bit.
    NoSecondStateCheck,
    /// The release clears the bit a second time.
    DoubleReturn,
    /// The claim reads the mask and then writes it.
    LoadThenStore,
}

/// One configuration of the model.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Threads that come for a slot.
    pub threads: usize,
    /// Slots of the pool.
    pub slots: u8,
    /// How often each thread comes.
    pub rounds: u8,
    /// Whether a sleeper's deadline can pass.
    pub timed: bool,
    /// Whether somebody closes the pool.
    pub closes: bool,
    /// The planted bug.
    pub bug: Option<Bug>,
}

/// Where a thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// Not there; comes as often as this says.
    Away,
    /// About to look at the pool's state for the first time.
    Checking,
    /// About to look whether others wait.
    Looking,
    /// About to take a bit, or to find none free.
    Claiming,
    /// `LoadThenStore`: read this mask, about to write it.
    Storing(u8),
    /// Took this slot, about to look at the pool's state again.
    Verifying(u8),
    /// Holds the lease of this slot.
    Using(u8),
    /// About to clear the bit of this slot; the flag says that it is the second time.
    Clearing(u8, bool),
    /// Cleared the bit, about to look for waiters.
    Cleared,
    /// Saw waiters, about to grant a permit under the lock.
    Granting,
    /// Found no slot, about to take the lock.
    Enrolling,
    /// In the queue, the lock is held, about to look again.
    Rechecking,
    /// In the queue, or granted a permit, or told of the close.
    Asleep,
    /// The deadline passed, about to take the lock to leave.
    Leaving,
}

/// Where the closer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Closer {
    /// Has not begun.
    Live,
    /// Stored `Closed`, about to wake everybody under the lock.
    Waking,
    /// Waits for the mask to be empty.
    Waiting,
    /// Freed the streams.
    Freed,
}

/// A state of the pool and its threads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    mask: u8,          // bit set: the slot is claimed
    closer: Closer,    // the closer, whose first step closes the pool
    locked: bool,      // whether a thread is between its enrolment and its second look
    queue: Vec<usize>, // the queue of waiters, oldest first
    permits: i8,       // ghost: permits granted less those used, passed on or dropped
    at: Vec<At>,       // each thread's place
    late: Vec<bool>,   // ghost: whether each thread came when the pool was closed
    ahead: Vec<u8>,    // ghost: who was in the queue when each claim began, as bits
    jumped: bool,      // ghost: whether somebody was served before one that had come earlier
    rounds: Vec<u8>,   // each thread's rounds to go
    wake: Vec<Wake>,   // each thread's wake-up
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The thread goes on.
    Go(usize),
    /// The sleeper's deadline passes.
    Deadline(usize),
    /// The closer goes on.
    Close,
}

impl State {
    fn free_slot(&self, slots: u8) -> Option<u8> {
        (0..slots).find(|slot| self.mask & (1 << slot) == 0)
    }

    fn is_closed(&self) -> bool {
        self.closer != Closer::Live
    }

    /// Nobody has a step that depends neither on a user's will nor on time.
    fn is_at_rest(&self) -> bool {
        let rests = |(at, wake): (&At, &Wake)| match at {
            At::Away | At::Using(_) => true,
            At::Asleep => *wake == Wake::No,
            _ => false,
        };
        self.closer != Closer::Waking && self.at.iter().zip(&self.wake).all(rests)
    }

    fn waiters(&self) -> u8 {
        self.queue.iter().fold(0, |bits, waiter| bits | 1 << waiter)
    }

    /// Ghost: nobody can go past who is not in the queue any more.
    fn forget(&mut self, waiter: usize) {
        self.ahead.iter_mut().for_each(|ahead| *ahead &= !(1 << waiter));
    }

    fn go_away(&mut self, thread: usize) {
        self.late[thread] = false;
        self.ahead[thread] = 0;
        self.at[thread] = At::Away;
    }
}

impl Config {
    fn can_go(&self, state: &State, thread: usize) -> bool {
        match state.at[thread] {
            At::Away => state.rounds[thread] > 0,
            At::Granting | At::Enrolling | At::Leaving => !state.locked,
            At::Asleep => state.wake[thread] != Wake::No && !state.locked,
            _ => true,
        }
    }

    fn go(&self, s: &mut State, t: usize) {
        match s.at[t] {
            At::Away => {
                s.rounds[t] -= 1;
                s.late[t] = s.is_closed();
                s.at[t] = At::Checking;
            }
            At::Checking if s.is_closed() && !self.has(Bug::NoFirstStateCheck) => s.go_away(t),
            At::Checking => {
                s.ahead[t] = s.waiters();
                s.at[t] = At::Looking;
            }
            At::Looking if s.queue.is_empty() || self.has(Bug::NoLookForWaiters) => s.at[t] = At::Claiming,
            At::Looking => s.at[t] = At::Enrolling,
            At::Claiming => match s.free_slot(self.slots) {
                None => s.at[t] = At::Enrolling,
                Some(_) if self.has(Bug::LoadThenStore) => s.at[t] = At::Storing(s.mask),
                Some(slot) => {
                    s.mask |= 1 << slot;
                    s.jumped |= s.ahead[t] & s.waiters() != 0;
                    s.ahead[t] = 0;
                    s.at[t] = At::Verifying(slot);
                }
            },
            At::Storing(seen) => {
                let slot = seen.trailing_ones() as u8;
                s.mask = seen | (1 << slot);
                s.ahead[t] = 0;
                s.at[t] = At::Verifying(slot);
            }
            At::Verifying(slot) if s.is_closed() && !self.has(Bug::NoSecondStateCheck) => {
                s.at[t] = At::Clearing(slot, true);
            }
            At::Verifying(slot) => s.at[t] = At::Using(slot),
            At::Using(slot) => s.at[t] = At::Clearing(slot, false),
            At::Clearing(slot, again) => {
                s.mask &= !(1 << slot);
                let is_last = again || !self.has(Bug::DoubleReturn);
                s.at[t] = if is_last { At::Cleared } else { At::Clearing(slot, true) };
            }
            At::Cleared if s.queue.is_empty() => s.go_away(t),
            At::Cleared => s.at[t] = At::Granting,
            At::Granting => {
                self.grant(s);
                s.go_away(t);
            }
            At::Enrolling => {
                s.ahead[t] = 0;
                s.queue.push(t);
                s.locked = !self.has(Bug::NoRecheckUnderLock);
                s.at[t] = if s.locked { At::Rechecking } else { At::Asleep };
            }
            At::Rechecking => self.recheck(s, t),
            At::Asleep if s.is_closed() => self.leave(s, t),
            At::Asleep => self.take(s, t),
            At::Leaving => self.leave(s, t),
        }
    }

    /// Where the closer goes next, if it can.
    fn closing(&self, s: &State) -> Option<Closer> {
        match s.closer {
            Closer::Live if self.closes => Some(Closer::Waking),
            Closer::Waking if !s.locked => Some(Closer::Waiting),
            Closer::Waiting if s.mask == 0 => Some(Closer::Freed),
            _ => None,
        }
    }

    fn close(&self, s: &mut State) {
        s.closer = self.closing(s).unwrap_or(s.closer);
        if s.closer == Closer::Waiting {
            std::mem::take(&mut s.queue).into_iter().for_each(|waiter| {
                s.wake[waiter] = Wake::Closed;
                s.forget(waiter);
            });
        }
    }
}

impl Model for Config {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            mask: 0,
            closer: Closer::Live,
            locked: false,
            queue: Vec::new(),
            permits: 0,
            at: vec![At::Away; self.threads],
            late: vec![false; self.threads],
            ahead: vec![0; self.threads],
            jumped: false,
            rounds: vec![self.rounds; self.threads],
            wake: vec![Wake::No; self.threads],
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        for thread in 0..self.threads {
            if self.can_go(state, thread) {
                actions.push(Step::Go(thread));
            }
            if self.timed && state.at[thread] == At::Asleep {
                actions.push(Step::Deadline(thread));
            }
        }
        if self.closing(state).is_some() {
            actions.push(Step::Close);
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::Go(thread) => self.go(&mut state, thread),
            Step::Deadline(thread) => state.at[thread] = At::Leaving,
            Step::Close => self.close(&mut state),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("slot-held-once", |_, s: &State| {
                (0..s.at.len()).all(|a| !matches!(s.at[a], At::Using(_)) || !s.at[..a].contains(&s.at[a]))
            }),
            Property::always("no-lost-wake-up", |m: &Self, s: &State| {
                !(s.is_at_rest() && s.at.contains(&At::Asleep) && s.free_slot(m.slots).is_some())
            }),
            Property::always("permits-conserved", |_, s: &State| {
                s.permits == s.wake.iter().filter(|wake| matches!(wake, Wake::Permit(_))).count() as i8
            }),
            Property::always("oldest-first", |_, s: &State| !s.jumped),
            Property::always("no-deadlock", |m: &Self, s| can_move(m, s) || s.at.iter().all(|at| *at == At::Away)),
            Property::sometimes("a permit is granted", |_, s: &State| s.permits > 0),
        ];
        if self.closes {
            properties.push(Property::always("no-claim-after-close", |m: &Self, s: &State| {
                let used = s.at.iter().any(|at| matches!(at, At::Using(_)));
                !(s.closer == Closer::Freed && used) && (can_move(m, s) || s.mask == 0)
            }));
            properties.push(Property::always("late-arrivals-claim-nothing", |_, s: &State| {
                !s.at.iter().zip(&s.late).any(|(at, late)| *late && matches!(at, At::Verifying(_)))
            }));
            properties.push(Property::sometimes("a claim is undone", |_, s: &State| {
                s.is_closed() && s.at.iter().any(|at| matches!(at, At::Clearing(_, true)))
            }));
        }
        if self.timed {
            properties.push(Property::sometimes("a permit is about to be passed on", |_, s: &State| {
                let is_late = |(at, wake): (&At, &Wake)| *at == At::Leaving && matches!(wake, Wake::Permit(_));
                s.at.iter().zip(&s.wake).any(is_late) && !s.queue.is_empty()
            }));
        }
        properties
    }
}

const QUIET: Config = Config { threads: 3, slots: 2, rounds: 2, timed: false, closes: false, bug: None };
const SCARCE: Config = Config { slots: 1, rounds: 1, ..QUIET };
const TIMED: Config = Config { timed: true, ..SCARCE };
const CLOSING: Config = Config { closes: true, ..SCARCE };
const FULL: Config = Config { threads: 4, slots: 2, timed: true, ..CLOSING };

protocol!("lease_and_permits");

/// Every configuration, with what must come out.
pub const CASES: &[Case<Config>] = &[
    Case::holds("3 threads, 2 slots, 2 rounds", QUIET, 18_626),
    Case::holds("3 threads, 1 slot, 2 rounds, deadlines", Config { rounds: 2, ..TIMED }, 20_321),
    Case::holds("4 threads, 1 slot, deadlines", Config { threads: 4, ..TIMED }, 41_444),
    Case::holds("3 threads, 1 slot, close", CLOSING, 7_818),
    Case::holds("4 threads, 2 slots, deadlines, close", FULL, 210_967),
    Case::fails("no re-check under the lock", QUIET.with(Bug::NoRecheckUnderLock), "no-lost-wake-up"),
    Case::fails("no re-check under the lock, for ever", SCARCE.with(Bug::NoRecheckUnderLock), "no-deadlock"),
    Case::fails("permit swallowed, the sum is wrong", TIMED.with(Bug::PermitSwallowed), "permits-conserved"),
    Case::fails("the newest waiter is served first", SCARCE.with(Bug::NewestFirst), "oldest-first"),
    Case::fails("no look for waiters", Config { rounds: 2, ..SCARCE }.with(Bug::NoLookForWaiters), "oldest-first"),
    Case::fails("no first state check", CLOSING.with(Bug::NoFirstStateCheck), "late-arrivals-claim-nothing"),
    Case::fails("no second state check", CLOSING.with(Bug::NoSecondStateCheck), "no-claim-after-close"),
    Case::fails("lease returned twice", SCARCE.with(Bug::DoubleReturn), "slot-held-once"),
    Case::fails("load and store for the claim", SCARCE.with(Bug::LoadThenStore), "slot-held-once"),
];
