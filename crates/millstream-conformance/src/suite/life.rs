//! Streams and events that come and go, and positions that tell the truth.

use std::time::Instant;

use millstream_sync::thread;

use super::Make;
use super::rig::{PATIENCE, Rig};

pub(super) fn streams_and_events_come_and_go(make: Make<'_>) {
    let rig = Rig::new(make);
    let block = rig.block(64);
    for round in 0..300 {
        let (mut a, b, event) = (rig.lane(), rig.lane(), rig.event());
        a.fill(block, round as f32);
        a.record(event);
        b.wait(event);
        a.end();
        b.end();
        rig.backend.destroy_event(event).expect("a give-back");
    }
    let mut lane = rig.lane();
    assert_eq!(rig.values(&mut lane, block), [299.0; 64]);
    lane.end();
    rig.end();
}

pub(super) fn completed_positions_tell_the_truth(make: Make<'_>) {
    let rig = Rig::new(make);
    let (mut a, mut b) = (rig.lane(), rig.lane());
    let (x, y) = (rig.block(1_000), rig.block(1_000));
    if rig.backend.completed(a.stream).is_some() {
        for i in 0..5 {
            a.spin(2_000);
            a.fill(x, i as f32);
            let began = Instant::now();
            while rig.backend.completed(a.stream).is_some_and(|seq| seq < a.seq) {
                assert!(began.elapsed() < PATIENCE, "position {} is not reached", a.seq);
                thread::yield_now();
            }
            b.copy(y, x);
            assert_eq!(rig.values(&mut b, y), [i as f32; 1_000], "position {} was told before its work", a.seq);
        }
    }
    a.end();
    b.end();
    rig.end();
}
