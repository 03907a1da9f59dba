//! Sleeping until a position is reached.

use millstream_sync::atomic::{AtomicBool, Ordering};
use millstream_sync::{Arc, Doorbell, Progress, thread};

use super::watched::Watched;
use crate::checks::Case;

pub fn cases() -> Vec<Case> {
    vec![
        Case { name: "doorbell/a_ring_is_not_lost", bound: 3, pinned: 40, bugs: &[], body: ring },
        Case { name: "doorbell/work_is_visible_when_its_position_is", bound: 3, pinned: 35, bugs: &[], body: progress },
        Case {
            name: "doorbell/two_sleepers_wake_for_their_positions",
            bound: 3,
            pinned: 35_997,
            bugs: &[],
            body: two_sleepers,
        },
    ]
}

fn ring() {
    let world = Arc::new((Doorbell::new(), AtomicBool::new(false)));
    let other = Arc::clone(&world);
    let sleeper = thread::spawn(move || {
        // ORDER: Relaxed; the bell's own fences are what is tested.
        assert!(other.0.wait_until(None, || other.1.load(Ordering::Relaxed)));
    });
    world.1.store(true, Ordering::Relaxed);
    world.0.ring();
    sleeper.join().expect("the sleeper does not panic");
}

fn progress() {
    let stream = Arc::new((Progress::new(), Watched::new(0)));
    let other = Arc::clone(&stream);
    let worker = thread::spawn(move || {
        other.1.write(5);
        other.0.advance(1);
    });
    assert!(stream.0.wait(1, None));
    assert_eq!(stream.1.read(), 5);
    worker.join().expect("the worker does not panic");
}

fn two_sleepers() {
    let stream = Arc::new(Progress::new());
    let sleepers = [1, 2].map(|position| {
        let stream = Arc::clone(&stream);
        thread::spawn(move || assert!(stream.wait(position, None)))
    });
    stream.advance(1);
    stream.advance(2);
    for sleeper in sleepers {
        sleeper.join().expect("a sleeper does not panic");
    }
}
