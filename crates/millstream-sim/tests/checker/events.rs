//! Life of events and streams.

use millstream_hal::{Backend, Error, RawEvent, RawStream};
use millstream_sim::{Finding, SimBackend, SimOptions};
use millstream_sync::Arc;
use millstream_sync::schedule;

use super::rig::{Rig, SEEDS};

#[test]
fn an_event_destroyed_under_a_wait_is_found_even_if_the_wait_has_run() {
    for seed in SEEDS {
        let rig = Rig::new(seed);
        let event = rig.record(rig.a);
        rig.sim.wait(rig.b, event).unwrap();
        rig.sim.destroy_event(event).unwrap();
        assert!(matches!(rig.findings()[..], [Finding::EventDestroyedInUse { .. }]), "seed {seed}");
    }
}

#[test]
fn an_event_may_be_recorded_again_or_destroyed_when_its_waits_are_known_to_be_done() {
    for seed in SEEDS {
        let rig = Rig::new(seed);
        rig.fill(rig.a, 0, 64, 1.0);
        let event = rig.record(rig.a);
        rig.sim.wait(rig.b, event).unwrap();
        rig.copy(rig.b, 128, 0, 64);
        // The wait keeps the mark that it saw.
        rig.sim.record(rig.a, event, 9).unwrap();
        rig.finish();
        rig.sim.destroy_event(event).unwrap();
        rig.assert_clean();
    }
}

#[test]
fn use_of_a_dead_event_is_found_and_an_error() {
    let rig = Rig::new(1);
    let event = rig.event();
    rig.sim.destroy_event(event).unwrap();
    assert!(matches!(rig.sim.record(rig.a, event, 1), Err(Error::NotRecorded { .. })));
    assert!(rig.sim.query(RawEvent(99)).is_err());
    assert!(rig.findings().iter().all(|f| matches!(f, Finding::UseOfDeadEvent { .. })));
    assert_eq!(rig.sim.findings().len(), 2);
}

#[test]
fn a_stream_destroyed_with_work_that_is_not_known_to_be_done_is_found() {
    for seed in SEEDS {
        let rig = Rig::new(seed);
        let c = rig.sim.create_stream().unwrap();
        rig.fill(c, 0, 64, 1.0);
        rig.sim.destroy_stream(c).unwrap();
        assert!(matches!(rig.findings()[..], [Finding::StreamDestroyedInUse { .. }]), "seed {seed}");
    }
}

#[test]
fn use_of_a_dead_stream_is_found_though_its_place_was_given_again() {
    let rig = Rig::new(1);
    let dead = rig.sim.create_stream().unwrap();
    rig.sim.destroy_stream(dead).unwrap();
    let next = rig.sim.create_stream().unwrap();
    assert_ne!(dead, next);
    assert!(rig.sim.record(dead, rig.event(), 1).is_err());
    assert_eq!(rig.findings(), [Finding::UseOfDeadStream { stream: dead.0 }]);
    assert!(rig.sim.record(RawStream(77), rig.event(), 1).is_err());
}

#[test]
fn two_threads_inside_enqueues_of_one_stream_are_found() {
    let found = (0..50).any(|seed| {
        let sim = Arc::new(SimBackend::new(SimOptions::new(seed)));
        let stream = sim.create_stream().unwrap();
        let body = || -> Box<dyn FnOnce() + Send> {
            let sim = Arc::clone(&sim);
            Box::new(move || {
                let event = sim.create_event(false).unwrap();
                sim.record(stream, event, 1).unwrap();
            })
        };
        assert!(schedule::run(seed, vec![body(), body()]).is_clean());
        sim.findings().contains(&Finding::ConcurrentEnqueue { stream: stream.0 })
    });
    assert!(found);
}
