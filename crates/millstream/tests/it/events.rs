//! Events: a position in a stream that threads share.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use millstream::evidence::Step;
use millstream::{Event, EventState, Kernel, RuntimeError, Tensor};

use crate::leaks::{Checked, cpu};

const LONG: Kernel = Kernel::Spin { micros: 400_000 };

fn queued() -> Checked {
    cpu::open_queued().expect("the CPU is always there")
}

#[test]
fn an_event_without_a_record_is_a_typed_error() {
    let device = queued();
    let (event, timing) = (Event::new(&device, false), Event::new(&device, true));
    assert!(matches!(event.wait(), Err(RuntimeError::NotRecorded)));
    assert!(matches!(event.query(), Err(RuntimeError::NotRecorded)));
    assert!(matches!(event.synchronize(None), Err(RuntimeError::NotRecorded)));
    assert!(matches!(timing.elapsed(&event), Err(RuntimeError::NotRecorded)));
}

#[test]
fn an_event_is_pending_until_the_work_before_it_is_done() {
    let device = queued();
    let event = Event::new(&device, false);
    device.enqueue(LONG).unwrap();
    event.record().unwrap();
    assert_eq!(event.query().unwrap(), EventState::Pending);
    let error = event.synchronize(Some(Duration::from_millis(1))).unwrap_err();
    assert!(matches!(error, RuntimeError::Timeout { .. }), "{error:?}");
    event.synchronize(None).unwrap();
    assert_eq!(event.query().unwrap(), EventState::Done);
}

#[test]
fn a_new_record_replaces_the_one_before() {
    let device = queued();
    let event = Event::new(&device, false);
    event.record().unwrap();
    let first = event.stamp().unwrap();
    device.enqueue(LONG).unwrap();
    event.record().unwrap();
    assert!(event.stamp().unwrap().seq > first.seq);
    assert_eq!(event.query().unwrap(), EventState::Pending);
}

#[test]
fn work_after_a_wait_starts_after_the_record_of_another_thread() {
    let device = queued();
    let event = Event::new(&device, false);
    // Holding our own stream first, so that the other thread has another.
    let mine = device.current_stream().unwrap();
    std::thread::scope(|scope| {
        let recorded = scope.spawn(|| {
            device.enqueue(LONG).unwrap();
            event.record().unwrap();
            event.stamp().unwrap().stream
        });
        assert_ne!(recorded.join().unwrap(), mine.id().0);
    });
    assert_eq!(event.query().unwrap(), EventState::Pending);
    event.wait().unwrap();
    device.synchronize().unwrap();
    assert_eq!(event.query().unwrap(), EventState::Done, "our stream was done before the one that it waits for");
}

#[test]
fn a_wait_does_not_block_the_host() {
    let device = queued();
    let event = Event::new(&device, false);
    let side = device.acquire_stream().unwrap();
    {
        let _on_side = device.with_stream(&side).unwrap();
        device.enqueue(LONG).unwrap();
        event.record().unwrap();
    }
    event.wait().unwrap();
    let tensor = Tensor::zeros(&device, &[4]).unwrap();
    assert_eq!(event.query().unwrap(), EventState::Pending, "a wait or an operation waited on the host");
    assert_eq!(tensor.to_vec::<f32>().unwrap(), [0.0; 4]);
}

#[test]
fn timing_events_measure_the_work_between_them() {
    let device = queued();
    let (start, end) = (Event::new(&device, true), Event::new(&device, true));
    start.record().unwrap();
    device.enqueue(Kernel::Spin { micros: 20_000 }).unwrap();
    end.record().unwrap();
    // Later work is done, so both records are.
    device.enqueue(Kernel::Spin { micros: 0 }).unwrap();
    device.synchronize().unwrap();
    let elapsed = start.elapsed(&end).unwrap();
    assert!(elapsed >= Duration::from_millis(18), "{elapsed:?}");
    let plain = Event::new(&device, false);
    plain.record().unwrap();
    assert!(matches!(start.elapsed(&plain), Err(RuntimeError::NotRecorded)), "an event without timing has no time");
}

#[test]
fn a_timing_event_is_done_only_when_its_own_record_is() {
    let device = cpu::open_queued().unwrap();
    for _ in 0..50 {
        let (start, end) = (Event::new(&device, true), Event::new(&device, true));
        start.record().unwrap();
        device.enqueue(Kernel::Spin { micros: 300 }).unwrap();
        end.record().unwrap();
        end.synchronize(None).unwrap();
        assert_eq!(end.query().unwrap(), EventState::Done);
        assert!(start.elapsed(&end).unwrap() >= std::time::Duration::from_micros(300));
    }
}

/// Runs `f` on a thread of its own, to the end of its destructors.
fn elsewhere<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| scope.spawn(f).join().expect("no panic"))
}

#[test]
fn a_wait_is_for_the_record_of_its_moment_even_when_the_event_is_recorded_again() {
    let device = queued();
    let event = Event::new(&device, false);
    let side = device.acquire_stream().unwrap();
    event.record().unwrap();
    elsewhere(|| {
        event.wait().unwrap();
        {
            // Recorded again, behind long work of another stream, after the wait was enqueued and before its thread looks.
            let _on_side = device.with_stream(&side).unwrap();
            device.enqueue(LONG).unwrap();
            event.record().unwrap();
        }
        device.synchronize().unwrap();
        assert_eq!(event.query().unwrap(), EventState::Pending, "the wait took the later record");
    });
    event.synchronize(None).unwrap();
}

#[test]
fn threads_that_wait_on_the_host_are_not_kept_by_a_later_record() {
    let device = queued();
    for timing in [false, true] {
        let event = Event::new(&device, timing);
        device.enqueue(Kernel::Spin { micros: 20_000 }).unwrap();
        event.record().unwrap();
        let steps = millstream_sync::Progress::new();
        std::thread::scope(|scope| {
            let waiters: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        while steps.completed() == 0 && event.query().unwrap() == EventState::Pending {
                            event.synchronize(Some(Duration::from_micros(200))).err();
                        }
                        event.synchronize(None).unwrap();
                    })
                })
                .collect();
            for _ in 0..50 {
                event.record().unwrap();
                device.enqueue(Kernel::Spin { micros: 100 }).unwrap();
            }
            steps.advance(1);
            waiters.into_iter().for_each(|waiter| waiter.join().expect("no panic"));
        });
        device.synchronize().unwrap();
        assert_eq!(event.query().unwrap(), EventState::Done);
    }
}

#[test]
fn one_deadline_passes_while_another_thread_waits_to_the_end() {
    let device = queued();
    let event = Event::new(&device, false);
    device.enqueue(LONG).unwrap();
    event.record().unwrap();
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| event.synchronize(None));
        let hasty = scope.spawn(|| event.synchronize(Some(Duration::from_millis(2))));
        let error = hasty.join().expect("no panic").unwrap_err();
        assert!(matches!(error, RuntimeError::Timeout { .. }), "{error:?}");
        assert_eq!(event.query().unwrap(), EventState::Pending, "a deadline that passed ended the work");
        patient.join().expect("no panic").unwrap();
    });
    assert_eq!(event.query().unwrap(), EventState::Done);
}

#[test]
fn the_event_of_a_thread_that_has_ended_can_be_asked_and_waited_for() {
    let device = queued();
    let (plain, start, end) = (Event::new(&device, false), Event::new(&device, true), Event::new(&device, true));
    elsewhere(|| {
        start.record().unwrap();
        device.enqueue(LONG).unwrap();
        end.record().unwrap();
        plain.record().unwrap();
    });
    assert_eq!(device.leases(), 0, "the thread left its work behind and is gone");
    assert_eq!(plain.query().unwrap(), EventState::Pending);
    elsewhere(|| {
        plain.wait().unwrap();
        device.synchronize().unwrap();
        assert_eq!(plain.query().unwrap(), EventState::Done, "the wait was for nothing");
    });
    end.synchronize(None).unwrap();
    assert_eq!((plain.query().unwrap(), end.query().unwrap()), (EventState::Done, EventState::Done));
    assert!(start.elapsed(&end).unwrap() >= Duration::from_millis(390), "read on a third thread");
}

#[test]
fn who_waits_late_waits_for_nothing() {
    let device = queued();
    let event = Event::new(&device, false);
    let _mine = device.current_stream().unwrap();
    elsewhere(|| {
        device.enqueue(Kernel::Spin { micros: 2_000 }).unwrap();
        event.record().unwrap();
        event.synchronize(None).unwrap();
    });
    let inserted = device.evidence().count(Step::WaitInserted);
    for _ in 0..3 {
        event.wait().unwrap();
        elsewhere(|| event.wait().unwrap());
    }
    assert_eq!(device.evidence().count(Step::WaitInserted), inserted, "the record was reached before");
    assert!(device.evidence().count(Step::WaitElided) > 0);
}

#[test]
fn a_record_made_under_a_guard_stands_when_the_scope_unwinds() {
    let device = queued();
    let event = Event::new(&device, false);
    let own = device.current_stream().unwrap();
    let side = device.acquire_stream().unwrap();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _on_side = device.with_stream(&side).unwrap();
        device.enqueue(LONG).unwrap();
        event.record().unwrap();
        std::panic::resume_unwind(Box::new(()));
    }));
    assert!(unwound.is_err());
    assert_eq!(device.current_stream().unwrap().id(), own.id(), "the guard restored");
    assert_eq!(event.stamp().unwrap().stream, side.id().0);
    assert_eq!(event.query().unwrap(), EventState::Pending);
    drop(side);
    event.wait().unwrap();
    device.synchronize().unwrap();
    assert_eq!(event.query().unwrap(), EventState::Done);
}
