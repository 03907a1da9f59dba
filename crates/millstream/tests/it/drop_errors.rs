//! Errors that come where nobody can be told: counted, the first one kept, and no panic.

use std::time::Duration;

use millstream::{Device, Tensor, evidence};
use millstream_sim::{Injections, SimBackend, SimOptions};
use millstream_sync::Arc;

use crate::leaks;

const LONG: Duration = Duration::from_secs(20);

fn open(injections: Injections) -> Device {
    Device::open(Arc::new(SimBackend::new(SimOptions { injections, ..SimOptions::new(5) })))
}

#[test]
fn a_device_whose_give_backs_work_has_nothing_to_tell() {
    let device = open(Injections::default());
    drop(Tensor::from_slice(&device, &[1.0f32; 64], &[64]).unwrap());
    assert_eq!(device.shutdown(LONG).drop_errors, evidence::DropErrors::default());
    assert_eq!(device.evidence().drop_errors().to_string(), "none");
    leaks::check(&device);
}

#[test]
fn what_cannot_be_given_back_is_counted_by_the_device_and_the_process_and_the_first_is_kept() {
    let device = open(Injections { give_backs_fail: 1..u64::MAX, ..Injections::default() });
    drop(Tensor::from_slice(&device, &[1.0f32; 64], &[64]).unwrap());
    device.synchronize().unwrap();
    device.trim();
    let errors = device.evidence().drop_errors();
    let first = errors.first.clone().unwrap();
    assert!(errors.count >= 2, "{errors}");
    assert_eq!(first.doing, "giving staging memory back");
    assert!(first.reason.contains("told to fail"), "{first:?}");
    let report = device.shutdown(LONG);
    assert!(report.complete && report.drop_errors.count > errors.count, "{report:?}");
    assert_eq!(report.drop_errors.first, Some(first));
    assert_eq!(report.reserved_bytes_left, 0, "what is given back is gone, whatever the device says");
    assert!(report.drop_errors.to_string().contains("the first while giving staging memory back: "), "{report:?}");
    // The stream is ended with the record, when nobody can ask the device any more. No other test of this process lets a give-back fail.
    leaks::check(&device);
    drop(device);
    let all = evidence::drop_errors();
    assert_eq!((all.count, all.first), (report.drop_errors.count + 1, report.drop_errors.first));
}
