//! Passing a gate while another thread closes it.

use millstream_sync::gate::{Gate, State};
use millstream_sync::seeded::Bug;
use millstream_sync::{Arc, Deadline, thread};

use super::watched::Watched;
use crate::checks::Case;

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "gate/nothing_is_inside_after_the_close",
            bound: 3,
            pinned: 70,
            bugs: &[Bug::FlushAfterClose],
            body: nothing_after_close,
        },
        Case {
            name: "gate/two_passes_and_a_close",
            bound: 3,
            pinned: 3_613,
            bugs: &[Bug::FlushAfterClose],
            body: two_passes,
        },
        Case { name: "gate/who_sees_a_fault_sees_its_cause", bound: 3, pinned: 6, bugs: &[], body: fault },
        Case { name: "gate/the_state_never_goes_back", bound: 3, pinned: 4, bugs: &[], body: never_back },
        Case { name: "gate/both_closers_find_it_empty", bound: 3, pinned: 142, bugs: &[], body: two_closers },
    ]
}

struct Device {
    gate: Gate,
    /// Gone after the close.
    segments: Watched,
}

impl Device {
    fn new() -> Arc<Self> {
        Arc::new(Self { gate: Gate::new(), segments: Watched::new(1) })
    }

    fn flush(&self) {
        if let Some(_inside) = self.gate.pass() {
            assert_eq!(self.segments.read(), 1, "a flush after the close");
        }
    }

    fn shut_down(&self) {
        assert_eq!(self.gate.close(Deadline::NEVER), 0, "it waited for all");
        self.segments.write(0);
    }
}

fn flusher(device: &Arc<Device>) -> thread::JoinHandle<()> {
    let device = Arc::clone(device);
    thread::spawn(move || device.flush())
}

fn nothing_after_close() {
    let device = Device::new();
    let thread = flusher(&device);
    device.shut_down();
    thread.join().expect("the flush does not panic");
    assert_eq!(device.gate.inside(), 0);
    assert!(device.gate.pass().is_none());
}

fn two_passes() {
    let device = Device::new();
    let threads = [flusher(&device), flusher(&device)];
    device.shut_down();
    for thread in threads {
        thread.join().expect("the flush does not panic");
    }
    assert_eq!(device.gate.inside(), 0);
}

fn fault() {
    let device = Device::new();
    let other = Arc::clone(&device);
    let watcher = thread::spawn(move || {
        if other.gate.state() == State::Faulted {
            assert_eq!(other.segments.read(), 7, "the cause is not there");
        }
    });
    device.segments.write(7);
    // The device was live, and what led to that is the caller's own doing.
    assert_eq!(device.gate.advance(State::Faulted), State::Live);
    watcher.join().expect("the watcher does not panic");
}

fn never_back() {
    let device = Device::new();
    let other = Arc::clone(&device);
    let faulting = thread::spawn(move || {
        if other.gate.advance(State::Faulted) == State::Draining {
            assert_eq!(other.segments.read(), 8, "what led to the state before is not there");
        }
    });
    // Written before the state, and read by who finds that state.
    device.segments.write(8);
    assert!(device.gate.advance(State::Draining) < State::Draining);
    faulting.join().expect("the fault does not panic");
    assert_eq!(device.gate.state(), State::Draining);
}

fn two_closers() {
    let device = Device::new();
    let other = Arc::clone(&device);
    let closer = thread::spawn(move || assert_eq!(other.gate.close(Deadline::NEVER), 0));
    device.flush();
    assert_eq!(device.gate.close(Deadline::NEVER), 0);
    closer.join().expect("closing does not panic");
}
