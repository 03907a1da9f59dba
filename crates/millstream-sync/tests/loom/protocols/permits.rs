//! Waiting claims.

use millstream_sync::atomic::{AtomicBool, AtomicU32, Ordering};
use millstream_sync::lock::enter;
use millstream_sync::permits::{Denied, Permits};
use millstream_sync::seeded::Bug;
use millstream_sync::{Arc, Deadline, thread};

use crate::checks::Case;

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "permits/a_release_wakes_the_sleeper",
            bound: 3,
            pinned: 20,
            bugs: &[Bug::LostWakeup],
            body: release_wakes,
        },
        Case {
            name: "permits/one_slot_goes_round_two_waiters",
            bound: 3,
            pinned: 9_501,
            bugs: &[Bug::LostWakeup],
            body: two_waiters,
        },
        Case {
            name: "permits/a_permit_given_up_is_passed_on",
            bound: 3,
            pinned: 27_515,
            bugs: &[Bug::SwallowedPermit],
            body: passed_on,
        },
        Case {
            name: "permits/a_claim_that_does_not_wait_takes_only_what_nobody_waits_for",
            bound: 3,
            pinned: 245,
            bugs: &[],
            body: thief,
        },
        Case {
            name: "permits/the_older_waiter_is_served_first",
            bound: 3,
            pinned: 6_623,
            bugs: &[Bug::LostWakeup],
            body: oldest_first,
        },
        Case { name: "permits/closing_wakes_the_sleeper", bound: 3, pinned: 13, bugs: &[], body: close_wakes },
    ]
}

fn claim(permits: &Permits, open: impl Fn() -> bool) -> Result<usize, Denied> {
    enter(|held| permits.claim_waiting(held, Deadline::NEVER, open))
}

fn release(permits: &Permits, slot: usize) {
    enter(|held| permits.release(held, slot)).expect("the slot is claimed");
}

fn at_rest(permits: &Permits) {
    assert_eq!(permits.slots().claimed(), 0, "a slot is claimed by nobody");
    assert_eq!(permits.waiting(), 0, "a waiter is counted that is not there");
}

/// One slot, held by this thread.
fn held() -> Arc<Permits> {
    let permits = Arc::new(Permits::new(1));
    assert_eq!(permits.claim(0), Some(0));
    permits
}

fn waiter(permits: &Arc<Permits>) -> thread::JoinHandle<()> {
    let permits = Arc::clone(permits);
    thread::spawn(move || {
        let slot = claim(&permits, || true).expect("nobody closes");
        release(&permits, slot);
    })
}

fn release_wakes() {
    let permits = held();
    let thread = waiter(&permits);
    release(&permits, 0);
    thread.join().expect("the waiter does not panic");
    at_rest(&permits);
}

fn two_waiters() {
    let permits = held();
    let threads = [waiter(&permits), waiter(&permits)];
    release(&permits, 0);
    for thread in threads {
        thread.join().expect("the waiter does not panic");
    }
    at_rest(&permits);
}

fn passed_on() {
    let permits = held();
    let gone = Arc::new(AtomicBool::new(false));
    let (other, closed) = (Arc::clone(&permits), Arc::clone(&gone));
    // Gives up at some time, perhaps with a permit in its hand: loom has no clock, so `open` stands for the deadline.
    let impatient = thread::spawn(move || {
        if let Ok(slot) = claim(&other, || !closed.load(Ordering::Relaxed)) {
            release(&other, slot);
        }
    });
    let patient = waiter(&permits);
    release(&permits, 0);
    gone.store(true, Ordering::Relaxed);
    enter(|held| permits.wake_all(held));
    impatient.join().expect("the waiter does not panic");
    patient.join().expect("the waiter does not panic");
    at_rest(&permits);
}

fn thief() {
    let permits = held();
    let thread = waiter(&permits);
    release(&permits, 0);
    if let Some(slot) = permits.claim(0) {
        release(&permits, slot);
    }
    thread.join().expect("the waiter does not panic");
    at_rest(&permits);
}

fn oldest_first() {
    let permits = held();
    let served = Arc::new(AtomicU32::new(0));
    let (other, count) = (Arc::clone(&permits), Arc::clone(&served));
    let older = thread::spawn(move || {
        let slot = claim(&other, || true).expect("nobody closes");
        count.store(1, Ordering::Relaxed);
        release(&other, slot);
    });
    while permits.waiting() == 0 {
        thread::yield_now();
    }
    // From here on the older one is counted: whoever claims now comes after it.
    let other = Arc::clone(&permits);
    let younger = thread::spawn(move || {
        let slot = claim(&other, || true).expect("nobody closes");
        // The older one has been here and released what it had.
        assert_eq!(served.load(Ordering::Relaxed), 1, "the younger went first");
        release(&other, slot);
    });
    release(&permits, 0);
    younger.join().expect("the waiter does not panic");
    older.join().expect("the waiter does not panic");
    at_rest(&permits);
}

fn close_wakes() {
    let permits = held();
    let closed = Arc::new(AtomicBool::new(false));
    let (other, shut) = (Arc::clone(&permits), Arc::clone(&closed));
    let thread = thread::spawn(move || claim(&other, || !shut.load(Ordering::Relaxed)));
    closed.store(true, Ordering::Relaxed);
    enter(|held| permits.wake_all(held));
    assert_eq!(thread.join().expect("the waiter does not panic"), Err(Denied::Closed));
    assert_eq!(permits.waiting(), 0);
}
