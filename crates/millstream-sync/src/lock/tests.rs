//! The tokens at run time, and what the recorder sees. One test at a time takes locks: the recorder's table is the
//! process's.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::levels::{BlockPool, DeviceState, Limbo, SegmentHeap, StreamSlots, StreamSubmit};
use super::record::{self, Boundary, Nesting};
use super::{Lock, OtherLock, Signal, enter, try_enter};

static ALONE: Mutex<()> = Mutex::new(());

struct Recording(#[expect(dead_code, reason = "held, never read")] MutexGuard<'static, ()>);

impl Recording {
    fn start() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        record::clear();
        assert_eq!((record::lost(), record::reentered()), (0, 0));
        record::switch(true);
        Self(alone)
    }

    /// What was recorded from this file.
    fn rows(&self) -> Vec<Nesting> {
        let mut rows = record::rows();
        rows.retain(|row| row.at.file().ends_with("lock/tests.rs"));
        rows
    }

    fn row(&self, held: Option<&str>, taken: &str) -> Option<Nesting> {
        self.rows().into_iter().find(|row| row.held.map(|(name, _)| name) == held && row.taken == taken)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        record::switch(false);
    }
}

#[test]
fn a_second_root_panics_and_trying_for_one_says_no() {
    enter(|_held| {
        assert!(try_enter(|_| ()).is_none());
        assert!(catch_unwind(AssertUnwindSafe(|| enter(|_| ()))).is_err());
        assert!(try_enter(|_| ()).is_none(), "the refused root has given the first one away");
    });
    assert!(try_enter(|_| ()).is_some(), "the root is free again");
    let unwound = catch_unwind(|| enter(|_| std::panic::resume_unwind(Box::new(()))));
    assert!(unwound.is_err());
    assert!(try_enter(|_| ()).is_some(), "unwinding gave the root back");
}

#[test]
fn another_thread_has_a_root_of_its_own() {
    enter(|_held| {
        let other = std::thread::spawn(|| try_enter(|_| ()).is_some());
        assert!(other.join().unwrap());
    });
}

#[test]
fn nestings_are_counted_with_both_places() {
    let recording = Recording::start();
    let (pool, heap) = (Lock::<BlockPool, _>::new(1), Lock::<SegmentHeap, _>::new(2));
    let outer_line = line!() + 3;
    for _ in 0..3 {
        enter(|held| {
            let mut outer = held.lock(&pool);
            let (value, held) = outer.split();
            *value += *held.lock(&heap);
        });
    }
    let row = recording.row(Some("BlockPool"), "SegmentHeap").expect("the nesting is recorded");
    let (_, outer) = row.held.expect("something was held");
    assert_eq!((row.count, row.allowed), (3, true));
    assert_eq!((outer.line(), row.at.line()), (outer_line, outer_line + 2));
    assert!(outer.file().ends_with("lock/tests.rs"));
    let first = recording.row(None, "BlockPool").expect("taking a lock alone is recorded");
    assert_eq!((first.count, first.allowed), (3, true));
    enter(|held| assert_eq!(*held.lock(&pool), 7));
}

#[test]
fn nothing_is_recorded_while_the_recorder_is_off() {
    let recording = Recording::start();
    record::switch(false);
    let limbo = Lock::<Limbo, _>::new(());
    enter(|held| drop(held.lock(&limbo)));
    assert_eq!(recording.rows(), []);
}

#[test]
fn a_lock_held_from_before_the_recorder_was_on_leaves_no_stale_entry() {
    let recording = Recording::start();
    record::switch(false);
    let limbo = Lock::<Limbo, _>::new(());
    enter(|held| {
        let guard = held.lock(&limbo);
        record::switch(true);
        drop(guard);
        drop(held.lock(&limbo));
    });
    assert_eq!(recording.rows().len(), 1);
    assert_eq!(recording.row(None, "Limbo").map(|row| row.count), Some(1));
}

#[test]
fn the_lock_is_not_held_while_its_owner_waits() {
    let recording = Recording::start();
    let (slots, signal) = (Lock::<StreamSlots, _>::new(()), Signal::new());
    enter(|held| {
        let mut guard = held.lock(&slots);
        record::boundary(Boundary::HostWait);
        guard = guard.wait(&signal, Some(Duration::from_millis(1)));
        record::boundary(Boundary::Callback);
        drop(guard);
        record::boundary(Boundary::DriverCall);
    });
    assert!(recording.row(Some("StreamSlots"), "host wait").is_some(), "before the wait it is held");
    assert!(recording.row(Some("StreamSlots"), "callback").is_some(), "after the wait it is held again");
    assert!(recording.row(None, "driver call").is_some(), "the wait has left nothing behind");
}

#[test]
fn another_thread_takes_the_lock_while_its_owner_waits() {
    let _alone = Recording::start();
    let (slots, signal) = (Lock::<StreamSlots, _>::new(0), Signal::new());
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            enter(|held| {
                let mut guard = held.lock(&slots);
                while *guard == 0 {
                    guard = guard.wait(&signal, None);
                }
                *guard
            })
        });
        enter(|held| *held.lock(&slots) = 5);
        signal.notify_all();
        assert_eq!(waiter.join().unwrap(), 5);
    });
}

#[test]
fn only_an_enqueue_may_cross_a_boundary_and_only_under_stream_submit() {
    let recording = Recording::start();
    let (submit, limbo) = (Lock::<StreamSubmit, _>::new(()), Lock::<Limbo, _>::new(()));
    enter(|held| {
        let under_submit = held.lock(&submit);
        record::boundary(Boundary::Enqueue);
        record::boundary(Boundary::HostWait);
        drop(under_submit);
        let _under_limbo = held.lock(&limbo);
        record::boundary(Boundary::Enqueue);
        record::boundary(Boundary::DriverCall);
        record::boundary(Boundary::Callback);
    });
    let allowed = |held, taken| recording.row(Some(held), taken).map(|row| row.allowed);
    assert_eq!(allowed("StreamSubmit", "enqueue"), Some(true));
    assert_eq!(allowed("StreamSubmit", "host wait"), Some(false));
    assert_eq!(allowed("Limbo", "enqueue"), Some(false));
    assert_eq!(allowed("Limbo", "driver call"), Some(false));
    assert_eq!(allowed("Limbo", "callback"), Some(false));
}

#[test]
fn the_owner_of_stream_submit_enters_again_and_only_that_lock() {
    let recording = Recording::start();
    let (submit, other) = (Lock::<StreamSubmit, _>::new(1), Lock::<StreamSubmit, _>::new(2));
    enter(|held| {
        let mut guard = held.lock(&submit);
        *guard.again(&submit).expect("it is the lock that is held") += 10;
        assert_eq!(guard.again(&other).map(|_| ()), Err(OtherLock));
        assert_eq!(*guard, 11);
    });
    assert_eq!(record::reentered(), 1);
    drop(recording);
}

#[test]
fn a_lock_is_free_again_after_its_owner_panicked() {
    let _alone = Recording::start();
    let state = Lock::<DeviceState, _>::new(0);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        enter(|held| {
            let _guard = held.lock(&state);
            std::panic::resume_unwind(Box::new(()))
        })
    }));
    assert!(unwound.is_err());
    enter(|held| assert!(held.try_lock(&state).is_some()));
}

#[test]
fn trying_a_taken_lock_says_no() {
    let _alone = Recording::start();
    let limbo = Lock::<Limbo, _>::new(());
    enter(|held| {
        let _guard = held.lock(&limbo);
        std::thread::scope(|scope| {
            let tried = scope.spawn(|| enter(|held| held.try_lock(&limbo).is_none()));
            assert!(tried.join().unwrap());
        });
    });
}

#[cfg(feature = "seeded-bugs")]
#[test]
fn a_nesting_against_the_table_is_a_finding_and_no_panic() {
    let recording = Recording::start();
    let (pool, heap) = (Lock::<BlockPool, _>::new(()), Lock::<SegmentHeap, _>::new(()));
    enter(|held| {
        let mut outer = held.lock(&heap);
        let (_, held) = outer.split();
        drop(held.lock_against_the_table(&pool));
    });
    let row = recording.row(Some("SegmentHeap"), "BlockPool").expect("the nesting is recorded");
    assert_eq!((row.count, row.allowed), (1, false));
}
