//! The claim of stream slots by compare-and-swap, and the permits that wake those who wait for one.
//!
//! It exists because the claim and the sleep race with the release, with a waiter's deadline and with the closing of
//! the pool; it changes when that protocol does. It does not model which free slot is taken, the policies `Share` and
//! `Fail` (they never sleep), nor the revoking of an idle thread's lease. A critical section that touches only data
//! under the lock is one step; the enrolment is two, as the mask moves without the lock.
//!
//! **Life** of a thread: away, checking the pool, claiming, verifying, using, releasing; or enrolling, re-checking,
//! asleep. Of the pool: live, closed, its streams freed once the closer has seen the mask empty.
//!
//! **Invariants**
//! - `slot-held-once`: no slot is used by two threads.
//! - `no-lost-wake-up`: when nobody is under way, no thread sleeps while a slot is free.
//! - `no-claim-after-close`: no thread uses a slot once the streams are freed, and the mask ends empty.
//! - `permits-conserved`: every permit granted and not yet used, passed on or dropped is held by one waiter.
//! - `no-deadlock`: where nothing can move, every thread has gone.
//!
//! **Checked by** `tests/cases.rs`; the code by `loom_permits`.

use stateright::{Model, Property};

use crate::check::{Case, Expected, Protocol, can_move};

/// The bugs that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The waiter does not look at the mask again after it enrolled.
    NoRecheckUnderLock,
    /// The waiter looks at the mask again, but not at the state of the pool.
    NoCloseCheckUnderLock,
    /// A waiter whose deadline passed keeps the permit that it was granted meanwhile.
    PermitSwallowed,
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
    pub deadlines: bool,
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
    /// Enrolled, the lock is held, about to look again.
    Rechecking,
    /// In the queue, or granted a permit, or told of the close.
    Asleep,
    /// The deadline passed, about to take the lock to leave.
    Leaving,
}

/// What a sleeper was woken with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wake {
    /// Nothing yet.
    No,
    /// A freed slot's permit.
    Permit,
    /// The close.
    Closed,
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
    /// Bit set: the slot is claimed.
    pub mask: u8,
    /// The closer, whose first step closes the pool.
    pub closer: Closer,
    /// Whether a thread is between its enrolment and its second look.
    pub locked: bool,
    /// The queue of waiters, oldest first.
    pub queue: Vec<usize>,
    /// Ghost: permits granted less those used, passed on or dropped.
    pub permits: i8,
    /// Each thread's place.
    pub at: Vec<At>,
    /// Each thread's rounds to go.
    pub rounds: Vec<u8>,
    /// Each thread's wake-up.
    pub wake: Vec<Wake>,
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

    /// Grants a permit to the oldest waiter; without one it is dropped.
    fn grant(&mut self) {
        if !self.queue.is_empty() {
            let oldest = self.queue.remove(0);
            self.wake[oldest] = Wake::Permit;
            self.permits += 1;
        }
    }

    fn go_away(&mut self, thread: usize) {
        self.at[thread] = At::Away;
    }
}

impl Config {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn can_go(&self, state: &State, thread: usize) -> bool {
        match state.at[thread] {
            At::Away => state.rounds[thread] > 0,
            At::Granting | At::Enrolling | At::Leaving => !state.locked,
            At::Asleep => state.wake[thread] != Wake::No,
            _ => true,
        }
    }

    /// Under way: has a step that neither depends on the user's will nor on time.
    fn is_under_way(&self, state: &State, thread: usize) -> bool {
        match state.at[thread] {
            At::Away | At::Using(_) => false,
            At::Asleep => state.wake[thread] != Wake::No,
            _ => true,
        }
    }

    fn go(&self, s: &mut State, t: usize) {
        match s.at[t] {
            At::Away => {
                s.rounds[t] -= 1;
                s.at[t] = At::Checking;
            }
            At::Checking if s.is_closed() => s.go_away(t),
            At::Checking => s.at[t] = At::Claiming,
            At::Claiming => match s.free_slot(self.slots) {
                None => s.at[t] = At::Enrolling,
                Some(_) if self.has(Bug::LoadThenStore) => s.at[t] = At::Storing(s.mask),
                Some(slot) => {
                    s.mask |= 1 << slot;
                    s.at[t] = At::Verifying(slot);
                }
            },
            At::Storing(seen) => {
                let slot = seen.trailing_ones() as u8;
                s.mask = seen | (1 << slot);
                s.at[t] = At::Verifying(slot);
            }
            At::Verifying(slot) if s.is_closed() && !self.has(Bug::NoSecondStateCheck) => {
                s.at[t] = At::Clearing(slot, true);
            }
            At::Verifying(slot) => s.at[t] = At::Using(slot),
            At::Using(slot) => s.at[t] = At::Clearing(slot, false),
            At::Clearing(slot, again) => {
                s.mask &= !(1 << slot);
                let twice = self.has(Bug::DoubleReturn) && !again;
                s.at[t] = if twice { At::Clearing(slot, true) } else { At::Cleared };
            }
            At::Cleared if s.queue.is_empty() => s.go_away(t),
            At::Cleared => s.at[t] = At::Granting,
            At::Granting => {
                s.grant();
                s.go_away(t);
            }
            At::Enrolling => {
                s.queue.push(t);
                s.locked = !self.has(Bug::NoRecheckUnderLock);
                s.at[t] = if s.locked { At::Rechecking } else { At::Asleep };
            }
            At::Rechecking => self.recheck(s, t),
            At::Asleep => {
                if s.wake[t] == Wake::Permit {
                    s.permits -= 1;
                }
                s.wake[t] = Wake::No;
                s.at[t] = At::Checking;
            }
            At::Leaving => self.leave(s, t),
        }
    }

    /// The second look, with the lock held: leave the queue if there is reason to, else sleep.
    fn recheck(&self, s: &mut State, t: usize) {
        let closed = s.is_closed() && !self.has(Bug::NoCloseCheckUnderLock);
        s.locked = false;
        if closed || s.free_slot(self.slots).is_some() {
            s.queue.retain(|waiter| *waiter != t);
            s.at[t] = At::Checking;
        } else {
            s.at[t] = At::Asleep;
        }
    }

    /// A passed deadline, under the lock: a permit granted meanwhile goes to the next waiter.
    fn leave(&self, s: &mut State, t: usize) {
        s.queue.retain(|waiter| *waiter != t);
        if s.wake[t] == Wake::Permit && !self.has(Bug::PermitSwallowed) {
            s.permits -= 1;
            s.grant();
        }
        s.wake[t] = Wake::No;
        s.go_away(t);
    }

    fn close(&self, s: &mut State) {
        match s.closer {
            Closer::Live => s.closer = Closer::Waking,
            Closer::Waking => {
                for waiter in std::mem::take(&mut s.queue) {
                    s.wake[waiter] = Wake::Closed;
                }
                s.closer = Closer::Waiting;
            }
            Closer::Waiting | Closer::Freed => s.closer = Closer::Freed,
        }
    }

    fn can_close(&self, s: &State) -> bool {
        match s.closer {
            Closer::Live => self.closes,
            Closer::Waking => !s.locked,
            Closer::Waiting => s.mask == 0,
            Closer::Freed => false,
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
            rounds: vec![self.rounds; self.threads],
            wake: vec![Wake::No; self.threads],
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        for thread in 0..self.threads {
            if self.can_go(state, thread) {
                actions.push(Step::Go(thread));
            }
            if self.deadlines && state.at[thread] == At::Asleep {
                actions.push(Step::Deadline(thread));
            }
        }
        if self.can_close(state) {
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
                let used = |at: &At| matches!(at, At::Using(_));
                (0..s.at.len()).all(|a| (0..a).all(|b| !used(&s.at[a]) || s.at[a] != s.at[b]))
            }),
            Property::always("no-lost-wake-up", |m: &Self, s: &State| {
                let at_rest = (0..m.threads).all(|thread| !m.is_under_way(s, thread));
                let sleeper = s.at.contains(&At::Asleep);
                !(at_rest && sleeper && s.closer != Closer::Waking && s.free_slot(m.slots).is_some())
            }),
            Property::always("permits-conserved", |_, s: &State| {
                s.permits == s.wake.iter().filter(|wake| **wake == Wake::Permit).count() as i8
            }),
            Property::always("no-deadlock", |m: &Self, s: &State| {
                can_move(m, s) || s.at.iter().all(|at| *at == At::Away)
            }),
            Property::sometimes("a permit is granted", |_, s: &State| s.wake.contains(&Wake::Permit)),
        ];
        if self.closes {
            properties.push(Property::always("no-claim-after-close", |m: &Self, s: &State| {
                let used = s.at.iter().any(|at| matches!(at, At::Using(_)));
                !(s.closer == Closer::Freed && used) && (can_move(m, s) || s.mask == 0)
            }));
            properties.push(Property::sometimes("a claim is undone", |_, s: &State| {
                s.is_closed() && s.at.iter().any(|at| matches!(at, At::Clearing(_, true)))
            }));
        }
        if self.deadlines {
            properties.push(Property::sometimes(
                "a deadline passes with a permit granted and another asleep",
                |_, s: &State| {
                    let late = |thread: usize| s.at[thread] == At::Leaving && s.wake[thread] == Wake::Permit;
                    (0..s.at.len()).any(late) && !s.queue.is_empty()
                },
            ));
        }
        properties
    }
}

const QUIET: Config = Config { threads: 3, slots: 2, rounds: 2, deadlines: false, closes: false, bug: None };
const SCARCE: Config = Config { slots: 1, rounds: 1, ..QUIET };

const fn broken_by(bug: Bug, config: Config) -> Config {
    Config { bug: Some(bug), ..config }
}

const fn case(name: &'static str, config: Config, expected: Expected) -> Case<Config> {
    Case { name, config, expected }
}

const fn fails(name: &'static str, bug: Bug, config: Config, property: &'static str) -> Case<Config> {
    case(name, broken_by(bug, config), Expected::Fails { property })
}

impl Protocol for Config {
    const SPEC: &'static str = "lease_and_permits";
    const CASES: &'static [Case<Self>] = CASES;

    fn bug(&self) -> Option<String> {
        self.bug.map(|bug| format!("{bug:?}"))
    }
}

/// Every configuration, with what must come out.
pub const CASES: &[Case<Config>] = &[
    case("3 threads, 2 slots, 2 rounds", QUIET, Expected::Holds { states: 0 }),
    case(
        "3 threads, 1 slot, 2 rounds, deadlines",
        Config { deadlines: true, rounds: 2, ..SCARCE },
        Expected::Holds { states: 0 },
    ),
    case(
        "4 threads, 1 slot, deadlines",
        Config { threads: 4, deadlines: true, ..SCARCE },
        Expected::Holds { states: 0 },
    ),
    case("3 threads, 1 slot, close", Config { closes: true, ..SCARCE }, Expected::Holds { states: 0 }),
    case(
        "4 threads, 2 slots, deadlines, close",
        Config { threads: 4, slots: 2, deadlines: true, closes: true, ..SCARCE },
        Expected::Holds { states: 0 },
    ),
    fails("no re-check under the lock", Bug::NoRecheckUnderLock, QUIET, "no-lost-wake-up"),
    fails("no re-check under the lock, for ever", Bug::NoRecheckUnderLock, SCARCE, "no-deadlock"),
    fails(
        "close not seen under the lock",
        Bug::NoCloseCheckUnderLock,
        Config { closes: true, ..SCARCE },
        "no-deadlock",
    ),
    fails(
        "permit swallowed, a waiter sleeps on",
        Bug::PermitSwallowed,
        Config { deadlines: true, ..SCARCE },
        "no-lost-wake-up",
    ),
    fails(
        "permit swallowed, the sum is wrong",
        Bug::PermitSwallowed,
        Config { deadlines: true, ..SCARCE },
        "permits-conserved",
    ),
    fails("no second state check", Bug::NoSecondStateCheck, Config { closes: true, ..SCARCE }, "no-claim-after-close"),
    fails("lease returned twice", Bug::DoubleReturn, SCARCE, "slot-held-once"),
    fails("load and store for the claim", Bug::LoadThenStore, SCARCE, "slot-held-once"),
];
