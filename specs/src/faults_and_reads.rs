//! What a failing operation takes with it: the first lost position of each stream, carried on by waits, and what the host is told of it.
//!
//! It exists because the failure races with launches that find their input complete, with waits that are enqueued at that moment, and with
//! reads; it changes when the rules for who is lost do. A launch is enqueued in the steps of `stream/order.rs`, a failure is published in those of the
//! backend, an answer is found in those of `fault.rs`. It does not model memory, events of their own (`stamps_and_reuse`), the loss of the whole device, or
//! generations of streams.
//!
//! **Life** of an operation: enqueued, then run, failed or skipped; its position is reached in each case. Of the host: idle, waiting, checking, pushing,
//! refused for ever. Of a question: awaiting the position, asking for a fault, judging by the poison.
//!
//! What is ordered after what is a vector clock that each operation has from the moment it is enqueued; the poison knows nothing of it.
//!
//! **Invariants**
//! - `no-lost-value-read`: no read succeeds of a value that is wrong, or ordered after a failure.
//! - `what-stands-is-read`: no read is refused of a value that is not ordered after a failure.
//! - `events-tell-apart`: an event says failed of a position that is ordered after a failure, and done only of another.
//! - `first-lost-is-exact`: of the reached positions of a stream exactly the lost ones are poisoned, of the others none that is not lost.
//! - `no-deadlock`: where nothing can move, every position is reached and every read is answered.
//!
//! **Checked by** `tests/cases.rs`; the code by the loom cases `timeline` and by `tests/it/faults.rs` of `millstream`.

use stateright::{Model, Property};

use crate::check::{Case, can_move, protocol};

mod device;
mod host;

pub use host::{Host, Question, Why};

/// The bugs that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A wait does not carry the poison.
    WaitWithoutPoison,
    /// A wait carries the poison of the stream that it waits for, whatever the position.
    WaitForTheWorst,
    /// A wait poisons the operation before it.
    MarkedBehind,
    /// A stream that is poisoned already is poisoned again, at a later position.
    MovedOn,
    /// A failure publishes the position before the poison.
    PositionFirst,
    /// A failure publishes the fault after poison and position.
    FaultLast,
    /// What is lost is not only skipped: its position is never reached.
    LostNeverReached,
    /// Launches are taken after a failure.
    NotRefused,
    /// A read succeeds after the failure whatever the poison says.
    SuccessAfterFault,
    /// A read asks about the poison and then waits for the position.
    AskedFirst,
    /// After a failure every read is refused.
    AllRefused,
    /// An event says done as soon as its position is reached.
    EventByPosition,
}

/// One configuration of the model.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Streams.
    pub streams: usize,
    /// Operations that the host launches.
    pub launches: u8,
    /// How many of them may fail at most.
    pub failures: usize,
    /// Reads and queries of events.
    pub questions: u8,
    /// The planted bug.
    pub bug: Option<Bug>,
}

/// A position in a stream; the first operation has position 1.
pub type Stamp = (usize, u8);

/// What a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Item {
    /// The operation of this position.
    Launch(u8),
    /// Later items start when the position is reached.
    Wait(Stamp),
}

/// What an operation has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Value {
    /// Nothing yet.
    Nothing,
    /// What it should.
    Right,
    /// It failed, was skipped, or read something that was not right.
    Wrong,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Operation {
    input: Option<Stamp>, // the value of another stream that it reads
    clock: Vec<u8>,       // ghost: of each stream the newest position that it is ordered after, itself among them
    value: Value,         // ghost: what it has written
}

/// A stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stream {
    queue: Vec<Item>,           // items to run, oldest first
    failing: usize,             // how many steps of its failure the first item has made
    position: u8,               // the newest position that is reached
    poisoned: Option<u8>,       // the first lost position
    seen: Vec<u8>,              // the newest position of each other stream that it is known to be ordered after
    clock: Vec<u8>,             // ghost: the clock of what is enqueued next
    operations: Vec<Operation>, // all that were enqueued
}

/// A state of host and device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    streams: Vec<Stream>, // the streams
    fault: bool,          // whether the device has a fault
    failed: Vec<Stamp>,   // ghost: the operations that failed
    host: Host,           // the thread that launches
    launches: u8,         // launches to go
    question: Question,   // the thread that asks
    questions: u8,        // questions to go
    lost_read: bool,      // ghost: a read of a lost value succeeded
    kept_back: bool,      // ghost: a read of a value that stands was refused
    event_lied: bool,     // ghost: an event said the wrong thing
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The host begins a launch on the stream, with an input for which there is an event at this position.
    Launch(usize, Option<(Stamp, u8)>),
    /// The host goes on.
    Go,
    /// A read of the value begins.
    Read(Stamp),
    /// A query of an event at the position begins.
    Query(Stamp),
    /// The question goes on.
    Ask,
    /// The stream runs its first item, or goes on with its failure.
    Run(usize),
    /// The stream's first item, a launch, begins to fail.
    Fail(usize),
}

impl Stream {
    fn tail(&self) -> u8 {
        self.operations.len() as u8
    }

    fn is_poisoned(&self, position: u8) -> bool {
        self.poisoned.is_some_and(|from| from <= position)
    }

    fn join(&mut self, clock: &[u8]) {
        self.clock.iter_mut().zip(clock).for_each(|(mine, other)| *mine = (*mine).max(*other));
    }
}

impl State {
    fn is_reached(&self, (stream, position): Stamp) -> bool {
        self.streams[stream].position >= position
    }

    fn operation(&self, (stream, position): Stamp) -> &Operation {
        &self.streams[stream].operations[usize::from(position) - 1]
    }

    fn is_lost(&self, stamp: Stamp) -> bool {
        self.failed.iter().any(|(stream, position)| self.operation(stamp).clock[*stream] >= *position)
    }

    fn stamps(&self) -> impl Iterator<Item = Stamp> {
        self.streams.iter().enumerate().flat_map(|(u, stream)| (1..=stream.tail()).map(move |at| (u, at)))
    }
}

impl Model for Config {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let none = vec![0; self.streams];
        let stream = Stream {
            queue: Vec::new(),
            failing: 0,
            position: 0,
            poisoned: None,
            seen: none.clone(),
            clock: none,
            operations: Vec::new(),
        };
        vec![State {
            streams: vec![stream; self.streams],
            fault: false,
            failed: Vec::new(),
            host: Host::Idle,
            launches: self.launches,
            question: Question::None,
            questions: self.questions,
            lost_read: false,
            kept_back: false,
            event_lied: false,
        }]
    }

    fn actions(&self, s: &State, actions: &mut Vec<Step>) {
        for stream in 0..self.streams {
            if s.host == Host::Idle && s.launches > 0 {
                actions.push(Step::Launch(stream, None));
                for stamp in s.stamps().filter(|stamp| stamp.0 != stream) {
                    let events = stamp.1..=s.streams[stamp.0].tail();
                    actions.extend(events.map(|at| Step::Launch(stream, Some((stamp, at)))));
                }
            }
            if self.can_run(s, stream) {
                actions.push(Step::Run(stream));
            }
            if let Some(Item::Launch(position)) = s.streams[stream].queue.first()
                && !s.streams[stream].is_poisoned(*position)
                && s.streams[stream].failing == 0
                && s.failed.len() < self.failures
            {
                actions.push(Step::Fail(stream));
            }
        }
        if !matches!(s.host, Host::Idle | Host::Refused) {
            actions.push(Step::Go);
        }
        if s.question == Question::None && s.questions > 0 {
            actions.extend(s.stamps().flat_map(|stamp| [Step::Read(stamp), Step::Query(stamp)]));
        }
        if self.can_ask(s) {
            actions.push(Step::Ask);
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut s = last.clone();
        match step {
            Step::Launch(stream, input) => self.launch(&mut s, stream, input),
            Step::Go => self.host_goes(&mut s),
            Step::Read(stamp) => {
                s.questions -= 1;
                let first = self.has(Bug::AskedFirst);
                s.question = if first { Question::Asking(stamp, Why::Read) } else { Question::Awaiting(stamp) };
            }
            Step::Query(stamp) => {
                s.questions -= 1;
                s.question = Question::Asking(stamp, Why::Early);
            }
            Step::Ask => self.ask(&mut s),
            Step::Run(stream) => self.run(&mut s, stream),
            Step::Fail(stream) => {
                let Some(Item::Launch(position)) = s.streams[stream].queue.first().copied() else { return None };
                self.fail(&mut s, stream, position);
            }
        }
        Some(s)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("no-lost-value-read", |_, s: &State| !s.lost_read),
            Property::always("what-stands-is-read", |_, s: &State| !s.kept_back),
            Property::always("events-tell-apart", |_, s: &State| !s.event_lied),
            Property::always("first-lost-is-exact", |_, s: &State| {
                s.stamps().all(|stamp| match s.streams[stamp.0].is_poisoned(stamp.1) {
                    true => s.is_lost(stamp),
                    false => !(s.is_reached(stamp) && s.is_lost(stamp)),
                })
            }),
            Property::always("no-deadlock", |m: &Self, s: &State| {
                let over = s.streams.iter().all(|stream| stream.queue.is_empty()) && s.question == Question::None;
                can_move(m, s) || over
            }),
            Property::sometimes("a launch is refused", |_, s: &State| s.host == Host::Refused),
            Property::sometimes(
                "a value is judged that stands",
                |_, s: &State| matches!(s.question, Question::Judging(stamp, Why::Read) if s.is_reached(stamp) && !s.is_lost(stamp)),
            ),
            Property::sometimes(
                "a wait for what is lost is enqueued after the failure",
                |_, s: &State| matches!(s.host, Host::Waiting(_, (stream, _), at) if s.is_reached((stream, at)) && s.fault),
            ),
        ];
        if self.streams > 2 {
            properties.push(Property::sometimes("the poison reaches a third stream", |_, s: &State| {
                s.failed.len() == 1 && s.streams.iter().all(|stream| stream.is_poisoned(stream.tail()))
            }));
        }
        if self.failures > 1 {
            properties.push(Property::sometimes("two operations fail", |_, s: &State| s.failed.len() > 1));
        }
        properties
    }
}

const PAIR: Config = Config { streams: 2, launches: 3, failures: 1, questions: 1, bug: None };
const LONG: Config = Config { launches: 4, ..PAIR };
const CHAIN: Config = Config { streams: 3, ..PAIR };
const TWICE: Config = Config { failures: 2, ..PAIR };

protocol!("faults_and_reads");

/// Every configuration, with what must come out.
pub const CASES: &[Case<Config>] = &[
    Case::holds("2 streams, 3 launches", PAIR, 20_813),
    Case::holds("2 streams, 4 launches", LONG, 240_437),
    Case::holds("3 streams, 3 launches", CHAIN, 89_303),
    Case::holds("2 streams, 3 launches, 2 failures", TWICE, 27_605),
    Case::fails("a wait without the poison", PAIR.with(Bug::WaitWithoutPoison), "no-lost-value-read"),
    Case::fails("a wait that looks at the whole stream", PAIR.with(Bug::WaitForTheWorst), "what-stands-is-read"),
    Case::fails("a wait poisons what is before it", PAIR.with(Bug::MarkedBehind), "what-stands-is-read"),
    Case::fails("the first lost position moves on", LONG.with(Bug::MovedOn), "first-lost-is-exact"),
    Case::fails("the position before the poison", PAIR.with(Bug::PositionFirst), "no-lost-value-read"),
    Case::fails("the fault after the position", PAIR.with(Bug::FaultLast), "no-lost-value-read"),
    Case::fails("lost positions are not reached", PAIR.with(Bug::LostNeverReached), "no-deadlock"),
    Case::fails("launches after the failure", PAIR.with(Bug::NotRefused), "no-lost-value-read"),
    Case::fails("success after the fault", PAIR.with(Bug::SuccessAfterFault), "no-lost-value-read"),
    Case::fails("the poison is asked first", PAIR.with(Bug::AskedFirst), "no-lost-value-read"),
    Case::fails("every read is refused", PAIR.with(Bug::AllRefused), "what-stands-is-read"),
    Case::fails("an event by its position", PAIR.with(Bug::EventByPosition), "events-tell-apart"),
];
