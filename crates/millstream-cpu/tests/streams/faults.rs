//! A kernel that panics: the device is faulty, nothing hangs, nothing reports success with garbage.

use millstream_hal::{Backend, Error, EventStatus};

use crate::rig::Rig;

#[test]
fn a_kernel_that_panics_is_the_fault_of_the_device_and_hangs_nobody() {
    for rig in Rig::both() {
        let (lane, x) = (rig.lane(), rig.buffer(2));
        rig.fill(&lane, x, 1.0);
        let before = rig.mark(&lane);
        rig.drive(&lane);
        rig.backend.synchronize(before, None).unwrap();
        rig.break_down(&lane);
        let at = rig.mark(&lane);
        rig.drive(&lane);
        assert!(matches!(rig.backend.synchronize(at, None), Err(Error::Fault { seq: 2, kernel: "fill", .. })));
        assert!(matches!(rig.backend.query(at), Err(Error::Fault { .. })));
        // What was done before stays good.
        assert_eq!(rig.backend.query(before), Ok(EventStatus::Done));
        let fault = rig.backend.fault().unwrap();
        assert_eq!((fault.stream, fault.seq, fault.kernel), (lane.raw, 2, "fill"));
        assert!(fault.reason.contains("writes 2 elements"), "{}", fault.reason);
        let refused = rig.launch(&lane, millstream_hal::Kernel::Spin { micros: 0 }, &[]);
        assert!(matches!(refused, Err(Error::Fault { .. })));
        assert_eq!(rig.backend.completed(lane.raw), Some(2));
    }
}

#[test]
fn failure_follows_the_data_to_streams_that_wait_for_it_and_to_no_other() {
    for rig in Rig::both() {
        let (bad, after, apart) = (rig.lane(), rig.lane(), rig.lane());
        let (x, y, z) = (rig.buffer(2), rig.buffer(2), rig.buffer(2));
        // All is enqueued before anything fails.
        rig.spin(&bad, 20_000);
        rig.break_down(&bad);
        rig.fill(&bad, x, 5.0);
        let event = rig.mark(&bad);
        rig.fill(&after, y, 1.0);
        let early = rig.mark(&after);
        rig.wait(&after, event);
        rig.copy(&after, y, x);
        let late = rig.mark(&after);
        rig.fill(&apart, z, 3.0);
        let other = rig.mark(&apart);
        rig.drive(&after);
        rig.drive(&bad);
        rig.drive(&apart);
        assert!(matches!(rig.backend.synchronize(event, None), Err(Error::Fault { .. })));
        assert!(matches!(rig.backend.synchronize(late, None), Err(Error::Fault { .. })));
        assert_eq!(rig.backend.synchronize(early, None), Ok(EventStatus::Done));
        assert_eq!(rig.backend.synchronize(other, None), Ok(EventStatus::Done));
        assert_eq!((rig.read(x), rig.read(y), rig.read(z)), (vec![0.0; 2], vec![1.0; 2], vec![3.0; 2]));
        assert_eq!(rig.backend.statistics().kernels_skipped, 2);
    }
}
