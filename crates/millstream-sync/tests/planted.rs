//! A planted bug stays for the rest of its process, so it has a test binary of its own: what the model checkers cannot unwind.
#![cfg(all(feature = "seeded-bugs", not(any(millstream_loom, millstream_shuttle))))]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use millstream_sync::Deadline;
use millstream_sync::gate::Gate;
use millstream_sync::seeded::{Bug, plant};

/// How many a close still finds inside after a flush has unwound.
fn left_inside() -> u32 {
    let gate = Gate::new();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _inside = gate.pass().expect("the gate is open");
        resume_unwind(Box::new(()));
    }));
    assert!(unwound.is_err());
    gate.close(Deadline::after(Some(Duration::from_millis(20))))
}

#[test]
fn the_count_returns_when_a_flush_unwinds_and_the_planted_bug_is_seen() {
    assert_eq!(left_inside(), 0);
    plant(Bug::CountLeftBehind);
    assert_eq!(left_inside(), 1);
}
