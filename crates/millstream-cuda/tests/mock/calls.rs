//! How many driver calls an operation makes, and in which order they stand.

use std::time::Duration;

use millstream_hal::{Access, Backend, DevicePtr, Error, EventStatus, Kernel, Launch, Operand};
use millstream_sync::thread;

use super::rig::{Living, Machine, fill, spin, there_and_back};

#[test]
fn a_launch_is_one_call_and_a_thread_is_bound_once() {
    let machine = Machine::new();
    let device = machine.open().unwrap();
    let stream = device.create_stream().unwrap();
    let segment = device.allocate_segment(1 << 20).unwrap();
    assert_eq!(machine.calls(|| (1..=100).for_each(|seq| device.launch(stream, &fill(&segment, seq)).unwrap())), 100);
    let bound = machine.count("cuCtxSetCurrent");
    thread::scope(|scope| {
        scope.spawn(|| (101..=150).for_each(|seq| device.launch(stream, &fill(&segment, seq)).unwrap()));
    });
    assert_eq!(machine.count("cuCtxSetCurrent") - bound, 1);
    assert_eq!((machine.count("cuLaunchKernel"), machine.living(Living::Threads)), (150, 2));
    device.release_segment(segment).unwrap();
    device.destroy_stream(stream).unwrap();
    assert_eq!(machine.living(Living::Mistakes), 0);
}

#[test]
fn an_event_that_was_seen_done_is_not_asked_for_again() {
    let machine = Machine::new();
    let device = machine.open().unwrap();
    let (stream, other) = (device.create_stream().unwrap(), device.create_stream().unwrap());
    let event = device.create_event(false).unwrap();
    machine.hold(true);
    device.launch(stream, &spin(1)).unwrap();
    assert_eq!(machine.calls(|| device.record(stream, event, 1).unwrap()), 1);
    assert_eq!(device.query(event), Ok(EventStatus::Pending));
    assert_eq!(device.synchronize(event, Some(Duration::from_millis(2))), Ok(EventStatus::Pending));
    assert_eq!(machine.calls(|| device.wait(stream, event).unwrap()), 0, "a stream is in order with itself");
    assert_eq!(machine.calls(|| device.wait(other, event).unwrap()), 1);
    machine.hold(false);
    assert_eq!(machine.calls(|| assert_eq!(device.query(event), Ok(EventStatus::Done))), 1);
    let free = || {
        assert_eq!(device.query(event), Ok(EventStatus::Done));
        assert_eq!(device.synchronize(event, None), Ok(EventStatus::Done));
        device.wait(other, event).unwrap();
    };
    assert_eq!(machine.calls(free), 0);
    machine.hold(true);
    device.launch(stream, &spin(2)).unwrap();
    device.record(stream, event, 2).unwrap();
    assert_eq!(device.query(event), Ok(EventStatus::Pending), "a new record is a new mark");
    machine.hold(false);
    assert_eq!(device.statistics().waits_enqueued, 1);
    [stream, other].into_iter().for_each(|stream| device.destroy_stream(stream).unwrap());
    assert_eq!(machine.living(Living::Mistakes), 0);
}

#[test]
fn a_mark_of_an_ended_stream_is_in_the_past_and_one_of_the_next_stream_is_not() {
    let machine = Machine::new();
    let device = machine.open().unwrap();
    let first = device.create_stream().unwrap();
    let event = device.create_event(false).unwrap();
    device.launch(first, &spin(1)).unwrap();
    device.record(first, event, 1).unwrap();
    assert_eq!(device.synchronize(event, None), Ok(EventStatus::Done));
    device.destroy_stream(first).unwrap();
    let second = device.create_stream().unwrap();
    assert_ne!(first, second, "a handle is never used again");
    machine.hold(true);
    device.launch(second, &spin(1)).unwrap();
    device.record(second, event, 1).unwrap();
    assert_eq!(device.query(event), Ok(EventStatus::Pending), "the same position of another stream");
    machine.hold(false);
    device.destroy_stream(second).unwrap();
}

#[test]
fn events_are_pooled_and_unrecorded_when_they_come_back() {
    let machine = Machine::new();
    let device = machine.open().unwrap();
    let stream = device.create_stream().unwrap();
    let event = device.create_event(false).unwrap();
    device.record(stream, event, 0).unwrap();
    device.destroy_event(event).unwrap();
    let mut again = event;
    assert_eq!(machine.calls(|| again = device.create_event(false).unwrap()), 0);
    assert_eq!(device.query(again), Err(Error::NotRecorded { event: again.0 }));
    assert_eq!(device.wait(stream, again), Err(Error::NotRecorded { event: again.0 }));
    device.destroy_stream(stream).unwrap();
}

#[test]
fn bytes_go_there_and_back_in_one_call_each() {
    let machine = Machine::new();
    let device = machine.open().unwrap();
    let stream = device.create_stream().unwrap();
    let sent: Vec<u8> = (0..10_000).map(|i| (i * 7) as u8).collect();
    assert!(there_and_back(&device, stream, &sent) == sent);
    assert_eq!((machine.count("cuMemcpyHtoDAsync_v2"), machine.count("cuMemcpyDtoHAsync_v2")), (1, 1));
    there_and_back(&device, stream, &sent[..16]);
    let calls = ["cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuLaunchKernel"].map(|name| machine.count(name));
    assert_eq!(calls, [2, 1, 1], "a kernel carries a few bytes to the host");
    device.destroy_stream(stream).unwrap();
    assert_eq!(machine.living(Living::Mistakes), 0);
}

#[test]
fn small_downloads_are_joined_in_one_call_and_a_large_one_goes_alone() {
    let machine = Machine::new();
    let device = machine.open().unwrap();
    let stream = device.create_stream().unwrap();
    let segment = device.allocate_segment(1 << 20).unwrap();
    let staging = device.allocate_staging(1 << 16).unwrap();
    let to = Operand { ptr: DevicePtr(staging.host), bytes: staging.bytes, access: Access::Write, staging: true };
    let from = Operand { ptr: segment.base, bytes: segment.bytes, access: Access::Read, staging: false };
    let download = |n: usize, bytes| Launch::new(Kernel::Download { bytes, from: n, to: 4 * n }, n as u64, &[to, from]);
    let taken = |launches: &[Launch]| {
        let mut taken = 0;
        let calls = machine.calls(|| taken = device.launch_joined(stream, launches).unwrap());
        (taken, calls)
    };
    let small: Vec<Launch> = (1..=device.joined_max()).map(|n| download(n, 4)).collect();
    assert!(small.len() >= 100, "what a window of fifty iterations reads");
    assert_eq!(taken(&small), (small.len(), 1));
    assert_eq!(taken(&[small[0], small[1], download(3, 5_000), small[3]]), (2, 1));
    assert_eq!(taken(&[download(3, 5_000), small[3]]), (1, 1));
    assert_eq!(taken(&[small[0], spin(2), small[2]]), (1, 1));
    assert_eq!(taken(&[download(1, 0), small[1], small[2]]), (1, 0), "nothing is no call");
    device.release_segment(segment).unwrap();
    device.release_staging(staging).unwrap();
    device.destroy_stream(stream).unwrap();
    assert_eq!(machine.living(Living::Mistakes), 0);
}
