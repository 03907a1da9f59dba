//! Device order between streams: who must wait before it reads, and when a block may be written again.
//!
//! It exists because the host hands blocks out long before the device has run anything; it changes when the rules for
//! waits, the use set, the limbo or the taking of another pool's block do. A host call is one step: the handle of a
//! buffer keeps it alive while a call uses it. An operation of the device takes effect when it completes. It does not
//! model threads, locks, foreign writes into a live buffer, faults, or generations of streams.
//!
//! **Life** of a block: fresh, live, in limbo until its foreign stamps are known to be complete, in its home's pool,
//! live again. The host knows of completion only by native events, recorded where somebody wants one.
//!
//! **Invariants**
//! - `no-early-read`: no operation reads a block before the write that it needs has completed.
//! - `no-early-reuse`: no block is written again while an operation on its former contents is outstanding.
//! - `limbo-empties`: where nothing can move, no block is in limbo.
//! - `no-deadlock`: where nothing can move, every operation has completed.
//!
//! **Checked by** `tests/cases.rs`; the use set by the loom cases `use_set`.

use stateright::{Model, Property};

use crate::check::{Case, can_move, protocol};

/// The bugs that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A use on another stream does not wait.
    WaitSkipped,
    /// After a wait the awaited stream is believed to be ordered after the waiting one.
    SeenBackwards,
    /// The use set keeps only the last user.
    LastUserOnly,
    /// Streams of the mask do not count at the last drop.
    MaskForgotten,
    /// A block leaves limbo whatever its stamps say.
    LimboUnchecked,
    /// Nobody records an event on an idle stream.
    IdleNotRecorded,
    /// A buffer's stamp names the operation after its write.
    StampOfNext,
    /// The stream that took a block from another's pool does not wait for that one.
    StealWithoutWait,
    /// The stream that took a block from another's pool is not in the use set.
    ThiefForgotten,
}

/// One configuration of the model.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Streams.
    pub streams: usize,
    /// Blocks of device memory.
    pub blocks: usize,
    /// How often a block is handed out and written.
    pub writes: u8,
    /// How often a buffer is read.
    pub reads: u8,
    /// Streams of which the use set keeps exact stamps; one more and it keeps a mask.
    pub exact: usize,
    /// Whether a stream may take a block from another stream's pool.
    pub steals: bool,
    /// The planted bug.
    pub bug: Option<Bug>,
}

/// A position in a stream.
pub type Stamp = (usize, u8);

/// An operation of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Writes this version into the block.
    Write(usize, u8),
    /// Needs this version of the block.
    Read(usize, u8),
    /// Completes when the position is complete.
    Wait(Stamp),
    /// Tells the host that everything up to here is complete.
    Record,
}

/// A stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stream {
    queue: Vec<Op>, // outstanding operations, oldest first
    done: u8,       // how many are complete
    known: u8,      // how many the host knows to be complete
    wanted: u8,     // the position for which somebody wants an event; 0 is none
    seen: Vec<u8>,  // the newest position of each other stream that this one is ordered after
}

/// Where a block is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// Never handed out.
    Fresh,
    /// A buffer: the stamp of its write, exact stamps of its users, a mask of further users.
    Live(Stamp, Vec<Stamp>, u8),
    /// Freed, these stamps were incomplete.
    Limbo(Vec<Stamp>),
    /// In its home's pool.
    Pool,
}

/// A block of device memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Block {
    place: Place, // where it is
    home: usize,  // the stream whose pool it belongs to, once it was handed out
    version: u8,  // the version last handed out
    memory: u8,   // the version in the memory
}

/// A state of host and device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    streams: Vec<Stream>, // the streams
    blocks: Vec<Block>,   // the blocks
    writes: u8,           // writes to go
    reads: u8,            // reads to go
    read_early: bool,     // a read completed before its write
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The host takes the block for the stream and writes it there.
    Write(usize, usize),
    /// The host reads the block's buffer on the stream.
    Read(usize, usize),
    /// The last handle of the block's buffer drops.
    Drop(usize),
    /// The host moves the block from limbo to its pool.
    Collect(usize),
    /// The slow path or a trim records the wanted event of the stream.
    RecordIdle(usize),
    /// The device completes the oldest operation of the stream.
    Complete(usize),
}

impl Stream {
    fn tail(&self) -> u8 {
        self.done + self.queue.len() as u8
    }

    /// Submits an operation, and an event behind it if one is wanted; answers the operation's position.
    fn submit(&mut self, op: Op) -> u8 {
        self.queue.push(op);
        let position = self.tail();
        if self.wanted > 0 {
            self.record();
        }
        position
    }

    fn record(&mut self) {
        self.wanted = 0;
        self.queue.push(Op::Record);
    }
}

impl State {
    fn is_known(&self, stamps: &[Stamp]) -> bool {
        stamps.iter().all(|(stream, position)| self.streams[*stream].known >= *position)
    }
}

impl Config {
    /// Orders the stream after the stamp, with a wait on the device unless it is ordered already.
    fn order_after(&self, s: &mut State, stream: usize, (other, position): Stamp) {
        if stream == other || s.streams[stream].seen[other] >= position {
            return;
        }
        s.streams[stream].submit(Op::Wait((other, position)));
        s.streams[stream].seen[other] = position;
        if self.has(Bug::SeenBackwards) {
            s.streams[other].seen[stream] = s.streams[stream].tail();
        }
    }

    fn may_write(&self, s: &State, block: usize, stream: usize) -> bool {
        let block = &s.blocks[block];
        let mine = block.home == stream || self.steals;
        s.writes > 0 && (block.place == Place::Fresh || (block.place == Place::Pool && mine))
    }

    fn write(&self, s: &mut State, block: usize, stream: usize) {
        s.writes -= 1;
        if s.blocks[block].place == Place::Fresh {
            s.blocks[block].home = stream;
        }
        let home = s.blocks[block].home;
        if home != stream && !self.has(Bug::StealWithoutWait) {
            let tail = s.streams[home].tail();
            self.order_after(s, stream, (home, tail));
        }
        s.blocks[block].version += 1;
        let op = Op::Write(block, s.blocks[block].version);
        let position = s.streams[stream].submit(op) + u8::from(self.has(Bug::StampOfNext));
        let stolen = home != stream && !self.has(Bug::ThiefForgotten);
        let users = if stolen { vec![(stream, position)] } else { Vec::new() };
        s.blocks[block].place = Place::Live((stream, position), users, 0);
    }

    fn read(&self, s: &mut State, block: usize, stream: usize) {
        let Place::Live(write, ..) = s.blocks[block].place else { return };
        s.reads -= 1;
        if !self.has(Bug::WaitSkipped) {
            self.order_after(s, stream, write);
        }
        let op = Op::Read(block, s.blocks[block].version);
        let position = s.streams[stream].submit(op);
        let home = s.blocks[block].home;
        let forgets = stream == write.0 && self.has(Bug::ThiefForgotten);
        if let (false, Place::Live(_, exact, mask)) = (stream == home || forgets, &mut s.blocks[block].place) {
            self.remember(exact, mask, (stream, position));
        }
    }

    /// The use set: the newest stamp of each of a few streams; one stream more turns all of them into bits.
    fn remember(&self, exact: &mut Vec<Stamp>, mask: &mut u8, stamp: Stamp) {
        if self.has(Bug::LastUserOnly) {
            exact.clear();
        }
        match exact.iter().position(|(stream, _)| *stream == stamp.0) {
            Some(place) => exact[place] = stamp,
            None if *mask == 0 && exact.len() < self.exact => exact.push(stamp),
            None => *mask = exact.drain(..).fold(*mask | 1 << stamp.0, |mask, (stream, _)| mask | 1 << stream),
        }
    }

    /// The last drop: a stream of the mask stands for its tail; incomplete stamps make events wanted.
    fn drop_buffer(&self, s: &mut State, block: usize) {
        let Place::Live(_, exact, mask) = s.blocks[block].place.clone() else { return };
        let mask = if self.has(Bug::MaskForgotten) { 0 } else { mask };
        let masked = (0..self.streams).filter(|stream| mask & (1 << stream) != 0);
        let mut stamps: Vec<Stamp> = exact.into_iter().chain(masked.map(|u| (u, s.streams[u].tail()))).collect();
        stamps.sort_unstable();
        stamps.retain(|stamp| !s.is_known(&[*stamp]));
        for (stream, position) in &stamps {
            let stream = &mut s.streams[*stream];
            stream.wanted = stream.wanted.max(*position);
        }
        s.blocks[block].place = if stamps.is_empty() { Place::Pool } else { Place::Limbo(stamps) };
    }

    fn complete(&self, s: &mut State, stream: usize) {
        let op = s.streams[stream].queue.remove(0);
        s.streams[stream].done += 1;
        match op {
            Op::Write(block, version) => s.blocks[block].memory = version,
            Op::Read(block, version) => s.read_early |= s.blocks[block].memory < version,
            Op::Wait(_) => {}
            Op::Record => s.streams[stream].known = s.streams[stream].done,
        }
    }

    fn can_complete(&self, s: &State, stream: usize) -> bool {
        match s.streams[stream].queue.first() {
            None => false,
            Some(Op::Wait((other, position))) => s.streams[*other].done >= *position,
            Some(_) => true,
        }
    }
}

impl Model for Config {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let stream = Stream { queue: Vec::new(), done: 0, known: 0, wanted: 0, seen: vec![0; self.streams] };
        let block = Block { place: Place::Fresh, home: 0, version: 0, memory: 0 };
        vec![State {
            streams: vec![stream; self.streams],
            blocks: vec![block; self.blocks],
            writes: self.writes,
            reads: self.reads,
            read_early: false,
        }]
    }

    fn actions(&self, s: &State, actions: &mut Vec<Step>) {
        let streams = || 0..self.streams;
        for block in 0..self.blocks {
            actions.extend(streams().filter(|u| self.may_write(s, block, *u)).map(|u| Step::Write(block, u)));
            match &s.blocks[block].place {
                Place::Live(..) => {
                    actions.extend(streams().filter(|_| s.reads > 0).map(|u| Step::Read(block, u)));
                    actions.push(Step::Drop(block));
                }
                Place::Limbo(stamps) if s.is_known(stamps) || self.has(Bug::LimboUnchecked) => {
                    actions.push(Step::Collect(block));
                }
                Place::Limbo(_) | Place::Fresh | Place::Pool => {}
            }
        }
        for stream in streams() {
            if s.streams[stream].wanted > 0 && !self.has(Bug::IdleNotRecorded) {
                actions.push(Step::RecordIdle(stream));
            }
            if self.can_complete(s, stream) {
                actions.push(Step::Complete(stream));
            }
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut s = last.clone();
        match step {
            Step::Write(block, stream) => self.write(&mut s, block, stream),
            Step::Read(block, stream) => self.read(&mut s, block, stream),
            Step::Drop(block) => self.drop_buffer(&mut s, block),
            Step::Collect(block) => s.blocks[block].place = Place::Pool,
            Step::RecordIdle(stream) => s.streams[stream].record(),
            Step::Complete(stream) => self.complete(&mut s, stream),
        }
        Some(s)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("no-early-read", |_, s: &State| !s.read_early),
            Property::always("no-early-reuse", |_, s: &State| {
                s.streams.iter().flat_map(|stream| &stream.queue).all(|op| match op {
                    Op::Write(block, version) | Op::Read(block, version) => s.blocks[*block].memory <= *version,
                    Op::Wait(_) | Op::Record => true,
                })
            }),
            Property::always("limbo-empties", |m: &Self, s: &State| {
                can_move(m, s) || !s.blocks.iter().any(|block| matches!(block.place, Place::Limbo(_)))
            }),
            Property::always("no-deadlock", |m: &Self, s: &State| {
                can_move(m, s) || s.streams.iter().all(|stream| stream.queue.is_empty())
            }),
        ];
        if self.streams > 2 {
            properties.push(Property::sometimes("a block waits in limbo for two streams", |_, s: &State| {
                s.blocks.iter().any(|block| matches!(&block.place, Place::Limbo(stamps) if stamps.len() > 1))
            }));
        }
        if self.exact + 1 < self.streams {
            properties.push(Property::sometimes("a use goes to the mask", |_, s: &State| {
                s.blocks.iter().any(|block| matches!(block.place, Place::Live(_, _, mask) if mask != 0))
            }));
        }
        properties
    }
}

const PAIR: Config = Config { streams: 3, blocks: 1, writes: 2, reads: 2, exact: 2, steals: false, bug: None };
const FOUR: Config = Config { streams: 4, reads: 3, ..PAIR };
const MASKED: Config = Config { blocks: 2, exact: 1, ..PAIR };
const CROSSED: Config = Config { streams: 2, blocks: 2, reads: 3, ..PAIR };
const FULL: Config = Config { steals: true, ..MASKED };
const STEALING: Config = Config { writes: 3, steals: true, ..PAIR };

protocol!("stamps_and_reuse");

/// Every configuration, with what must come out.
pub const CASES: &[Case<Config>] = &[
    Case::holds("3 streams, 1 block, exact stamps", PAIR, 1_801),
    Case::holds("3 streams, 2 blocks, exact stamps", Config { exact: 2, ..MASKED }, 44_152),
    Case::holds("3 streams, 2 blocks, mask", MASKED, 43_618),
    Case::holds("4 streams, 1 block, exact stamps and mask", FOUR, 26_605),
    Case::holds("2 streams, 2 blocks, both ways", CROSSED, 36_903),
    Case::holds("3 streams, 1 block, taken from another pool", STEALING, 27_013),
    Case::holds("3 streams, 2 blocks, mask, taken from another pool", FULL, 51_748),
    Case::fails("wait skipped", PAIR.with(Bug::WaitSkipped), "no-early-read"),
    Case::fails("order remembered backwards", CROSSED.with(Bug::SeenBackwards), "no-early-read"),
    Case::fails("second user lost", PAIR.with(Bug::LastUserOnly), "no-early-reuse"),
    Case::fails("mask forgotten", MASKED.with(Bug::MaskForgotten), "no-early-reuse"),
    Case::fails("limbo without a stamp check", PAIR.with(Bug::LimboUnchecked), "no-early-reuse"),
    Case::fails("idle stream never records", PAIR.with(Bug::IdleNotRecorded), "limbo-empties"),
    Case::fails("stamp of an operation never submitted", PAIR.with(Bug::StampOfNext), "no-deadlock"),
    Case::fails("block taken without a wait", STEALING.with(Bug::StealWithoutWait), "no-early-reuse"),
    Case::fails("taker of a block forgotten", STEALING.with(Bug::ThiefForgotten), "no-early-reuse"),
];
