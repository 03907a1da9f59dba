//! Claims and releases of slots.

use millstream_sync::{Arc, SlotSet, thread};

use super::watched::Watched;
use crate::checks::Case;

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "slot_set/one_holder_who_sees_what_the_last_one_did",
            bound: 3,
            pinned: 2_182,
            bugs: &[],
            body: one_holder,
        },
        Case { name: "slot_set/two_slots_for_two_threads", bound: 3, pinned: 36, bugs: &[], body: two_slots },
        Case { name: "slot_set/one_of_two_releases_is_reported", bound: 3, pinned: 4, bugs: &[], body: double_release },
    ]
}

struct Pool {
    slots: SlotSet,
    /// What the holder of a slot may touch.
    used: [Watched; 2],
}

impl Pool {
    fn new(len: usize) -> Self {
        Self { slots: SlotSet::new(len), used: [Watched::new(0), Watched::new(0)] }
    }

    fn use_one(&self) -> bool {
        let Some(slot) = self.slots.claim_from(0) else { return false };
        self.used[slot].count();
        assert_eq!(self.slots.release(slot), Ok(()));
        true
    }
}

fn one_holder() {
    let pool = Arc::new(Pool::new(1));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.use_one())
        })
        .collect();
    pool.use_one();
    for thread in threads {
        thread.join().expect("the claim does not panic");
    }
    assert_eq!(pool.slots.claimed(), 0);
}

fn two_slots() {
    let pool = Arc::new(Pool::new(2));
    let other = Arc::clone(&pool);
    let thread = thread::spawn(move || other.use_one());
    assert!(pool.use_one(), "there is a slot for each");
    assert!(thread.join().expect("the claim does not panic"), "there is a slot for each");
}

fn double_release() {
    let slots = Arc::new(SlotSet::new(1));
    assert!(slots.claim_slot(0));
    let other = Arc::clone(&slots);
    let thread = thread::spawn(move || other.release(0).is_ok());
    let here = slots.release(0).is_ok();
    assert_ne!(here, thread.join().expect("the release does not panic"), "one release is right, the other reported");
    assert_eq!(slots.claimed(), 0);
}
