//! What is injected happens, once and as told.

use millstream_hal::{Access, Backend, DType, Error, EventStatus, Kernel, Launch, Operand};
use millstream_sim::{Injections, SimBackend, SimOptions};

fn sim(injections: Injections) -> SimBackend {
    SimBackend::new(SimOptions { injections, ..SimOptions::new(3) })
}

#[test]
fn the_third_allocation_finds_no_memory_and_the_fourth_does() {
    let sim = sim(Injections { out_of_memory_at: Some(3), ..Injections::default() });
    let worked: Vec<bool> = (0..4).map(|_| sim.allocate_segment(256).is_ok()).collect();
    assert_eq!(worked, [true, true, false, true]);
    assert!(sim.trace().contains("out of memory"));
}

#[test]
fn random_allocations_find_no_memory() {
    let sim = sim(Injections { out_of_memory_once_in: Some(4), ..Injections::default() });
    let failed = (0..400).filter(|_| sim.allocate_segment(256).is_err()).count();
    assert!((50..150).contains(&failed), "{failed}");
}

#[test]
fn a_lost_device_keeps_the_truth_about_what_was_done_and_answers_fault_to_the_rest() {
    let sim = sim(Injections { lost_at_launch: Some(2), ..Injections::default() });
    let segment = sim.allocate_segment(256).unwrap();
    let stream = sim.create_stream().unwrap();
    let out = Operand { ptr: segment.base, bytes: 4, access: Access::Write, staging: false };
    let fill = |seq| {
        sim.launch(
            stream,
            &Launch::new(Kernel::Fill { elements: 1, dtype: DType::F32, value: 1.0f32.into() }, seq, &[out]),
        )
    };
    let (done, lost) = (sim.create_event(false).unwrap(), sim.create_event(false).unwrap());
    fill(1).unwrap();
    sim.record(stream, done, 1).unwrap();
    assert_eq!(sim.synchronize(done, None).unwrap(), EventStatus::Done);
    assert_eq!(sim.fault(), None);
    fill(2).unwrap();
    let _ = sim.record(stream, lost, 2);
    assert!(matches!(
        sim.synchronize(lost, None),
        Err(Error::Fault { seq: 2, kernel: "fill", .. } | Error::NotRecorded { .. })
    ));
    assert_eq!(sim.fault().map(|f| (f.stream, f.seq)), Some((stream, 2)));
    assert_eq!(sim.query(done).unwrap(), EventStatus::Done);
    assert!(matches!(fill(3), Err(Error::Fault { .. })));
    assert!(matches!(sim.allocate_segment(256), Err(Error::Fault { .. })));
    sim.release_segment(segment).unwrap();
    sim.destroy_stream(stream).unwrap();
    assert_eq!(sim.findings(), []);
}

#[test]
fn a_slow_event_answers_pending_though_its_work_is_done_but_not_for_ever() {
    let sim = sim(Injections { slow_events_max: 50, ..Injections::default() });
    let stream = sim.create_stream().unwrap();
    let mut most = 0;
    for seq in 1..50 {
        let event = sim.create_event(false).unwrap();
        sim.record(stream, event, seq).unwrap();
        while sim.queued() > 0 {
            sim.drive(stream);
            let _ = sim.query(event);
        }
        let pending = (0..).take_while(|_| sim.query(event).unwrap() == EventStatus::Pending).count();
        most = most.max(pending);
    }
    assert!((10..=50).contains(&most), "{most}");
}

#[test]
fn a_give_back_that_is_told_to_fail_says_so_and_the_thing_is_gone_all_the_same() {
    let sim = sim(Injections { give_backs_fail: 2..3, ..Injections::default() });
    let segments = [1, 2].map(|_| sim.allocate_segment(256).unwrap());
    assert_eq!(segments.map(|segment| sim.release_segment(segment).is_ok()), [true, false]);
    assert_eq!(sim.findings(), []);
    assert!(sim.release_segment(segments[1]).is_ok());
    assert_eq!(sim.findings().len(), 1, "{:?}", sim.findings());
}

#[test]
fn streams_and_events_are_refused_at_their_limit_and_there_again_after_one_ends() {
    let sim = sim(Injections { streams_max: Some(2), events_max: Some(1), ..Injections::default() });
    let first = sim.create_stream().unwrap();
    sim.create_stream().unwrap();
    assert!(matches!(sim.create_stream(), Err(Error::Exhausted { what: "streams", limit: 2 })));
    sim.destroy_stream(first).unwrap();
    sim.create_stream().unwrap();
    let event = sim.create_event(false).unwrap();
    assert!(matches!(sim.create_event(false), Err(Error::Exhausted { what: "events", limit: 1 })));
    sim.destroy_event(event).unwrap();
    sim.create_event(false).unwrap();
}

#[test]
fn a_launch_that_fails_alone_takes_with_it_what_is_ordered_after_it_and_nothing_else() {
    let sim = sim(Injections { fails_at_launch: Some(2), ..Injections::default() });
    let segment = sim.allocate_segment(1024).unwrap();
    let (bad, after, apart) =
        (sim.create_stream().unwrap(), sim.create_stream().unwrap(), sim.create_stream().unwrap());
    let word = |place: u64| Operand {
        ptr: segment.base.offset(256 * place as usize),
        bytes: 4,
        access: Access::Write,
        staging: false,
    };
    let fill = |stream, seq, place: u64| {
        let kernel = Kernel::Fill { elements: 1, dtype: DType::F32, value: (place as f32 + 1.0).into() };
        sim.launch(stream, &Launch::new(kernel, seq, &[word(place)]))
    };
    let mark = |stream, seq| {
        let event = sim.create_event(false).unwrap();
        sim.record(stream, event, seq).unwrap();
        event
    };
    fill(bad, 1, 0).unwrap();
    let before = mark(bad, 1);
    assert_eq!(sim.synchronize(before, None), Ok(EventStatus::Done));
    fill(bad, 2, 1).unwrap();
    let lost = mark(bad, 2);
    // In the same stream's order, through a wait, and apart from both; some may find that it has failed by now.
    sim.wait(after, lost).unwrap();
    let enqueued = fill(after, 1, 2).is_ok();
    let other = fill(apart, 1, 3).map(|()| mark(apart, 1));
    assert!(matches!(sim.synchronize(lost, None), Err(Error::Fault { seq: 2, kernel: "fill", .. })));
    assert_eq!(sim.query(before), Ok(EventStatus::Done));
    let mut read = [0; 4];
    sim.read_back(word(0).ptr, &mut read).unwrap();
    assert_eq!(f32::from_le_bytes(read), 1.0);
    if enqueued {
        assert!(sim.synchronize(mark(after, 1), None).is_err());
        assert_eq!((sim.poisoned_from(after), sim.is_after_failure(after.0, 1)), (Some(1), true));
    }
    if let Ok(other) = other {
        assert_eq!(sim.synchronize(other, None), Ok(EventStatus::Done));
        assert!(!sim.is_after_failure(apart.0, 1));
    }
    assert_eq!((sim.poisoned_from(bad), sim.poisoned_from(apart)), (Some(2), None));
    assert!(matches!(fill(apart, 9, 3), Err(Error::Fault { .. })));
    assert_eq!(sim.findings(), []);
}

#[test]
fn reading_back_what_the_host_has_not_seen_complete_is_found() {
    let sim = sim(Injections::default());
    let segment = sim.allocate_segment(256).unwrap();
    let stream = sim.create_stream().unwrap();
    let mut read = [0; 4];
    sim.read_back(segment.base, &mut read).unwrap();
    assert_eq!(sim.findings().len(), 1, "nothing was written: {:?}", sim.findings());
    let out = Operand { ptr: segment.base, bytes: 4, access: Access::Write, staging: false };
    let kernel = Kernel::Fill { elements: 1, dtype: DType::F32, value: 1.0f32.into() };
    sim.launch(stream, &Launch::new(kernel, 1, &[out])).unwrap();
    // It has run, by luck: no mark was seen.
    let (other, apart) = (sim.create_stream().unwrap(), sim.create_event(false).unwrap());
    sim.record(other, apart, 1).unwrap();
    let questions = (0..10_000).take_while(|_| sim.queued() > 0 && sim.query(apart).is_ok()).count();
    assert!(questions < 10_000);
    sim.read_back(segment.base, &mut read).unwrap();
    assert_eq!(sim.races().len(), 1, "{:?}", sim.findings());
    let event = sim.create_event(false).unwrap();
    sim.record(stream, event, 1).unwrap();
    sim.synchronize(event, None).unwrap();
    sim.read_back(segment.base, &mut read).unwrap();
    assert_eq!((sim.races().len(), f32::from_le_bytes(read)), (1, 1.0));
}
