//! Faults stick, are told as what they are, and memory that is not there is no fault.

use millstream_hal::{Backend, Error, EventStatus};

use super::rig::{Machine, fill, spin};

const ILLEGAL_ADDRESS: i32 = 700;

#[test]
fn after_a_fault_every_call_says_so_and_the_driver_is_left_alone() {
    let machine = Machine::new();
    let device = machine.open().unwrap();
    let (one, two) = (device.create_stream().unwrap(), device.create_stream().unwrap());
    let segment = device.allocate_segment(4096).unwrap();
    let [done, lost] = [0, 1].map(|_| device.create_event(false).unwrap());
    device.launch(one, &fill(&segment, 1)).unwrap();
    device.record(one, done, 1).unwrap();
    assert_eq!(device.query(done), Ok(EventStatus::Done));
    machine.hold(true);
    (2..=4).for_each(|seq| device.launch(one, &fill(&segment, seq)).unwrap());
    device.record(one, lost, 4).unwrap();
    device.launch(two, &spin(1)).unwrap();
    assert_eq!(device.fault(), None);
    machine.break_down(ILLEGAL_ADDRESS);
    let Err(Error::Fault { stream, seq, kernel, reason }) = device.query(lost) else {
        panic!("a failed device answered")
    };
    assert_eq!((stream, seq, kernel), (one.0, 2, "the oldest not known to be complete"));
    assert!(reason.contains("CUDA_ERROR_ILLEGAL_ADDRESS, 700"), "{reason}");
    assert_eq!(device.query(done), Ok(EventStatus::Done), "what was seen complete stands");
    let fault = device.fault();
    machine.break_down(719);
    let calls = machine.calls(|| {
        assert!(matches!(device.launch(two, &spin(2)), Err(Error::Fault { .. })));
        assert!(matches!(device.record(two, done, 2), Err(Error::Fault { .. })));
        assert!(matches!(device.wait(two, lost), Err(Error::Fault { .. })));
        assert!(matches!(device.synchronize(lost, None), Err(Error::Fault { .. })));
        assert!(matches!(device.create_stream(), Err(Error::Fault { .. })));
        assert!(matches!(device.allocate_segment(1), Err(Error::Fault { .. })));
    });
    assert_eq!(calls, 0, "a failed device is not asked again");
    assert_eq!(device.fault(), fault, "the first failure stays");
}

#[test]
fn a_failure_in_a_call_without_an_answer_is_kept_and_said_by_the_next() {
    let machine = Machine::new();
    let device = machine.open().unwrap();
    let stream = device.create_stream().unwrap();
    let segment = device.allocate_segment(1).unwrap();
    machine.fail("cuMemFree_v2", ILLEGAL_ADDRESS);
    assert!(matches!(device.release_segment(segment), Err(Error::Fault { .. })));
    assert!(matches!(device.launch(stream, &spin(1)), Err(Error::Fault { .. })));
    device.destroy_stream(stream).unwrap();
}

#[test]
fn no_memory_is_a_typed_error_with_figures_and_no_fault() {
    let machine = Machine::new();
    let device = machine.open().unwrap();
    let memory = device.info().memory_bytes;
    machine.fail("cuMemAlloc_v2", 2);
    let error = device.allocate_segment(1000).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { requested: 1000, available } if available > 0), "{error}");
    for bytes in [memory + 1, usize::MAX, usize::MAX - 100] {
        let calls = machine.calls(|| assert!(matches!(device.allocate_segment(bytes), Err(Error::OutOfMemory { .. }))));
        assert_eq!(calls, 0, "{bytes} bytes can never be had");
    }
    machine.fail("cuMemHostAlloc", 2);
    assert!(matches!(device.allocate_staging(100), Err(Error::OutOfMemory { .. })));
    machine.fail("cuEventCreate", 2);
    assert!(matches!(device.create_event(false), Err(Error::OutOfMemory { .. })));
    assert_eq!(device.fault(), None);
    let segment = device.allocate_segment(1000).unwrap();
    device.release_segment(segment).unwrap();
}
