//! A shutdown whose deadline passes while a stream is at work: a give-back of memory would wait for that work, so there is none.

use std::time::Duration;

use millstream_hal::Kernel;
use millstream_tensor::Tensor;

use super::rig::{Living, Machine};

const GIVE_BACKS: [&str; 2] = ["cuMemFree_v2", "cuMemFreeHost"];

#[test]
fn nothing_that_waits_for_the_work_is_called_after_the_deadline() {
    let machine = Machine::new();
    let device = machine.device(0);
    // Memory and staging that no work uses any more.
    let read = Tensor::zeros(&device, &[2000]).unwrap();
    read.to_vec::<f32>().unwrap();
    drop(read);
    machine.hold(true);
    device.enqueue(Kernel::Spin { micros: 1 }).unwrap();
    let report = device.shutdown(Duration::from_millis(2));
    assert_eq!((report.complete, report.streams_left), (false, 1));
    assert!(report.reserved_bytes_left > 0, "{report:?}");
    // The record's end, and that of the backend.
    drop(device);
    assert_eq!(GIVE_BACKS.map(|name| machine.count(name)), [0; 2]);
    assert_eq!(machine.living(Living::Mistakes), 0, "a stream ended under work is one");
    machine.hold(false);
}

#[test]
fn a_shutdown_that_saw_the_work_end_gives_everything_back() {
    let machine = Machine::new();
    let device = machine.device(0);
    drop(Tensor::zeros(&device, &[2000]).unwrap());
    let report = device.shutdown(Duration::from_secs(5));
    assert_eq!((report.complete, report.reserved_bytes_left), (true, 0), "{report:?}");
    drop(device);
    assert_eq!((machine.living(Living::Memory), machine.living(Living::Streams)), (0, 0));
}
