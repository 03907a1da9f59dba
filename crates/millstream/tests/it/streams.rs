//! The stream of a thread: by policy, by guard, and never of another device.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use millstream::evidence::Step;
use millstream::{Error, Generator, RuntimeError, StreamPolicy, Tensor};

use crate::leaks::{Checked, cpu};

fn device(streams: usize, policy: StreamPolicy) -> Checked {
    cpu::open_with(cpu::CpuOptions::inline(), |options| {
        options.streams = streams;
        options.policy = policy;
    })
    .expect("the CPU is always there")
}

/// Runs `f` on a thread of its own.
fn elsewhere<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| scope.spawn(f).join().expect("no panic"))
}

#[test]
fn a_thread_keeps_its_stream_and_another_gets_its_own() {
    let device = device(4, StreamPolicy::Fail);
    let mine = device.current_stream().unwrap();
    assert_eq!(device.current_stream().unwrap(), mine);
    let theirs = elsewhere(|| device.current_stream().unwrap());
    assert_ne!(theirs.id().0, mine.id().0);
    assert_eq!(device.leases(), 1, "the thread gave its stream back at its exit");
    device.leave_thread();
    assert_eq!(device.leases(), 0);
}

#[test]
fn a_stream_that_is_leased_again_has_another_generation() {
    let device = device(1, StreamPolicy::Fail);
    let first = elsewhere(|| device.current_stream().unwrap().id());
    let second = elsewhere(|| device.current_stream().unwrap().id());
    assert_eq!(first.0, second.0);
    assert!(second.1 > first.1);
}

#[test]
fn with_share_more_threads_than_streams_compute() {
    let device = device(1, StreamPolicy::Share);
    let mine = device.current_stream().unwrap().id().0;
    let theirs = elsewhere(|| {
        Tensor::zeros(&device, &[4]).unwrap().sum().unwrap().item::<f32>().unwrap();
        device.current_stream().unwrap().id().0
    });
    assert_eq!(mine, theirs);
    assert!(device.evidence().count(Step::LeaseShared) > 0);
}

#[test]
fn with_fail_a_thread_without_a_stream_is_told_so() {
    let device = device(1, StreamPolicy::Fail);
    let _mine = device.acquire_stream().unwrap();
    let error = elsewhere(|| Tensor::zeros(&device, &[4]).map(|_| ()).unwrap_err());
    assert!(matches!(error, Error::Runtime(RuntimeError::NoStream { streams: 1 })), "{error:?}");
}

#[test]
fn with_wait_a_thread_gets_the_stream_that_is_given_back_or_a_timeout() {
    let device = device(1, StreamPolicy::Wait(Duration::from_millis(30)));
    let mine = device.acquire_stream().unwrap();
    let error = elsewhere(|| device.current_stream().map(|_| ()).unwrap_err());
    assert!(matches!(error, RuntimeError::StreamTimeout { streams: 1, .. }), "{error:?}");

    let device = self::device(1, StreamPolicy::Wait(Duration::from_secs(20)));
    drop(mine);
    let mine = device.acquire_stream().unwrap();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| device.current_stream().map(|stream| stream.id().0));
        while device.stream_waiters() == 0 {
            std::thread::yield_now();
        }
        drop(mine);
        assert_eq!(waiter.join().unwrap().unwrap(), 0);
    });
    assert!(device.evidence().count(Step::LeaseWait) > 0);
}

#[test]
fn guards_nest_and_restore_in_reverse_order() {
    let device = device(4, StreamPolicy::Fail);
    let own = device.current_stream().unwrap();
    let (a, b) = (device.acquire_stream().unwrap(), device.acquire_stream().unwrap());
    let outer = device.with_stream(&a).unwrap();
    assert_eq!(device.current_stream().unwrap().id(), a.id());
    {
        let _inner = device.with_stream(&b).unwrap();
        assert_eq!(device.current_stream().unwrap().id(), b.id());
        let tensor = Tensor::zeros(&device, &[4]).unwrap();
        assert_eq!(tensor.stamp().stream, b.id().0, "work goes to the innermost stream");
    }
    assert_eq!(device.current_stream().unwrap().id(), a.id());
    drop(outer);
    assert_eq!(device.current_stream().unwrap().id(), own.id());
}

#[test]
fn a_guard_restores_on_unwind() {
    let device = device(4, StreamPolicy::Fail);
    let own = device.current_stream().unwrap();
    let side = device.acquire_stream().unwrap();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _on_side = device.with_stream(&side).unwrap();
        let _kept = Tensor::zeros(&device, &[4]).unwrap();
        std::panic::resume_unwind(Box::new(()));
    }));
    assert!(unwound.is_err());
    assert_eq!(device.current_stream().unwrap().id(), own.id());
    drop(side);
    assert_eq!(device.leases(), 1, "the guard let its stream go");
    assert_eq!(device.memory_stats().live_bytes, 0);
}

#[test]
fn a_guard_keeps_its_stream_when_the_handle_drops() {
    let device = device(2, StreamPolicy::Fail);
    device.current_stream().unwrap();
    let side = device.acquire_stream().unwrap();
    let guard = device.with_stream(&side).unwrap();
    drop(side);
    assert_eq!(device.leases(), 2);
    drop(guard);
    assert_eq!(device.leases(), 1);
}

#[test]
fn what_belongs_to_another_device_is_refused() {
    let (here, there) = (cpu::open().unwrap(), cpu::open().unwrap());
    assert_ne!(*here, *there);
    assert_eq!(*here, here.clone());
    let a = Tensor::randn(&here, &[2, 2], &mut Generator::new(1)).unwrap();
    let b = Tensor::randn(&there, &[2, 2], &mut Generator::new(1)).unwrap();
    for error in [a.add(&b).unwrap_err(), a.matmul(&b).unwrap_err()] {
        assert!(matches!(error, Error::Runtime(RuntimeError::MixedDevices { .. })), "{error:?}");
    }
    let stream = there.acquire_stream().unwrap();
    assert!(matches!(here.with_stream(&stream).unwrap_err(), RuntimeError::MixedDevices { .. }));
    assert_eq!(a.to_vec::<f32>().unwrap(), b.to_vec::<f32>().unwrap(), "both devices go on");
}

#[test]
fn a_tensor_goes_to_another_device_through_the_host_and_back() {
    let devices = [cpu::open().unwrap(), cpu::open_queued().unwrap()];
    let values: Vec<f32> = (0..35).map(|i| i as f32 * -1.5).collect();
    let a = Tensor::from_slice(&devices[0], &values, &[5, 7]).unwrap();
    let turned = a.transpose(0, 1).unwrap().to_device(&devices[1]).unwrap();
    drop(a);
    assert!(turned.device().same_as(&devices[1]).is_ok() && turned.shape() == [7, 5]);
    let back = turned.to_device(&devices[0]).unwrap().transpose(0, 1).unwrap();
    assert_eq!(back.to_vec::<f32>().unwrap(), values);
    let none = Tensor::zeros(&devices[0], &[0, 3]).unwrap().to_device(&devices[1]).unwrap();
    assert_eq!((none.shape(), none.to_vec::<f32>().unwrap()), (vec![0, 3], vec![]));
    devices[1].shutdown(Duration::from_secs(5));
    let refused = back.to_device(&devices[1]).unwrap_err();
    assert!(matches!(refused, Error::Runtime(RuntimeError::Closed)), "{refused}");
}
