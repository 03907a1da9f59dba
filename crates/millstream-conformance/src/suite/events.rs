//! Events as the host sees them.

use std::time::{Duration, Instant};

use millstream_hal::{Error, EventStatus};
use millstream_sync::thread;

use super::Make;
use super::rig::{PATIENCE, Rig, synchronize};

pub(super) fn an_event_that_was_never_recorded_is_an_error(make: Make<'_>) {
    let rig = Rig::new(make);
    let (lane, event) = (rig.lane(), rig.event());
    let backend = &rig.backend;
    let answers = [
        backend.query(event).map(|_| ()),
        backend.synchronize(event, Some(Duration::ZERO)).map(|_| ()),
        backend.synchronize(event, None).map(|_| ()),
        backend.wait(lane.stream, event),
    ];
    for (i, answer) in answers.into_iter().enumerate() {
        assert!(matches!(answer, Err(Error::NotRecorded { .. })), "question {i} is answered {answer:?}");
    }
    lane.end();
    backend.destroy_event(event).expect("a give-back");
    rig.end();
}

pub(super) fn an_event_is_done_after_its_work(make: Make<'_>) {
    let rig = Rig::new(make);
    let (mut lane, event) = (rig.lane(), rig.event());
    let block = rig.block(10_000);
    lane.fill(block, 1.0);
    lane.record(event);
    synchronize(&rig.backend, event);
    assert_eq!(rig.backend.query(event), Ok(EventStatus::Done), "done stays done");
    assert_eq!(rig.backend.synchronize(event, Some(Duration::ZERO)), Ok(EventStatus::Done), "done needs no time");
    lane.spin(1_000);
    assert_eq!(rig.backend.query(event), Ok(EventStatus::Done), "later work does not undo it");
    lane.end();
    rig.backend.destroy_event(event).expect("a give-back");
    rig.end();
}

/// Once the host has seen `Done`, another stream may read without a wait.
pub(super) fn done_is_not_said_too_early(make: Make<'_>) {
    let rig = Rig::new(make);
    let (mut a, mut b, event) = (rig.lane(), rig.lane(), rig.event());
    let (x, y) = (rig.block(1_000), rig.block(1_000));
    a.fill(x, -1.0);
    a.finish();
    for i in 0..6 {
        a.spin(5_000);
        a.fill(x, i as f32);
        a.record(event);
        if i % 2 == 0 {
            let began = Instant::now();
            while rig.backend.query(event).expect("a query") == EventStatus::Pending {
                assert!(began.elapsed() < PATIENCE, "the event stays pending");
                thread::yield_now();
            }
        } else {
            synchronize(&rig.backend, event);
        }
        b.copy(y, x);
        b.finish();
        assert_eq!(rig.values(&mut b, y), [i as f32; 1_000], "the event was done before its work, round {i}");
    }
    a.end();
    b.end();
    rig.backend.destroy_event(event).expect("a give-back");
    rig.end();
}

pub(super) fn a_host_wait_gives_up_at_its_timeout(make: Make<'_>) {
    let rig = Rig::new(make);
    let (mut lane, event) = (rig.lane(), rig.event());
    let timeout = Duration::from_millis(10);
    lane.spin(200_000);
    lane.record(event);
    let began = Instant::now();
    let status = rig.backend.synchronize(event, Some(timeout)).expect("a host wait");
    if status == EventStatus::Pending {
        assert!(began.elapsed() >= timeout, "gave up after {:?}", began.elapsed());
    }
    assert!(began.elapsed() < PATIENCE, "a wait of {timeout:?} took {:?}", began.elapsed());
    assert_eq!(rig.backend.synchronize(event, None), Ok(EventStatus::Done), "a wait without end ends with the work");
    lane.end();
    rig.backend.destroy_event(event).expect("a give-back");
    rig.end();
}

pub(super) fn recording_again_moves_the_mark(make: Make<'_>) {
    let rig = Rig::new(make);
    let (mut a, mut b, event) = (rig.lane(), rig.lane(), rig.event());
    let (x, y) = (rig.block(1_000), rig.block(1_000));
    a.fill(x, -1.0);
    a.record(event);
    synchronize(&rig.backend, event);
    for i in 0..4 {
        a.spin(5_000);
        a.fill(x, i as f32);
        a.record(event);
        if i % 2 == 0 {
            synchronize(&rig.backend, event);
        } else {
            b.wait(event);
        }
        b.copy(y, x);
        b.finish();
        assert_eq!(rig.values(&mut b, y), [i as f32; 1_000], "the event kept its old mark, round {i}");
    }
    a.end();
    b.end();
    rig.backend.destroy_event(event).expect("a give-back");
    rig.end();
}

pub(super) fn a_later_mark_of_a_stream_implies_the_earlier(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    let block = rig.block(100);
    let events: Vec<_> = (0..300).map(|_| rig.event()).collect();
    for event in &events {
        lane.fill(block, 1.0);
        lane.record(*event);
    }
    synchronize(&rig.backend, events[events.len() - 1]);
    for (i, event) in events.iter().enumerate() {
        assert_eq!(rig.backend.query(*event), Ok(EventStatus::Done), "mark {i} of {}", events.len());
    }
    lane.end();
    events.into_iter().for_each(|e| rig.backend.destroy_event(e).expect("a give-back"));
    rig.end();
}

pub(super) fn elapsed_time_covers_the_work_between(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    let [start, end] = [0, 1].map(|_| rig.backend.create_event(true).expect("an event with time"));
    lane.record(start);
    lane.spin(4_000);
    lane.record(end);
    synchronize(&rig.backend, end);
    match rig.backend.elapsed_ns(start, end) {
        Ok(ns) => assert!(ns >= 3_500_000, "a spin of 4 ms took {ns} ns"),
        Err(Error::Unsupported { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    lane.end();
    [start, end].into_iter().for_each(|e| rig.backend.destroy_event(e).expect("a give-back"));
    rig.end();
}
