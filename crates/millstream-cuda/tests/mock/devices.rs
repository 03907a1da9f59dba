//! Several devices of one process through the front: which calls a copy between them is, and what a failure of one does to the other.

use std::time::Duration;

use millstream_runtime::{Device, Error};
use millstream_tensor::Tensor;

use super::rig::{Living, Machine};

/// More than a kernel carries to the host: the mock's kernels do nothing, and its copies copy.
const VALUES: [f32; 2000] = {
    let mut all = [f32::INFINITY; 2000];
    let mut i = 1;
    while i < 2000 {
        all[i] = i as f32 * -0.25;
        i += 1;
    }
    all
};

/// `devices` devices of one machine, numbered from 0.
fn machine<const N: usize>() -> (Machine, [Device; N]) {
    let machine = Machine::new();
    machine.machine(13_000, N as i32);
    let devices = std::array::from_fn(|index| machine.device(index as u32));
    (machine, devices)
}

fn end(machine: &Machine, devices: &[Device]) {
    for device in devices {
        let report = device.shutdown(Duration::from_secs(5));
        assert_eq!((report.streams_left, report.live_bytes), (0, 0), "{report:?}");
    }
    assert_eq!(machine.living(Living::Mistakes), 0);
}

#[test]
fn tensors_of_two_devices_are_refused_together_by_name() {
    let (machine, devices) = machine::<2>();
    let [a, b] = [0, 1].map(|i| Tensor::from_slice(&devices[i], &VALUES, &[2000]).unwrap());
    let error = a.add(&b).unwrap_err().to_string();
    assert!(error.contains("cuda:0") && error.contains("cuda:1"), "{error}");
    drop((a, b));
    end(&machine, &devices);
}

#[test]
fn a_copy_between_devices_is_one_call_and_waits_on_the_devices_alone() {
    let (machine, devices) = machine::<2>();
    let [from, to] = &devices;
    let a = Tensor::from_slice(from, &VALUES, &[2, 1000]).unwrap();
    drop(a.to_device(to).unwrap());
    let names = ["cuMemcpyPeerAsync", "cuStreamWaitEvent", "cuEventRecord", "cuStreamSynchronize", "cuMemAlloc_v2"];
    machine.hold(true);
    let before = names.map(|name| machine.count(name));
    let b = a.to_device(to).unwrap();
    drop(a);
    let after = names.map(|name| machine.count(name));
    let made: [u64; 5] = std::array::from_fn(|i| after[i] - before[i]);
    assert_eq!(made, [1, 2, 2, 0, 0], "with all work held, so nothing was waited for: {names:?}");
    assert!(b.device().same_as(to).is_ok() && b.shape() == [2, 1000]);
    machine.hold(false);
    assert_eq!(b.to_vec::<f32>().unwrap(), VALUES);
    assert_eq!(b.to_device(from).unwrap().to_vec::<f32>().unwrap(), VALUES, "and back");
    let same = b.to_device(to).unwrap();
    assert_eq!(same.stamp(), b.stamp(), "on its own device it is itself");
    drop((b, same));
    end(&machine, &devices);
}

#[test]
fn a_source_that_was_dropped_is_not_overwritten_before_its_copy() {
    let (machine, devices) = machine::<2>();
    let [from, to] = &devices;
    let a = Tensor::from_slice(from, &VALUES, &[2000]).unwrap();
    let stamp = a.stamp();
    machine.hold(true);
    // Another thread copies: its stream is a user of the block that the block's own stream knows nothing of.
    let b = std::thread::scope(|scope| scope.spawn(|| a.to_device(to).unwrap()).join().unwrap());
    drop(a);
    let next = Tensor::zeros(from, &[2000]).unwrap();
    assert_eq!(next.stamp().stream, stamp.stream);
    let stats = from.memory_stats();
    assert!(stats.inbox_bytes > 0 || stats.limbo_blocks > 0, "the block rests until its copy is done: {stats:?}");
    machine.hold(false);
    assert_eq!(b.to_vec::<f32>().unwrap(), VALUES);
    drop((next, b));
    end(&machine, &devices);
}

#[test]
fn a_device_that_received_from_one_that_failed_has_failed_too_and_no_other() {
    let (machine, devices) = machine::<3>();
    let [source, target, other] = &devices;
    let a = Tensor::from_slice(source, &VALUES, &[2000]).unwrap();
    let b = a.to_device(target).unwrap();
    let c = Tensor::from_slice(other, &VALUES, &[2000]).unwrap();
    machine.break_device(0, 700);
    let error = format!("{:?}", b.to_vec::<f32>().unwrap_err());
    assert!(error.contains("values came from") && error.contains("CUDA_ERROR_ILLEGAL_ADDRESS"), "{error}");
    assert!(matches!(target.upload(&[1]), Err(Error::Fault(_))));
    assert_eq!(c.to_vec::<f32>().unwrap(), VALUES, "nothing came here");
    assert!(matches!(a.to_device(other), Err(millstream_tensor::Error::Runtime(Error::Fault(_)))));
    assert_eq!(c.to_vec::<f32>().unwrap(), VALUES, "nothing came here either");
    assert_eq!(machine.living(Living::Mistakes), 0);
}
