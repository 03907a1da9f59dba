//! Streams, events and faults of the CPU backend, inline and queued.
#![expect(unsafe_code, reason = "device memory is read at its host address")]
#![expect(clippy::unwrap_used, reason = "a rig for tests")]

mod episodes;
mod faults;
mod rig;
mod scheduled;

use std::time::Duration;

use millstream_cpu::CpuOptions;
use millstream_hal::{
    Access, Backend, BinaryOp, DType, Error, EventStatus, Kernel, Layout, PhiloxKey, ReduceOp, Views,
};
use millstream_sync::OwnedCell;
use rig::Rig;

#[test]
fn work_of_one_stream_runs_in_its_order() {
    for rig in Rig::both() {
        let (lane, x) = (rig.lane(), rig.buffer(100));
        rig.fill(&lane, x, 1.0);
        for _ in 0..10 {
            rig.binary(&lane, BinaryOp::Add, x, x, x);
        }
        assert_eq!(rig.finish(&lane), Ok(EventStatus::Done));
        assert_eq!(rig.read(x), [1024.0; 100]);
        assert_eq!(rig.backend.completed(lane.raw), Some(11));
    }
}

/// A late producer on one stream, a reader on another; `with_wait` says whether the reader waits. Returns what it read.
fn read_after_late_producer(rig: &Rig, with_wait: bool) -> f32 {
    let (producer, reader) = (rig.lane(), rig.lane());
    let (x, y) = (rig.buffer(8), rig.buffer(8));
    rig.spin(&producer, 50_000);
    rig.fill(&producer, x, 7.0);
    let event = rig.mark(&producer);
    if with_wait {
        rig.wait(&reader, event);
    }
    rig.copy(&reader, y, x);
    // The reader is driven first; the producer's items have nobody yet.
    rig.finish(&reader).unwrap();
    rig.finish(&producer).unwrap();
    rig.read(y)[0]
}

#[test]
fn a_wait_orders_a_reader_after_a_late_producer() {
    for rig in Rig::both() {
        assert_eq!(read_after_late_producer(&rig, true), 7.0);
        assert_eq!(rig.backend.statistics().waits_blocked, 1);
    }
}

#[test]
fn without_the_wait_the_same_reader_sees_the_old_value() {
    for rig in Rig::both() {
        assert_eq!(read_after_late_producer(&rig, false), 0.0);
        assert_eq!(rig.backend.statistics().waits_blocked, 0);
    }
}

#[test]
fn streams_that_wait_for_each_other_in_turn_are_driven_by_one_thread() {
    for rig in Rig::both() {
        let lanes = [rig.lane(), rig.lane(), rig.lane()];
        let x = rig.buffer(16);
        rig.fill(&lanes[0], x, 1.0);
        for turn in 1..30 {
            let event = rig.mark(&lanes[(turn - 1) % 3]);
            rig.wait(&lanes[turn % 3], event);
            rig.binary(&lanes[turn % 3], if turn % 2 == 0 { BinaryOp::Mul } else { BinaryOp::Add }, x, x, x);
            if turn % 7 == 0 {
                rig.binary(&lanes[turn % 3], BinaryOp::Mul, x, x, x);
                rig.fill(&lanes[turn % 3], x, 1.0);
            }
        }
        rig.drive(&lanes[2]);
        for lane in &lanes {
            assert_eq!(rig.finish(lane), Ok(EventStatus::Done));
        }
        // After the fill of turn 28: 1 + 1.
        assert_eq!(rig.read(x), [2.0; 16]);
    }
}

#[test]
fn what_a_wait_left_in_another_stream_is_driven_before_the_call_returns() {
    let rig = Rig::new(CpuOptions::inline());
    let (other, lane) = (rig.lane(), rig.lane());
    let (x, y) = (rig.buffer(4), rig.buffer(4));
    rig.fill(&other, x, 1.0);
    let event = rig.mark(&other);
    rig.fill(&other, x, 2.0);
    rig.wait(&lane, event);
    rig.fill(&lane, y, 3.0);
    rig.drive(&lane);
    assert_eq!(rig.backend.completed(lane.raw), Some(1));
    assert_eq!(rig.backend.completed(other.raw), Some(2));
}

#[test]
fn threads_that_drive_one_stream_leave_nothing_behind_and_keep_its_order() {
    let rig = Rig::new(CpuOptions::inline());
    for _ in 0..200 {
        let lane = OwnedCell::new(rig.lane());
        let raw = lane.try_with(|lane| lane.raw).unwrap();
        let x = rig.buffer(1);
        let one = rig.buffer(1);
        lane.try_with(|lane| rig.fill(lane, one, 1.0)).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        // One enqueuer at a time, as the contract says; then all drive at once.
                        while lane.try_with(|lane| rig.binary(lane, BinaryOp::Add, x, x, one)).is_none() {
                            std::hint::spin_loop();
                        }
                        rig.backend.drive(raw);
                    }
                });
            }
        });
        // Nobody drives any more: all must be done without a further call.
        assert_eq!(rig.backend.completed(raw), Some(151));
        assert_eq!(rig.read(x), [150.0]);
    }
}

#[test]
fn a_full_queue_is_waited_for_and_counted() {
    for options in [CpuOptions::inline(), CpuOptions::queued()] {
        let rig = Rig::new(CpuOptions { queue_capacity: 4, ..options });
        let (lane, x, one) = (rig.lane(), rig.buffer(1), rig.buffer(1));
        rig.spin(&lane, 2000);
        rig.fill(&lane, one, 1.0);
        for _ in 0..50 {
            rig.binary(&lane, BinaryOp::Add, x, x, one);
        }
        rig.finish(&lane).unwrap();
        assert_eq!(rig.read(x), [50.0]);
        assert!(rig.backend.statistics().queue_full_waits > 0);
    }
}

#[test]
fn streams_with_idle_workers_end_and_their_slots_serve_again() {
    for rig in Rig::both() {
        let old = rig.lane();
        let x = rig.buffer(4);
        rig.fill(&old, x, 3.0);
        rig.finish(&old).unwrap();
        let mark = rig.mark(&old);
        rig.backend.destroy_stream(old.raw).unwrap();
        for round in 0..50 {
            let lane = rig.lane();
            assert_ne!(lane.raw, old.raw);
            assert_eq!(rig.backend.completed(lane.raw), Some(0));
            rig.fill(&lane, x, round as f32);
            rig.finish(&lane).unwrap();
            assert_eq!(rig.backend.completed(lane.raw), Some(1));
            rig.backend.destroy_stream(lane.raw).unwrap();
        }
        assert_eq!(rig.read(x), [49.0; 4]);
        // A mark outlives its stream: it was reached.
        assert_eq!(rig.backend.query(mark), Ok(EventStatus::Done));
    }
}

#[test]
fn dropping_a_backend_with_idle_workers_does_not_block() {
    let rig = Rig::new(CpuOptions::queued());
    let lanes: Vec<_> = (0..8).map(|_| rig.lane()).collect();
    rig.spin(&lanes[0], 200_000);
    let start = std::time::Instant::now();
    drop(rig);
    assert!(start.elapsed() < Duration::from_millis(100));
}

#[test]
fn memory_that_cannot_be_had_is_a_typed_error() {
    for rig in Rig::both() {
        for bytes in [usize::MAX, isize::MAX as usize, 1 << 60] {
            assert!(matches!(rig.backend.allocate_segment(bytes), Err(Error::OutOfMemory { .. })));
            assert!(matches!(rig.backend.allocate_staging(bytes), Err(Error::OutOfMemory { .. })));
        }
        let staging = rig.backend.allocate_staging(100).unwrap();
        assert!(staging.host.is_multiple_of(64) && staging.bytes >= 100);
        rig.backend.release_staging(staging).unwrap();
    }
    let small = Rig::new(CpuOptions { memory_bytes: Some(1 << 20), ..CpuOptions::inline() });
    assert!(matches!(small.backend.allocate_segment(2 << 20), Err(Error::OutOfMemory { available: 1_048_576, .. })));
}

#[test]
fn an_event_is_unrecorded_then_pending_then_done_and_a_wait_keeps_the_mark_it_saw() {
    let rig = Rig::new(CpuOptions::queued());
    let (a, b) = (rig.lane(), rig.lane());
    let event = rig.backend.create_event(false).unwrap();
    assert_eq!(rig.backend.query(event), Err(Error::NotRecorded { event: event.0 }));
    assert_eq!(rig.backend.wait(b.raw, event), Err(Error::NotRecorded { event: event.0 }));
    assert_eq!(rig.backend.synchronize(event, None), Err(Error::NotRecorded { event: event.0 }));
    rig.spin(&a, 20_000);
    rig.backend.record(a.raw, event, 1).unwrap();
    assert_eq!(rig.backend.query(event), Ok(EventStatus::Pending));
    assert_eq!(rig.backend.synchronize(event, Some(Duration::from_millis(1))), Ok(EventStatus::Pending));
    rig.wait(&b, event);
    // Recorded again far behind: the wait of `b` must not follow.
    rig.spin(&a, 200_000);
    rig.backend.record(a.raw, event, 2).unwrap();
    let start = std::time::Instant::now();
    rig.finish(&b).unwrap();
    rig.spin(&b, 1);
    rig.finish(&b).unwrap();
    assert!(start.elapsed() < Duration::from_millis(150));
    assert_eq!(rig.backend.query(event), Ok(EventStatus::Pending));
    assert_eq!(rig.backend.synchronize(event, None), Ok(EventStatus::Done));
}

#[test]
fn timing_events_measure_the_work_between_them() {
    for rig in Rig::both() {
        let lane = rig.lane();
        let (start, end) = (rig.backend.create_event(true).unwrap(), rig.backend.create_event(true).unwrap());
        rig.backend.record(lane.raw, start, 0).unwrap();
        rig.spin(&lane, 3000);
        rig.backend.record(lane.raw, end, 1).unwrap();
        rig.drive(&lane);
        assert_eq!(rig.backend.synchronize(end, None), Ok(EventStatus::Done));
        assert!((3_000_000..1_000_000_000).contains(&rig.backend.elapsed_ns(start, end).unwrap()));
        let plain = rig.mark(&lane);
        assert!(matches!(rig.backend.elapsed_ns(plain, end), Err(Error::Unsupported { .. })));
    }
}

#[test]
fn large_operations_give_the_same_bits_with_any_number_of_threads() {
    const N: usize = 600;
    let run = |threads: usize| {
        let rig = Rig::new(CpuOptions { threads: Some(threads), ..CpuOptions::inline() });
        let lane = rig.lane();
        let (a, b, c, sum, hash) =
            (rig.buffer(N * N), rig.buffer(N * N), rig.buffer(N * N), rig.buffer(1), rig.buffer(2));
        let key = PhiloxKey { seed: 3, sequence: 1, offset: 0 };
        let square = Layout::contiguous(&[N, N]).unwrap();
        let dtype = DType::F32;
        let (write, read) = (Access::Write, Access::Read);
        let randn = Kernel::Randn { elements: N * N, key };
        rig.launch(&lane, randn, &[a.operand(write)]).unwrap();
        let turned = square.transposed(0, 1);
        rig.launch(&lane, Kernel::Copy { dtype, a: turned }, &[b.operand(write), a.operand(read)]).unwrap();
        let product = Kernel::Matmul { dtype, a: square, b: square };
        rig.launch(&lane, product, &[c.operand(write), a.operand(read), b.operand(read)]).unwrap();
        let add = Kernel::Binary { op: BinaryOp::Add, dtype, views: Views::new([square, turned]).unwrap() };
        rig.launch(&lane, add, &[b.operand(write), c.operand(read), a.operand(read)]).unwrap();
        let mean = Kernel::Reduce { op: ReduceOp::Mean, dtype, a: turned, kept: 0 };
        rig.launch(&lane, mean, &[sum.operand(write), b.operand(read)]).unwrap();
        rig.launch(&lane, Kernel::Fingerprint { bytes: 4 * N * N }, &[hash.operand(write), b.operand(read)]).unwrap();
        rig.finish(&lane).unwrap();
        let bits = [rig.read(b), rig.read(sum), rig.read(hash)].concat();
        (bits.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), rig.backend.statistics())
    };
    let (one, alone) = run(1);
    assert_eq!(alone.operations_shared, 0);
    for threads in [2, 5] {
        let (many, shared) = run(threads);
        assert_eq!(one, many, "{threads} threads");
        assert!(shared.operations_shared > 0);
    }
}

#[test]
fn bytes_go_to_the_device_and_back_and_poison_covers_them() {
    for rig in Rig::both() {
        let (lane, x) = (rig.lane(), rig.buffer(6));
        let (up, down) = (rig.buffer(6), rig.buffer(6));
        rig.fill(&lane, up, 2.5);
        let (write, read) = (Access::Write, Access::Read);
        rig.launch(&lane, Kernel::Upload { bytes: 24 }, &[x.operand(write), up.operand(read)]).unwrap();
        let back = Kernel::Download { bytes: 8, from: 4, to: 12 };
        rig.launch(&lane, back, &[down.operand(write), x.operand(read)]).unwrap();
        rig.launch(&lane, Kernel::Poison { bytes: 20 }, &[x.operand(write)]).unwrap();
        rig.finish(&lane).unwrap();
        assert_eq!(rig.read(down), [0.0, 0.0, 0.0, 2.5, 2.5, 0.0]);
        let bits: Vec<u32> = rig.read(x).iter().map(|v| v.to_bits()).collect();
        assert_eq!(bits, [Kernel::POISON_WORD; 5].into_iter().chain([2.5f32.to_bits()]).collect::<Vec<_>>());
    }
}

#[test]
fn the_device_says_what_it_is_and_that_it_cannot_capture() {
    for (rig, name) in Rig::both().iter().zip(["cpu", "cpu:queued"]) {
        let info = rig.backend.info();
        assert_eq!((info.name.as_str(), info.asynchronous), (name, name == "cpu:queued"));
        assert!(info.streams >= 32 && info.memory_bytes > 0);
        assert!(info.numeric_class.contains(rig.backend.level().name()), "{}", info.numeric_class);
        let lane = rig.lane();
        assert!(matches!(rig.backend.begin_capture(lane.raw), Err(Error::Unsupported { .. })));
    }
    // A stream for each processor that computes and one for who prepares, and never fewer than 32.
    for (threads, streams) in [(1, 32), (31, 32), (40, 41)] {
        let rig = Rig::new(CpuOptions { threads: Some(threads), ..CpuOptions::inline() });
        assert_eq!(rig.backend.info().streams, streams);
    }
}
