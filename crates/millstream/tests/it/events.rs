//! Events: a position in a stream that threads share.

use std::time::Duration;

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
