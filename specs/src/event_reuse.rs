//! Native events: recorded where somebody wants to know of a position, and recorded again when that is over.
//!
//! It exists because an event that is recorded again answers for its new mark, whoever still asks for the old one; it changes when the
//! pool's rules do, or the steps of `cover`, of `poll`, or of an event with timing. Each stream has one thread that submits to it and then
//! polls, waits for its stream on the host, or makes its stream wait for the other; an owner records an event with timing while another thread asks it. Marks are
//! positions of a stream, reached in order. It does not model what a wait does on the device (`stamps_and_reuse`), the events of refused
//! launches (they are kept to the backend's end), or faults.
//!
//! **Life** of an event: made, marked, in the queue of its stream; seen to be reached, at rest; taken again.
//!
//! **Invariants**
//! - `mark-stands`: an event in a stream's queue has the mark that the queue says.
//! - `kept-while-referred`: no mark moves while somebody but its taker refers to the event.
//! - `reuse-when-done`: an event is marked again only after its former mark was reached.
//! - `done-is-true`: no position is known to be complete that is not.
//! - `no-event-lost`: every event is at rest, in a queue, in a hand, or its owner's.
//! - `no-deadlock`: where nothing can move, everything is done and no thread is under way.
//!
//! **Checked by** `tests/cases.rs`; the code by the conformance suite and by the seeded bug `event-reuse`.

use stateright::{Model, Property};

use crate::check::{Case, can_move, protocol};

mod steps;

/// The bugs that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// An event that others refer to is taken from the rest.
    CountIgnored,
    /// An event is put to rest when it has just been recorded.
    RestedWhenRecorded,
    /// The queue is emptied without a look at what is complete.
    RestedUnreached,
    /// An event with timing is taken without a question whether its mark was reached.
    TimingUnasked,
    /// An event that was taken and not needed is dropped.
    UnusedDropped,
    /// Who asked the oldest event notes what is the newest one's position.
    NewestNoted,
    /// The event that was taken is waited for where another one stands for the mark.
    UnmarkedAwaited,
}

/// One configuration of the model.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Streams, each with a thread.
    pub streams: usize,
    /// Operations of each stream.
    pub operations: u8,
    /// How often each thread wants an event of another stream, or polls.
    pub rounds: u8,
    /// Whether the backend counts what is complete, so that the host knows of it without an event.
    pub counts: bool,
    /// How often an event with timing is recorded, on the first stream; none where this is zero.
    pub records: u8,
    /// The planted bug.
    pub bug: Option<Bug>,
}

/// A position of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark {
    stream: usize,
    seq: u8,
}

/// A native event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Native {
    timing: bool,
    mark: Option<Mark>,
}

/// Where a thread is; numbers are those of events.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum At {
    /// Outside.
    Away,
    /// Wants an event that stands for this mark, about to take one from the rest.
    Taking(Mark),
    /// Has taken one, about to look into the stream's queue.
    Covering(Mark, usize),
    /// Refers to one of the stream, about to put these to rest; then to wait for the mark, if there is one.
    Resting(usize, Vec<usize>, Option<Mark>),
    /// Refers to one, about to make its own stream wait for it.
    Ordering(usize),
    /// Refers to one of its own stream, on the host until it is reached.
    Waiting(usize, Mark),
    /// Refers to the front of a queue, about to ask it.
    Asking(usize, Mark),
    /// Was told that the front is reached, about to take it and what came before out of the queue.
    Popping(usize, Mark),
    /// The owner: has taken an event with timing from the rest, about to ask whether it was reached.
    OwnerAsks(usize),
    /// The owner: was told that it was not, about to put it back to rest and to make another.
    OwnerReturns(usize),
    /// The owner: about to record this one.
    OwnerRecords(usize),
    /// The owner: about to put the old one to rest.
    OwnerRests(usize),
    /// Who asks the owner's event: refers to it, about to ask.
    Watching(usize),
}

/// A state of the streams, the events and the threads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    tail: Vec<u8>,                   // the last position enqueued, of each stream
    reached: Vec<u8>,                // the last position that the device has completed
    done: Vec<u8>,                   // the last that the host knows of
    events: Vec<Native>,             // all that were made
    resting: Vec<usize>,             // the pool
    recorded: Vec<Vec<(u8, usize)>>, // the queue of each stream, oldest first
    cell: Option<usize>,             // the owner's event
    at: Vec<At>,                     // the threads of the streams, the owner, who asks
    to_go: Vec<u8>,                  // each thread's rounds to go
    moved: bool,                     // ghost: a mark moved while another referred to the event
    early: bool,                     // ghost: a mark moved before it was reached
    lost: bool,                      // ghost: an event was dropped
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The stream's thread enqueues an operation.
    Enqueue(usize),
    /// The device completes one.
    Complete(usize),
    /// The stream's thread wants an event that stands for the tail of this stream.
    Want(usize, usize),
    /// The stream's thread polls this stream.
    Poll(usize, usize),
    /// The owner records, or somebody asks its event.
    Begin(usize),
    /// The thread goes on.
    Go(usize),
}

impl Config {
    /// The last position of a stream that the host knows to be complete.
    fn known(&self, s: &State, stream: usize) -> u8 {
        if self.counts { s.reached[stream] } else { s.done[stream] }
    }

    fn watcher(&self) -> usize {
        self.streams + 1
    }
}

impl Model for Config {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let timed = if self.records > 0 { 2 } else { 0 };
        let rounds = |thread: usize| if thread < self.streams { self.rounds } else { self.records };
        vec![State {
            tail: vec![0; self.streams],
            reached: vec![0; self.streams],
            done: vec![0; self.streams],
            events: Vec::new(),
            resting: Vec::new(),
            recorded: vec![Vec::new(); self.streams],
            cell: None,
            at: vec![At::Away; self.streams + timed],
            to_go: (0..self.streams + timed).map(rounds).collect(),
            moved: false,
            early: false,
            lost: false,
        }]
    }

    fn actions(&self, s: &State, actions: &mut Vec<Step>) {
        for stream in 0..self.streams {
            if s.reached[stream] < s.tail[stream] {
                actions.push(Step::Complete(stream));
            }
            if s.at[stream] == At::Away && s.tail[stream] < self.operations {
                actions.push(Step::Enqueue(stream));
            }
        }
        for (thread, at) in s.at.iter().enumerate() {
            match at {
                At::Away if s.to_go[thread] == 0 => {}
                At::Away if thread >= self.streams => actions.push(Step::Begin(thread)),
                At::Away => {
                    let behind = (0..self.streams).filter(|stream| s.tail[*stream] > self.known(s, *stream));
                    actions.extend(behind.map(|stream| Step::Want(thread, stream)));
                    actions.extend((0..self.streams).map(|stream| Step::Poll(thread, stream)));
                }
                // It returns when what the event stands for is reached; with nothing to stand for it never is.
                At::Waiting(event, _) if s.events[*event].mark.is_none() || !s.is_reached(*event) => {}
                _ => actions.push(Step::Go(thread)),
            }
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut s = last.clone();
        match step {
            Step::Enqueue(stream) => s.tail[stream] += 1,
            Step::Complete(stream) => s.reached[stream] += 1,
            Step::Want(thread, stream) => {
                s.to_go[thread] -= 1;
                s.at[thread] = At::Taking(Mark { stream, seq: s.tail[stream] });
            }
            Step::Poll(thread, stream) => {
                s.to_go[thread] -= 1;
                self.begin_poll(&mut s, thread, stream);
            }
            Step::Begin(thread) => {
                s.to_go[thread] -= 1;
                self.begin_timed(&mut s, thread);
            }
            Step::Go(thread) => self.go(&mut s, thread),
        }
        Some(s)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("mark-stands", |_, s: &State| {
                let stands =
                    |stream, (seq, event): &(u8, usize)| s.events[*event].mark == Some(Mark { stream, seq: *seq });
                s.recorded.iter().enumerate().all(|(stream, queue)| queue.iter().all(|entry| stands(stream, entry)))
            }),
            Property::always("kept-while-referred", |_, s: &State| !s.moved),
            Property::always("reuse-when-done", |_, s: &State| !s.early),
            Property::always("done-is-true", |_, s: &State| s.done.iter().zip(&s.reached).all(|(d, r)| d <= r)),
            Property::always("no-event-lost", |_, s: &State| !s.lost),
            Property::always("no-deadlock", |m: &Self, s: &State| {
                can_move(m, s) || s.at.iter().all(|at| *at == At::Away) && s.tail == s.reached
            }),
            Property::sometimes("an event at rest is referred to", |_, s: &State| {
                s.resting.iter().any(|event| s.references(*event) > 1)
            }),
        ];
        if self.records == 0 && !self.counts {
            properties.push(Property::sometimes("an event is used again", |_, s: &State| s.used_again()));
        }
        if self.records > 0 {
            properties.push(Property::sometimes("an event with timing rests unreached", |_, s: &State| {
                s.resting.iter().any(|event| !s.is_reached(*event))
            }));
        }
        properties
    }
}

const QUIET: Config = Config { rounds: 2, ..LONG };
const LONG: Config = Config { streams: 2, operations: 2, rounds: 3, counts: false, records: 0, bug: None };
const COUNTED: Config = Config { counts: true, ..QUIET };
const TIMED: Config = Config { streams: 1, operations: 3, rounds: 1, counts: false, records: 3, bug: None };

protocol!("event_reuse");

/// Every configuration, with what must come out.
pub const CASES: &[Case<Config>] = &[
    Case::holds("2 streams, 2 operations, 2 rounds", QUIET, 350_150),
    Case::holds("2 streams, a backend that counts", COUNTED, 563_148),
    Case::holds("an event with timing, recorded and asked 3 times", TIMED, 80_193),
    Case::fails("who refers to it is not counted", LONG.with(Bug::CountIgnored), "kept-while-referred"),
    Case::fails("timing, who refers to it is not counted", TIMED.with(Bug::CountIgnored), "kept-while-referred"),
    Case::fails("at rest when it was recorded", LONG.with(Bug::RestedWhenRecorded), "mark-stands"),
    Case::fails("at rest before it was reached", LONG.with(Bug::RestedUnreached), "reuse-when-done"),
    Case::fails("timing, not asked", TIMED.with(Bug::TimingUnasked), "reuse-when-done"),
    Case::fails("not needed and dropped", LONG.with(Bug::UnusedDropped), "no-event-lost"),
    Case::fails("the newest is noted", LONG.with(Bug::NewestNoted), "done-is-true"),
    Case::fails("a wait for an event without a mark", LONG.with(Bug::UnmarkedAwaited), "no-deadlock"),
];
