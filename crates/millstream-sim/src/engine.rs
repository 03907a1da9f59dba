//! The engine: streams as queues, and which operation runs next.
//!
//! All state of the device in one value. It moves only inside a call of its backend. How eager it is (never unasked, a little, much, all
//! it can) is drawn once from the seed, so that seeds differ in more than the order.

mod calls;
mod execute;
mod trace;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use millstream_hal::{Error, Fault, FaultScope, Launch, RawStream, Result};
use millstream_sync::Arc;
use millstream_sync::schedule::Dice;

use crate::checker::Checker;
use crate::clock::VectorClock;
use crate::finding::Finding;
use crate::marks::{MarkId, Marks};
use crate::memory::Memory;
use crate::options::SimOptions;
use trace::Trace;

/// Queued operations above which an enqueue makes room, as a full launch queue does.
const QUEUED_MAX: usize = 4_096;

/// What an operation does.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are launches, and a box for each would be the larger price")]
enum Work {
    Launch(Launch),
    Graph { launches: Arc<Vec<Launch>>, seq: u64 },
    Record { event: u32, mark: MarkId, seq: u64 },
    Wait { event: u32, mark: MarkId },
}

/// An operation in a queue.
#[derive(Debug)]
struct Operation {
    work: Work,
    /// What the host had seen complete when it enqueued this.
    host: Arc<VectorClock>,
    /// Steps that a spin still takes; `None` before its first.
    spin_left: Option<u32>,
}

/// A stream, or a place for one. A place keeps its clock when its stream ends.
#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    alive: bool,
    queue: VecDeque<Operation>,
    clock: VectorClock,
    last_seq: u64,
    /// Tick of the last launch that ran.
    last_launch: u64,
    capturing: Option<Vec<Launch>>,
    /// Whether what comes next is ordered after a failure.
    poisoned: bool,
    /// The first launch that was.
    poisoned_from: Option<u64>,
}

#[derive(Debug, Default)]
struct EventState {
    timing: bool,
    mark: Option<MarkId>,
    /// Where the waits for it stood that have run.
    waited: VectorClock,
}

/// The device.
#[derive(Debug)]
pub(crate) struct Engine {
    options: SimOptions,
    dice: Dice,
    eagerness: usize,
    memory: Memory,
    marks: Marks,
    checker: Checker,
    slots: Vec<Slot>,
    events: BTreeMap<u32, EventState>,
    events_made: u32,
    graphs: BTreeMap<u32, Arc<Vec<Launch>>>,
    graphs_made: u32,
    allocations: u64,
    given_back: u64,
    launches: u64,
    queued: usize,
    clock_ns: u64,
    fault: Option<Fault>,
    /// Place and tick of the launch that failed alone.
    failed: Option<(usize, u64)>,
    /// Launches that know of it by their vector clock: a second answer to the question that the poison answers.
    after_failure: BTreeSet<(u32, u64)>,
    trace: Trace,
}

impl Engine {
    pub(crate) fn new(options: SimOptions) -> Self {
        let mut dice = Dice::new(options.seed);
        Self {
            eagerness: dice.below(4),
            dice,
            memory: Memory::new(options.memory_bytes),
            marks: Marks::default(),
            checker: Checker::new(options.checker),
            slots: Vec::new(),
            events: BTreeMap::new(),
            events_made: 0,
            graphs: BTreeMap::new(),
            graphs_made: 0,
            allocations: 0,
            given_back: 0,
            launches: 0,
            queued: 0,
            clock_ns: 0,
            fault: None,
            failed: None,
            after_failure: BTreeSet::new(),
            trace: Trace::default(),
            options,
        }
    }

    pub(crate) fn trace_text(&self) -> String {
        self.trace.text()
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.checker.findings.clone()
    }

    pub(crate) fn find(&mut self, finding: Finding) {
        self.checker.add(finding);
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        self.fault.clone()
    }

    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// Whether nothing runs any more.
    fn is_lost(&self) -> bool {
        self.fault.as_ref().is_some_and(|fault| fault.scope == FaultScope::Device)
    }

    /// Errors: `Fault` when the device is lost.
    fn healthy(&self) -> Result<()> {
        if self.is_lost() { self.faultless() } else { Ok(()) }
    }

    /// Errors: `Fault` when anything has failed.
    fn faultless(&self) -> Result<()> {
        self.fault.as_ref().map_or(Ok(()), |fault| Err(fault.error()))
    }

    /// The first lost position of a stream.
    pub(crate) fn poisoned_from(&self, stream: RawStream) -> Option<u64> {
        self.slots.get(slot_of(stream.0)).filter(|slot| slot.generation == stream.0 >> 16)?.poisoned_from
    }

    pub(crate) fn is_after_failure(&self, stream: u32, seq: u64) -> bool {
        self.after_failure.contains(&(stream, seq))
    }

    /// Place of a live stream.
    fn slot(&mut self, stream: RawStream) -> Result<usize> {
        let (at, generation) = (slot_of(stream.0), stream.0 >> 16);
        if self.slots.get(at).is_some_and(|s| s.alive && s.generation == generation) {
            return Ok(at);
        }
        self.find(Finding::UseOfDeadStream { stream: stream.0 });
        Err(Error::Unsupported { what: "a dead stream", backend: "sim" })
    }

    /// Runs as many operations as the dice say for a call that asks nothing.
    pub(crate) fn drift(&mut self) {
        let count = match (self.eagerness, self.dice.below(8)) {
            (0, _) | (1, 0..=4) | (2, 0..=1) => 0,
            (1, _) => 1 + self.dice.below(2),
            (2, _) => 1 + self.dice.below(8),
            _ => 32,
        };
        self.advance(count);
    }

    /// Runs up to `count` operations, each a legal one chosen by the dice. Returns whether any ran.
    pub(crate) fn advance(&mut self, count: usize) -> bool {
        (0..count).take_while(|_| self.step()).count() > 0
    }

    fn make_room(&mut self) {
        while self.queued >= QUEUED_MAX && self.step() {}
    }

    fn step(&mut self) -> bool {
        if self.is_lost() || self.queued == 0 {
            return false;
        }
        let able: Vec<usize> = (0..self.slots.len()).filter(|at| self.is_able(*at)).collect();
        if able.is_empty() {
            return false;
        }
        let at = able[self.dice.below(able.len())];
        self.run_head(at);
        true
    }

    fn is_able(&self, at: usize) -> bool {
        match self.slots[at].queue.front().map(|op| &op.work) {
            None => false,
            Some(Work::Wait { mark, .. }) => self.marks.is_reached(*mark),
            Some(_) => true,
        }
    }

    fn enqueue(&mut self, at: usize, work: Work) {
        let host = Arc::clone(&self.checker.host);
        self.slots[at].queue.push_back(Operation { work, host, spin_left: None });
        self.queued += 1;
    }
}

/// Place of a stream: the number without its generation.
pub(crate) fn slot_of(stream: u32) -> usize {
    (stream & 0xffff) as usize
}
