//! Growth: a segment from the device, one thread at a time, within the budget.
//!
//! It exists because the device is asked with no lock held, while others want a segment too and a trim gives segments back; it changes when
//! the steps of a growth, of a trim or of the heap do. Bytes are counted in blocks: a small segment is one, a large one two. Finding a
//! block is one step for the own pool with the segments at rest, and one for the pools of others. It does not model limbo, caches and
//! inboxes (`inbox_thread_exit`, `stamps_and_reuse`), the pools that are searched before a growth, the host's wait for the oldest
//! position, or the searches that are made again because blocks were on their way.
//!
//! **Life** of a request: away, searching, asking for the turn; with the turn: at the device, asking it again for less, rounding,
//! adopting or giving back, ending the turn; or asleep until the turn of another has ended; then holding a block, or refused.
//!
//! **Invariants**
//! - `one-growth`: at most one thread is between taking the turn and having its segment in a pool or given back.
//! - `within-budget`: what the device has given never exceeds the budget, but by what it gave one growth beyond the request, which that growth
//!   reserves or gives back at once.
//! - `reserved-is-taken`: when nobody is under way, the bytes reserved are those that the device has given.
//! - `no-lost-wake-up`: nobody sleeps through the end of the turn.
//! - `no-deadlock`: where nothing can move, every thread has gone and the trim has ended.
//!
//! **Checked by** `tests/cases.rs`; the code by the scheduled runs of `crates/millstream/tests/it/scheduled.rs`.

use stateright::{Model, Property};

use crate::check::{Case, can_move, protocol};

mod turn;

/// The bugs that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A thread asks the device without a look whose turn it is.
    NoTurn,
    /// The turn ends before the segment is in a pool.
    EndedFirst,
    /// What the device gave beyond the request is not reserved.
    RoundingUnchecked,
    /// A trim gives bytes back to the budget before the device has them.
    UnreservedFirst,
    /// After the device refused a large segment its bytes stay reserved with those of the small one.
    RetryKeepsBoth,
    /// Bytes of a segment that was not had stay reserved.
    FailureKeepsBytes,
    /// The end of a turn wakes nobody.
    NoWakeUp,
    /// The end of a turn wakes one sleeper.
    WakesOne,
    /// An error of the device leaves the turn taken.
    TurnKeptOnError,
}

/// One configuration of the model.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Threads that want a block; each has a stream of its own.
    pub threads: usize,
    /// How often each wants one.
    pub rounds: u8,
    /// Blocks that the budget has room for.
    pub budget: u8,
    /// Blocks that the device has room for.
    pub device: u8,
    /// Whether the device may give one more than asked for.
    pub rounds_up: bool,
    /// Whether the device may fail, and a pool may refuse a segment.
    pub fails: bool,
    /// How often somebody trims.
    pub trims: u8,
    /// The planted bug.
    pub bug: Option<Bug>,
}

/// Blocks of a large segment.
const LARGE: u8 = 2;
/// Blocks of a small one, and of a request.
const SMALL: u8 = 1;

/// A segment that the device gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Segment {
    blocks: u8,
    free: u8,
    home: Option<usize>, // the pool that has it; none: at rest
}

/// What a growth came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Came {
    /// A segment is in the pool.
    Grown,
    /// There was no room.
    NoRoom,
    /// The device failed.
    Failed,
}

/// Where a thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// Wants nothing.
    Away,
    /// About to look into its own pool and the segments at rest.
    Searching,
    /// Found none, about to ask for the turn under the heap's lock.
    Asking,
    /// Found the turn taken; asleep, or woken.
    Asleep {
        /// Whether the end of a turn woke it.
        woken: bool,
    },
    /// Has the turn and so many blocks reserved, about to ask the device for them.
    AtDevice(u8),
    /// Was refused a large segment, about to ask for a small one.
    AskingAgain,
    /// Was given so many blocks, or none, where a large segment is reserved; about to give the difference to a small one back.
    Lessening(u8),
    /// The device gave so many blocks where so many are reserved; about to reserve the rest.
    Rounding(u8, u8),
    /// About to put a segment of so many blocks, all reserved, into its pool.
    Adopting(u8),
    /// About to give so many blocks back, of which so many are reserved.
    GivingBack(u8, u8),
    /// `EndedFirst`: the turn has ended; about to put the segment into its pool.
    LateAdopting(u8),
    /// About to end its turn and give so many blocks back to the budget.
    Ending(Came, u8),
    /// No room: about to look into the pools of others.
    Stealing,
    /// Has a block of this segment.
    Holding(usize),
}

/// Where a trim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trim {
    /// Not at it.
    Away,
    /// Has put the free segments to rest, about to take all that rest.
    Resting,
    /// Has taken so many blocks, about to give them to the device.
    Releasing(u8),
    /// The device has them, about to give them back to the budget.
    Unreserving(u8),
    /// `UnreservedFirst`: the budget has them, about to give them to the device.
    LateReleasing(u8),
}

/// A state of the heap, the pools, the device and the threads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    reserved: u8,                   // what the heap counts against the budget
    given: u8,                      // what the device has given
    growing: bool,                  // whether the turn is taken
    segments: Vec<Option<Segment>>, // those in pools and at rest, in places that stay
    at: Vec<At>,                    // each thread's place
    to_go: Vec<u8>,                 // each thread's requests to go
    trim: Trim,                     // the trim's place
    trims: u8,                      // trims to go
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The thread goes on.
    Go(usize),
    /// The device gives so many more than it was asked for.
    Gives(usize, u8),
    /// The device fails, by an error or a panic: the code ends its turn by a guard, in the same way.
    Fails(usize),
    /// The pool takes no segment: it is closed, or has no numbers for more blocks.
    Refuses(usize),
    /// The trim goes on.
    Trim,
}

impl State {
    /// A free block of a segment that fits.
    fn take(&mut self, fits: impl Fn(&Segment) -> bool) -> Option<usize> {
        let at = self.segments.iter().position(|place| place.is_some_and(|s| s.free > 0 && fits(&s)))?;
        self.segments[at].as_mut()?.free -= 1;
        Some(at)
    }

    /// What was given beyond a request and is not reserved yet, or is on its way back.
    fn beyond(&self) -> u8 {
        let beyond = |at: &At| match at {
            At::Rounding(given, reserved) | At::GivingBack(given, reserved) => given - reserved,
            At::Lessening(given) => given.saturating_sub(SMALL),
            _ => 0,
        };
        self.at.iter().map(beyond).sum()
    }

    /// Somebody has bytes that are reserved and not given, or given and not reserved.
    fn is_under_way(&self) -> bool {
        let rests = |at: &At| {
            matches!(at, At::Away | At::Searching | At::Asking | At::Asleep { .. } | At::Stealing | At::Holding(_))
        };
        !self.at.iter().all(rests) || !matches!(self.trim, Trim::Away | Trim::Resting)
    }
}

impl Config {
    fn can_go(&self, s: &State, t: usize) -> bool {
        match s.at[t] {
            At::Away => s.to_go[t] > 0,
            At::Asleep { woken } => woken,
            // What the device answers has steps of its own.
            At::AtDevice(blocks) => s.given + blocks > self.device,
            At::AskingAgain => s.given + SMALL > self.device,
            _ => true,
        }
    }

    fn trim(&self, s: &mut State) {
        s.trim = match s.trim {
            Trim::Away => {
                s.trims -= 1;
                let free = s.segments.iter_mut().flatten().filter(|segment| segment.free == segment.blocks);
                free.for_each(|segment| segment.home = None);
                Trim::Resting
            }
            Trim::Resting => {
                let mut blocks = 0;
                for place in &mut s.segments {
                    if let Some(segment) = place.take_if(|segment| segment.home.is_none()) {
                        blocks += segment.blocks;
                    }
                }
                if blocks == 0 { Trim::Away } else { Trim::Releasing(blocks) }
            }
            Trim::Releasing(blocks) if self.has(Bug::UnreservedFirst) => {
                s.reserved -= blocks;
                Trim::LateReleasing(blocks)
            }
            Trim::Releasing(blocks) => {
                s.given -= blocks;
                Trim::Unreserving(blocks)
            }
            Trim::Unreserving(blocks) => {
                s.reserved -= blocks;
                Trim::Away
            }
            Trim::LateReleasing(blocks) => {
                s.given -= blocks;
                Trim::Away
            }
        };
    }
}

impl Model for Config {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            reserved: 0,
            given: 0,
            growing: false,
            segments: vec![None; usize::from(self.device)],
            at: vec![At::Away; self.threads],
            to_go: vec![self.rounds; self.threads],
            trim: Trim::Away,
            trims: self.trims,
        }]
    }

    fn actions(&self, s: &State, actions: &mut Vec<Step>) {
        for t in 0..self.threads {
            if self.can_go(s, t) {
                actions.push(Step::Go(t));
            }
            let asked = match s.at[t] {
                At::AtDevice(blocks) => blocks,
                At::AskingAgain => SMALL,
                At::Adopting(_) | At::LateAdopting(_) if self.fails => {
                    actions.push(Step::Refuses(t));
                    continue;
                }
                _ => continue,
            };
            let extras = (0..=u8::from(self.rounds_up)).filter(|extra| s.given + asked + extra <= self.device);
            actions.extend(extras.map(|extra| Step::Gives(t, extra)));
            if self.fails {
                actions.push(Step::Fails(t));
            }
        }
        if s.trim != Trim::Away || s.trims > 0 {
            actions.push(Step::Trim);
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::Go(thread) => self.go(&mut state, thread),
            Step::Gives(thread, extra) => self.given(&mut state, thread, extra),
            Step::Fails(thread) => self.failed(&mut state, thread),
            Step::Refuses(thread) => self.refused(&mut state, thread),
            Step::Trim => self.trim(&mut state),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("one-growth", |_, s: &State| {
                let grows = |at: &&At| {
                    !matches!(
                        at,
                        At::Away | At::Searching | At::Asking | At::Asleep { .. } | At::Stealing | At::Holding(_)
                    )
                };
                s.at.iter().filter(grows).count() <= 1
            }),
            Property::always("within-budget", |m: &Self, s: &State| s.given - s.beyond() <= m.budget),
            Property::always("reserved-is-taken", |_, s: &State| s.is_under_way() || s.reserved == s.given),
            Property::always("no-lost-wake-up", |_, s: &State| {
                s.growing || !s.at.contains(&At::Asleep { woken: false })
            }),
            Property::always("no-deadlock", |m: &Self, s: &State| {
                can_move(m, s) || s.at.iter().all(|at| *at == At::Away)
            }),
            Property::sometimes("two sleep", |_, s: &State| {
                s.at.iter().filter(|at| matches!(at, At::Asleep { .. })).count() == 2
            }),
            Property::sometimes("a growth finds no room", |_, s: &State| s.at.contains(&At::Stealing)),
        ];
        if self.rounds_up {
            properties.push(Property::sometimes("what was given does not fit", |_, s: &State| {
                s.at.iter().any(|at| matches!(at, At::GivingBack(given, reserved) if given > reserved))
            }));
        }
        if self.device < self.budget {
            properties.push(Property::sometimes("the device has room for less", |_, s: &State| {
                s.at.contains(&At::Lessening(SMALL))
            }));
        }
        properties
    }
}

const PLAIN: Config = Config { rounds_up: false, fails: false, trims: 0, ..FULL };
const TRIMMED: Config = Config { trims: 2, ..PLAIN };
const ROUNDED: Config = Config { rounds_up: true, ..PLAIN };
const SCARCE: Config = Config { budget: 4, device: 3, ..PLAIN };
const FAILING: Config = Config { fails: true, ..PLAIN };
const FULL: Config =
    Config { threads: 3, rounds: 2, budget: 3, device: 4, rounds_up: true, fails: true, trims: 1, bug: None };

protocol!("single_flight_growth");

/// Every configuration, with what must come out.
pub const CASES: &[Case<Config>] = &[
    Case::holds("3 threads, 2 requests, room for 3", PLAIN, 3_819),
    Case::holds("3 threads, 2 requests, 2 trims", TRIMMED, 411_317),
    Case::holds("3 threads, 2 requests, a device that has less than the budget", SCARCE, 5_043),
    Case::holds("3 threads, 2 requests, rounding, failures, a trim", FULL, 308_650),
    Case::fails("no turn", PLAIN.with(Bug::NoTurn), "one-growth"),
    Case::fails("the turn ends before the segment is home", PLAIN.with(Bug::EndedFirst), "one-growth"),
    Case::fails("what the device gave is not counted", ROUNDED.with(Bug::RoundingUnchecked), "within-budget"),
    Case::fails("given back to the budget first", TRIMMED.with(Bug::UnreservedFirst), "within-budget"),
    Case::fails("both sizes stay reserved", SCARCE.with(Bug::RetryKeepsBoth), "reserved-is-taken"),
    Case::fails("a failure keeps its bytes", FAILING.with(Bug::FailureKeepsBytes), "reserved-is-taken"),
    Case::fails("nobody is woken", PLAIN.with(Bug::NoWakeUp), "no-lost-wake-up"),
    Case::fails("one is woken", PLAIN.with(Bug::WakesOne), "no-lost-wake-up"),
    Case::fails("an error keeps the turn, for ever", FAILING.with(Bug::TurnKeptOnError), "no-deadlock"),
];
