//! The exit hook: the last thing that the process does for its devices, while their threads may still be at work.
//!
//! It exists because the backend's library takes itself down in an exit handler of its own, after ours; it changes when what the hook waits for
//! does, or the looks at the gate that come before a call of the backend. One device; its threads share a stream. A call of the backend is
//! made under the submission lock or inside the gate, in an operation. It does not model waiters for a stream (`lease_and_permits`), several
//! devices, a fork (`fork`), or questions to the backend how far it has come: those have no look at the gate, and a thread that
//! is held between its look at the device and the mark on its lease while the whole hook goes by may ask a library that is gone.
//!
//! **Life** of a thread: outside, checked, inside an operation; under the lock or counted by the gate; at the backend; leaving. Of the
//! hook: not begun, the gate shut, the lock tried, the count awaited, the leases looked at, ended; then the library is down.
//!
//! **Invariants**
//! - `inside-is-told`: when the library is down, no more threads are in a call of it than the hook has reported.
//! - `nothing-new`: no call of the backend begins once the hook has ended.
//! - `told-when-late`: the hook reports threads inside only when its time is over.
//! - `no-deadlock`: where nothing can move, the library is down, and only a thread that hangs is inside.
//!
//! **Checked by** `tests/cases.rs`; the code by the probes `exit-from-main` and `exit-by-call` of the shutdown attempt.

use stateright::{Model, Property};

use crate::check::{Case, can_move, protocol};

/// The bugs that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The hook leaves the gate open.
    GateOpen,
    /// The hook looks who is inside, and shuts the gate then.
    LookedFirst,
    /// Who submits does not look at the gate under the lock.
    NoLookUnderLock,
    /// Who passes the gate does not look again when it is counted.
    NoSecondLook,
    /// The hook reports who is inside without a wait.
    NotAwaited,
    /// The hook waits for the lock for as long as it takes.
    WaitsForLock,
}

/// One configuration of the model.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Threads of the device.
    pub threads: usize,
    /// Operations of each.
    pub operations: u8,
    /// Whether a call of the backend may never return.
    pub hangs: bool,
    /// The planted bug.
    pub bug: Option<Bug>,
}

/// Where a thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// Between operations.
    Outside,
    /// Found the device live, about to mark its lease.
    Checked,
    /// Inside: its lease is marked.
    Inside,
    /// About to take the submission lock.
    Locking,
    /// Has the lock, about to look at the gate.
    Locked,
    /// About to look at the gate for the first time.
    Passing,
    /// About to raise the gate's count.
    Counting,
    /// Counted, about to look again.
    Counted,
    /// In a call of the backend, under the lock, or else counted.
    Calling {
        /// Which of the two.
        locked: bool,
    },
    /// In such a call, for ever.
    Hanging {
        /// As before.
        locked: bool,
    },
    /// About to count down.
    Leaving,
    /// About to take the mark off its lease.
    Ending,
}

/// Where the hook is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// Not begun; its first step shuts the gate.
    No,
    /// About to take the submission lock once.
    Lock,
    /// About to see the count at zero.
    Count,
    /// About to see no lease marked.
    Leases,
    /// Ended.
    Ended,
    /// The backend's library is down.
    Down,
}

/// A state of the device, its threads and the hook.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    closed: bool,
    count: u8,
    lock: Option<usize>,
    at: Vec<At>,
    to_go: Vec<u8>,
    hook: Hook,
    over: bool, // the hook's time
    told: u8,   // threads that it reported
    new: bool,  // ghost: a call began when the hook had ended
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The thread goes on; from inside an operation to a submission.
    Go(usize),
    /// From inside an operation through the gate.
    Pass(usize),
    /// The call never returns.
    Hang(usize),
    /// The hook goes on.
    Exit,
    /// The hook's time is over.
    Over,
}

impl State {
    fn marked(&self) -> u8 {
        self.at.iter().filter(|at| !matches!(at, At::Outside | At::Checked)).count() as u8
    }

    fn call(&mut self, locked: bool) -> At {
        self.new |= self.hook >= Hook::Ended;
        At::Calling { locked }
    }
}

impl Config {
    fn can_exit(&self, s: &State) -> bool {
        match s.hook {
            Hook::Lock => s.lock.is_none() || (s.over && !self.has(Bug::WaitsForLock)),
            Hook::Count => s.count == 0 || s.over || self.has(Bug::NotAwaited),
            Hook::Leases => s.marked() == 0 || s.over || self.has(Bug::NotAwaited),
            Hook::No | Hook::Ended => true,
            Hook::Down => false,
        }
    }

    fn exit(&self, s: &mut State) {
        s.hook = match s.hook {
            Hook::No => {
                s.closed = !self.has(Bug::GateOpen) && !self.has(Bug::LookedFirst);
                Hook::Lock
            }
            Hook::Lock => Hook::Count,
            Hook::Count => Hook::Leases,
            Hook::Leases => {
                s.told = s.marked();
                Hook::Ended
            }
            Hook::Ended | Hook::Down => Hook::Down,
        };
        s.closed |= s.hook == Hook::Down && self.has(Bug::LookedFirst);
    }

    fn go(&self, s: &mut State, t: usize) {
        s.at[t] = match s.at[t] {
            At::Outside => {
                s.to_go[t] -= 1;
                if s.closed { At::Outside } else { At::Checked }
            }
            At::Checked => At::Inside,
            At::Inside => At::Locking,
            At::Locking => {
                s.lock = Some(t);
                At::Locked
            }
            At::Locked if s.closed && !self.has(Bug::NoLookUnderLock) => {
                s.lock = None;
                At::Ending
            }
            At::Locked => s.call(true),
            At::Passing if s.closed => At::Ending,
            At::Passing => At::Counting,
            At::Counting => {
                s.count += 1;
                At::Counted
            }
            At::Counted if s.closed && !self.has(Bug::NoSecondLook) => At::Leaving,
            At::Counted => s.call(false),
            At::Calling { locked: true } => {
                s.lock = None;
                At::Ending
            }
            At::Calling { locked: false } => At::Leaving,
            At::Leaving => {
                s.count -= 1;
                At::Ending
            }
            At::Ending => At::Outside,
            At::Hanging { locked } => At::Hanging { locked },
        };
    }
}

impl Model for Config {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            closed: false,
            count: 0,
            lock: None,
            at: vec![At::Outside; self.threads],
            to_go: vec![self.operations; self.threads],
            hook: Hook::No,
            over: false,
            told: 0,
            new: false,
        }]
    }

    fn actions(&self, s: &State, actions: &mut Vec<Step>) {
        for (t, at) in s.at.iter().enumerate() {
            match at {
                At::Outside if s.to_go[t] == 0 => {}
                At::Locking if s.lock.is_some() => {}
                At::Hanging { .. } => {}
                At::Inside => actions.extend([Step::Go(t), Step::Pass(t)]),
                At::Calling { .. } if self.hangs => actions.extend([Step::Go(t), Step::Hang(t)]),
                _ => actions.push(Step::Go(t)),
            }
        }
        if self.can_exit(s) {
            actions.push(Step::Exit);
        }
        if (Hook::Lock..=Hook::Leases).contains(&s.hook) && !s.over {
            actions.push(Step::Over);
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut s = last.clone();
        match step {
            Step::Go(thread) => self.go(&mut s, thread),
            Step::Pass(thread) => s.at[thread] = At::Passing,
            Step::Hang(thread) => {
                if let At::Calling { locked } = s.at[thread] {
                    s.at[thread] = At::Hanging { locked };
                }
            }
            Step::Exit => self.exit(&mut s),
            Step::Over => s.over = true,
        }
        Some(s)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("inside-is-told", |_, s: &State| {
                let calls = s.at.iter().filter(|at| matches!(at, At::Calling { .. } | At::Hanging { .. })).count();
                s.hook != Hook::Down || calls <= usize::from(s.told)
            }),
            Property::always("nothing-new", |_, s: &State| !s.new),
            Property::always("told-when-late", |_, s: &State| s.told == 0 || s.over),
            Property::always("no-deadlock", |m: &Self, s: &State| {
                let waits = |at: &At| matches!(at, At::Outside | At::Hanging { .. } | At::Locking);
                can_move(m, s) || s.hook == Hook::Down && s.at.iter().all(waits)
            }),
            Property::sometimes("a count is undone at the second look", |_, s: &State| {
                s.closed && s.at.contains(&At::Counted)
            }),
            Property::sometimes("the library goes down under a call", |_, s: &State| {
                s.hook == Hook::Down && s.told > 0
            }),
        ]
    }
}

const PLAIN: Config = Config { threads: 2, operations: 2, hangs: false, bug: None };
const HANGING: Config = Config { hangs: true, ..PLAIN };
const MANY: Config = Config { threads: 3, operations: 1, ..HANGING };

protocol!("exit_hook");

/// Every configuration, with what must come out.
pub const CASES: &[Case<Config>] = &[
    Case::holds("2 threads, 2 operations", PLAIN, 6_835),
    Case::holds("3 threads, a call that hangs", MANY, 32_952),
    Case::fails("the gate stays open", PLAIN.with(Bug::GateOpen), "nothing-new"),
    Case::fails("looked before the gate is shut", PLAIN.with(Bug::LookedFirst), "inside-is-told"),
    Case::fails("no look under the lock", PLAIN.with(Bug::NoLookUnderLock), "nothing-new"),
    Case::fails("no second look", PLAIN.with(Bug::NoSecondLook), "nothing-new"),
    Case::fails("reported without a wait", PLAIN.with(Bug::NotAwaited), "told-when-late"),
    Case::fails("waits for a lock, for ever", HANGING.with(Bug::WaitsForLock), "no-deadlock"),
];
