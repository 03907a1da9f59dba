//! Fork: a child has the memory of its parent, with the locks as they were, and none of its other threads.
//!
//! It exists because a child that takes a lock of a thread that is not there hangs, and one that ends what it shares with its parent
//! harms it; it changes when the count of forks, what a device remembers of it, or what a drop does in a child changes. A process forks by
//! its main thread, which may have opened a device, while another of its threads works on the first process's device; a child may fork
//! again. A call is a look at the count, then a lock, then the backend. It does not model the C library (its handlers run in the child before
//! `fork` returns), a fork while another thread is opening the process's first device, or calls without a lock.
//!
//! **Life** of a process: made by the start or by a fork, its main thread between calls, in a call, ended.
//!
//! **Invariants**
//! - `child-takes-no-lock`: no thread waits for or takes a lock of a device that another process opened.
//! - `child-leaves-the-backend`: no thread calls the backend of a device that another process opened.
//! - `deleted-once`: the deleter of imported memory is called by the process that imported it, and by no other.
//! - `own-device-works`: a device is not refused in the process that opened it, whoever was forked off.
//! - `no-deadlock`: where nothing can move, every main thread has ended.
//!
//! **Checked by** `tests/cases.rs`; the code by the probes of the fork attempt and `crates/millstream/tests/it/forks.rs`; a fork during the first opening by
//! `crates/millstream/tests/fork_first.rs`.

use stateright::{Model, Property};

use crate::check::{Case, can_move, protocol};

/// The bugs that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A call takes the lock and looks at the count then.
    LookUnderLock,
    /// The drop of an event has no look at the count.
    EventDropped,
    /// The end of a scope with another stream has no look at the count.
    ScopeLeft,
    /// The last handle ends the backend, in whatever process.
    BackendEnded,
    /// The deleter of imported memory is called, in whatever process.
    DeleterCalled,
    /// The handler runs in the parent too.
    CountedInParent,
    /// A device remembers no count: a process that was forked off is taken for a child of every device's.
    NothingRemembered,
    /// The handler sets a mark where it should count.
    MarkedOnce,
}

/// One configuration of the model.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Forks in a row: children, grandchildren.
    pub forks: usize,
    /// How often the worker of the first process takes its device's lock.
    pub work: u8,
    /// How much of [`OBJECTS`] a process has of a device that it opened, from the end.
    pub objects: usize,
    /// The planted bug.
    pub bug: Option<Bug>,
}

/// What a process can have of a device.
pub const OBJECTS: [Object; 5] = [Object::Buffer, Object::Event, Object::Scope, Object::Import, Object::Handle];

/// What can be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Object {
    /// A buffer; its block goes to a cache or an inbox.
    Buffer,
    /// An event with a native one, which goes to rest.
    Event,
    /// A scope with another stream, which flushes the cache.
    Scope,
    /// Imported memory.
    Import,
    /// The last handle.
    Handle,
}

/// Who holds a device's lock in the memory of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lock {
    /// Nobody.
    Free,
    /// The main thread.
    Main,
    /// The worker, or in a child what was the worker.
    Worker,
}

/// Where a main thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// Between calls.
    Outside,
    /// About to look at the count, in a call or in the drop of an object.
    Looking(usize, Option<Object>),
    /// About to take the lock.
    Locking(usize, Option<Object>),
    /// Has the lock, about to call the backend.
    Calling(usize, Option<Object>),
    /// Was refused where it must not be.
    Refused,
    /// Gone.
    Ended,
}

/// A device in the memory of a process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Device {
    opened_by: usize, // ghost
    count: u8,        // what it remembers
    lock: Lock,
    objects: Vec<Object>, // not yet dropped
    calls: u8,            // calls to go
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Process {
    count: u8,            // forks that led here, as the handler knows
    devices: Vec<Device>, // those opened before it was made, and its own
    opened: bool,         // whether it has opened its own
    forked: bool,         // whether it has forked
    at: At,
}

/// All processes, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    processes: Vec<Process>,
    work: u8,      // the worker's rounds to go
    backend: bool, // ghost: a backend was called from another process than its own
    deleted: bool, // ghost: so was a deleter
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The process opens a device.
    Open(usize),
    /// Calls a device.
    Call(usize, usize),
    /// Drops what it has of one.
    Drop(usize, usize, Object),
    /// Forks.
    Fork(usize),
    /// Its main thread goes on in a call.
    Go(usize),
    /// Its main thread ends, with nothing left to do.
    End(usize),
    /// The first process's worker takes its device's lock, or gives it back.
    Work,
}

impl Config {
    /// Whether a drop of this looks at the count first.
    fn looks(&self, object: Option<Object>) -> bool {
        !match object {
            Some(Object::Event) => self.has(Bug::EventDropped),
            Some(Object::Scope) => self.has(Bug::ScopeLeft),
            Some(Object::Import) => self.has(Bug::DeleterCalled),
            Some(Object::Handle) => self.has(Bug::BackendEnded),
            Some(Object::Buffer) | None => false,
        }
    }

    fn is_own(&self, process: &Process, device: &Device) -> bool {
        match () {
            () if self.has(Bug::NothingRemembered) => process.count == 0,
            () => process.count == device.count,
        }
    }

    fn counted(&self, count: u8) -> u8 {
        if self.has(Bug::MarkedOnce) { 1 } else { count + 1 }
    }

    fn fork(&self, s: &mut State, p: usize) {
        s.processes[p].forked = true;
        let mut child = s.processes[p].clone();
        child.count = self.counted(child.count);
        (child.opened, child.forked) = (false, false);
        child.devices.iter_mut().for_each(|device| device.calls = 1);
        if self.has(Bug::CountedInParent) {
            s.processes[p].count = self.counted(s.processes[p].count);
        }
        s.processes.push(child);
    }

    fn go(&self, s: &mut State, p: usize) {
        let process = &mut s.processes[p];
        process.at = match process.at {
            At::Looking(d, object) if self.is_own(process, &process.devices[d]) || !self.looks(object) => {
                At::Locking(d, object)
            }
            At::Looking(d, _) if process.devices[d].opened_by == p => At::Refused,
            At::Looking(..) => At::Outside,
            At::Locking(d, object) => {
                process.devices[d].lock = Lock::Main;
                At::Calling(d, object)
            }
            At::Calling(d, object) => {
                let foreign = process.devices[d].opened_by != p;
                let refused = self.has(Bug::LookUnderLock) && !self.is_own(process, &process.devices[d]);
                let by_backend = matches!(object, Some(Object::Handle) | None);
                s.backend |= foreign && !refused && by_backend;
                s.deleted |= foreign && !refused && object == Some(Object::Import);
                process.devices[d].lock = Lock::Free;
                At::Outside
            }
            other => other,
        };
    }
}

impl Model for Config {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let first = Process { count: 0, devices: Vec::new(), opened: false, forked: false, at: At::Outside };
        vec![State { processes: vec![first], work: 2 * self.work, backend: false, deleted: false }]
    }

    fn actions(&self, s: &State, actions: &mut Vec<Step>) {
        for (p, process) in s.processes.iter().enumerate() {
            match process.at {
                At::Outside => {
                    let before = actions.len();
                    if !process.opened {
                        actions.push(Step::Open(p));
                    }
                    for (d, device) in process.devices.iter().enumerate() {
                        if device.calls > 0 && device.objects.contains(&Object::Handle) {
                            actions.push(Step::Call(p, d));
                        }
                        actions.extend(device.objects.last().map(|object| Step::Drop(p, d, *object)));
                    }
                    if !process.forked && s.processes.len() <= self.forks {
                        actions.push(Step::Fork(p));
                    }
                    if actions.len() == before {
                        actions.push(Step::End(p));
                    }
                }
                At::Locking(d, _) if process.devices[d].lock != Lock::Free => {}
                At::Refused | At::Ended => {}
                At::Looking(..) | At::Locking(..) | At::Calling(..) => actions.push(Step::Go(p)),
            }
        }
        let worked_on = s.processes[0].devices.first();
        if worked_on.is_some_and(|device| s.work > 0 && device.lock != Lock::Main) {
            actions.push(Step::Work);
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut s = last.clone();
        match step {
            Step::Open(p) => {
                let process = &mut s.processes[p];
                process.opened = true;
                let (count, objects) = (process.count, OBJECTS[OBJECTS.len() - self.objects..].to_vec());
                process.devices.push(Device { opened_by: p, count, lock: Lock::Free, objects, calls: 1 });
            }
            Step::Call(p, d) => {
                s.processes[p].devices[d].calls -= 1;
                let first = if self.has(Bug::LookUnderLock) { At::Locking(d, None) } else { At::Looking(d, None) };
                s.processes[p].at = first;
            }
            Step::Drop(p, d, object) => {
                s.processes[p].devices[d].objects.pop();
                s.processes[p].at = At::Looking(d, Some(object));
            }
            Step::Fork(p) => self.fork(&mut s, p),
            Step::Go(p) => self.go(&mut s, p),
            Step::End(p) => s.processes[p].at = At::Ended,
            Step::Work => {
                s.work -= 1;
                let lock = &mut s.processes[0].devices[0].lock;
                *lock = if *lock == Lock::Free { Lock::Worker } else { Lock::Free };
            }
        }
        Some(s)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("child-takes-no-lock", |_, s: &State| {
                let locks = |(p, process): (usize, &Process)| match process.at {
                    At::Locking(d, _) | At::Calling(d, _) => process.devices[d].opened_by != p,
                    _ => false,
                };
                !s.processes.iter().enumerate().any(locks)
            }),
            Property::always("child-leaves-the-backend", |_, s: &State| !s.backend),
            Property::always("deleted-once", |_, s: &State| !s.deleted),
            Property::always("own-device-works", |_, s: &State| !s.processes.iter().any(|p| p.at == At::Refused)),
            Property::always("no-deadlock", |m: &Self, s: &State| {
                can_move(m, s) || s.processes.iter().all(|process| process.at == At::Ended)
            }),
            Property::sometimes("a child calls a device of its own", |_, s: &State| {
                s.processes.iter().enumerate().skip(1).any(|(p, process)| match process.at {
                    At::Calling(d, _) => process.devices[d].opened_by == p,
                    _ => false,
                })
            }),
        ];
        if self.work > 0 {
            properties.push(Property::sometimes("a child has a lock of a thread that is not there", |_, s: &State| {
                s.processes.iter().skip(1).any(|process| process.devices.iter().any(|d| d.lock == Lock::Worker))
            }));
        }
        properties
    }
}

const ONCE: Config = Config { forks: 1, work: 1, objects: 5, bug: None };
const TWICE: Config = Config { forks: 2, work: 0, objects: 1, bug: None };

protocol!("fork");

/// Every configuration, with what must come out.
pub const CASES: &[Case<Config>] = &[
    Case::holds("one fork", ONCE, 140_612),
    Case::holds("two forks in a row", TWICE, 466_814),
    Case::fails("the count is looked at under the lock", ONCE.with(Bug::LookUnderLock), "child-takes-no-lock"),
    Case::fails("the count is looked at under the lock, for ever", ONCE.with(Bug::LookUnderLock), "no-deadlock"),
    Case::fails("an event's drop does not look", ONCE.with(Bug::EventDropped), "child-takes-no-lock"),
    Case::fails("an event's drop does not look, for ever", ONCE.with(Bug::EventDropped), "no-deadlock"),
    Case::fails("the end of a scope does not look", ONCE.with(Bug::ScopeLeft), "child-takes-no-lock"),
    Case::fails("the last handle ends the backend", ONCE.with(Bug::BackendEnded), "child-leaves-the-backend"),
    Case::fails("the deleter is called", ONCE.with(Bug::DeleterCalled), "deleted-once"),
    Case::fails("counted in the parent too", ONCE.with(Bug::CountedInParent), "own-device-works"),
    Case::fails("a device remembers nothing", ONCE.with(Bug::NothingRemembered), "own-device-works"),
    Case::fails("marked once", TWICE.with(Bug::MarkedOnce), "child-leaves-the-backend"),
];
