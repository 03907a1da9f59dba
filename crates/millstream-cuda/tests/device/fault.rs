//! A kernel that writes where no memory is: what the device, its report and every later call say.

use std::time::Duration;

use millstream_cuda::{CudaBackend, CudaOptions};
use millstream_runtime::{Error as RuntimeError, Health};
use millstream_sync::Arc;
use millstream_sync::atomic::{AtomicBool, Ordering};
use millstream_tensor::{Error, Tensor};

use crate::astray::Astray;

fn is_fault<T>(what: &str, answer: Result<T, Error>) {
    match answer {
        Err(Error::Runtime(error @ RuntimeError::Fault(_))) => println!("  {what}: {error:?}"),
        Err(other) => panic!("{what}: {other}"),
        Ok(_) => panic!("{what}: success after a fault"),
    }
}

pub(crate) fn run() {
    let backend = CudaBackend::open(&CudaOptions::default()).unwrap();
    let astray = Arc::new(Astray { device: backend, next: AtomicBool::new(false) });
    let device = crate::over(astray.clone());
    let good = Tensor::ones(&device, &[1000]).unwrap();
    assert_eq!(good.sum().unwrap().item::<f32>().unwrap(), 1000.0);
    astray.next.store(true, Ordering::Relaxed);
    let bad = good.add(1).unwrap();
    let after = bad.mul(2).unwrap();
    is_fault("the first read", after.to_vec::<f32>());
    let Health::Faulted(report) = device.health() else { panic!("{:?}", device.health()) };
    println!("  first: {:?}", report.first);
    println!("  suspects: {:?}", report.suspects);
    assert!(report.first.reason.contains("ILLEGAL_ADDRESS"), "{}", report.first.reason);
    assert!(!report.suspects.is_empty());
    is_fault("a value computed before", good.to_vec::<f32>());
    is_fault("a new operation", good.neg());
    is_fault("a new tensor", Tensor::zeros(&device, &[5]));
    is_fault("another thread's", std::thread::scope(|scope| scope.spawn(|| good.sum()).join().unwrap()));
    drop((good, bad, after));
    let report = device.shutdown(Duration::from_secs(5));
    println!("  shutdown: {report:?}");
}
