//! What the mock remembers: one record behind a word that is taken by turning round.

use std::collections::{BTreeMap, BTreeSet};

use millstream_sync::{OnceLock, OwnedCell, thread};

/// A stream.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Where it was made.
    pub(crate) context: usize,
    /// Operations enqueued and completed.
    pub(crate) enqueued: u64,
    pub(crate) completed: u64,
}

/// What an event stands for: a stream and a position.
pub(crate) type Mark = Option<(usize, u64)>;

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct State {
    next: usize,
    pub(crate) counts: BTreeMap<&'static str, u64>,
    /// Calls to come that fail: name and code.
    pub(crate) failing: BTreeMap<String, i32>,
    /// Every call gives this code, once it is set: a failed device.
    pub(crate) broken: i32,
    /// Streams complete nothing while it is set.
    pub(crate) held: bool,
    pub(crate) version: i32,
    pub(crate) devices: i32,
    pub(crate) streams: BTreeMap<usize, Stream>,
    pub(crate) events: BTreeMap<usize, Mark>,
    pub(crate) memory: BTreeMap<u64, Vec<u8>>,
    pub(crate) others: BTreeSet<usize>,
    pub(crate) contexts: i64,
    /// The context of each thread that made one current.
    pub(crate) bound: BTreeMap<String, usize>,
    /// Contexts that failed, with what their calls answer.
    pub(crate) failed: BTreeMap<usize, i32>,
    /// Where each event was made.
    pub(crate) of_events: BTreeMap<usize, usize>,
    /// What a program must not do, in words.
    pub(crate) mistakes: Vec<String>,
}

impl State {
    pub(crate) fn handle(&mut self) -> usize {
        self.next += 1;
        self.next * 16
    }

    /// The calling thread makes a context current.
    pub(crate) fn bind(&mut self, context: usize) {
        self.bound.insert(name_of_thread(), context);
    }

    /// An operation of `stream`.
    pub(crate) fn operate(&mut self, stream: usize) -> i32 {
        let (held, here) = (self.held, self.context());
        if self.streams.get(&stream).is_some_and(|stream| stream.context != here) {
            return self.mistake("an operation of a stream of another context", 400);
        }
        match self.streams.get_mut(&stream) {
            Some(stream) => {
                stream.enqueued += 1;
                if !held {
                    stream.completed = stream.enqueued;
                }
                0
            }
            None => self.mistake("an operation of a stream that does not live", 400),
        }
    }

    /// The context of the calling thread; 0 for none.
    pub(crate) fn context(&self) -> usize {
        self.bound.get(&name_of_thread()).copied().unwrap_or(0)
    }

    pub(crate) fn mistake(&mut self, what: &str, code: i32) -> i32 {
        self.mistakes.push(what.to_owned());
        code
    }

    /// Lets everything complete.
    pub(crate) fn release(&mut self) {
        self.held = false;
        self.streams.values_mut().for_each(|stream| stream.completed = stream.enqueued);
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.streams.values().any(|stream| stream.completed < stream.enqueued)
    }
}

fn name_of_thread() -> String {
    format!("{:?}", thread::current().id())
}

static STATE: OnceLock<OwnedCell<State>> = OnceLock::new();

/// Works with the record.
pub(crate) fn with<R>(work: impl FnOnce(&mut State) -> R) -> R {
    let cell = STATE.get_or_init(|| OwnedCell::new(State { version: 13_000, devices: 1, ..State::default() }));
    let mut work = Some(work);
    loop {
        let done = cell.try_with(|state| work.take().map(|work| work(state)));
        match done.flatten() {
            Some(result) => return result,
            None => thread::yield_now(),
        }
    }
}

/// One call of the driver: counted, failed if that was ordered, else done.
pub(crate) fn call(name: &'static str, work: impl FnOnce(&mut State) -> i32) -> i32 {
    with(|state| {
        *state.counts.entry(name).or_default() += 1;
        if let Some(code) = state.failing.remove(name) {
            return code;
        }
        if state.broken != 0 {
            return state.broken;
        }
        if let Some(code) = state.failed.get(&state.context()).filter(|_| !name.contains("SetCurrent")) {
            return *code;
        }
        work(state)
    })
}
