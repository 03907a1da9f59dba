//! The stream of a thread: by policy, by guard, and never of another device.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use millstream::evidence::{PausePoint, Step};
use millstream::{
    Backend, DType, Device, DeviceOptions, Error, Event, EventState, Generator, Kernel, RuntimeError, StreamPolicy,
    Tensor,
};
use millstream_sim::{Injections, SimBackend, SimOptions};
use millstream_sync::Arc;

use crate::leaks::{self, Checked, cpu};

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
fn the_end_of_a_thread_waits_for_none_of_its_work() {
    let device = cpu::open_queued().unwrap();
    let event = elsewhere(|| {
        device.enqueue(Kernel::Spin { micros: 500_000 }).unwrap();
        let event = Event::new(&device, false);
        event.record().unwrap();
        event
    });
    assert_eq!((event.query().unwrap(), device.leases()), (EventState::Pending, 0));
    event.synchronize(None).unwrap();
}

#[test]
fn the_blocks_of_a_thread_that_ends_are_home_before_its_stream_is_free() {
    let device = device(1, StreamPolicy::Fail);
    let point = PausePoint::FlushBetweenChecks;
    std::thread::scope(|scope| {
        let ending = scope.spawn(|| {
            drop(Tensor::zeros(&device, &[64]).unwrap());
            device.evidence().arm(point);
        });
        let reached = device.evidence().wait_reached(point, Duration::from_secs(20));
        let (leases, cached) = (device.leases(), device.memory_stats().cached_bytes);
        device.evidence().resume(point);
        ending.join().unwrap();
        assert!(reached && cached > 0, "{reached} {cached}");
        assert_eq!((leases, device.leases()), (1, 0));
    });
}

#[test]
fn a_lease_of_a_stream_that_cannot_be_made_is_undone() {
    let injections = Injections { streams_max: Some(2), ..Injections::default() };
    let sim = Arc::new(SimBackend::new(SimOptions { injections, ..SimOptions::new(1) }));
    let device = Device::open_with(sim.clone(), DeviceOptions::of(sim.info()));
    assert_eq!(device.options().streams, 32);
    let held = [device.acquire_stream().unwrap(), device.acquire_stream().unwrap()];
    let error = device.acquire_stream().unwrap_err();
    assert!(matches!(error, RuntimeError::Backend { .. }), "{error:?}");
    assert_eq!(device.leases(), 2);
    drop(held);
    device.acquire_stream().unwrap();
    leaks::check(&device);
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
fn who_shares_joins_the_stream_with_the_least_load_of_late() {
    for quiet in 0..3 {
        let device = cpu::open_with(cpu::CpuOptions::inline(), |options| {
            (options.streams, options.lease_idle_window) = (3, Duration::MAX);
        });
        let device = device.unwrap();
        let streams = [(); 3].map(|()| device.acquire_stream().unwrap());
        for (_, busy) in streams.iter().enumerate().filter(|(at, _)| *at != quiet) {
            let _on = device.with_stream(busy).unwrap();
            for _ in 0..100 {
                device.enqueue(Kernel::Spin { micros: 0 }).unwrap();
            }
        }
        assert_eq!(elsewhere(|| device.current_stream().unwrap().id().0), streams[quiet].id().0);
    }
}

#[test]
fn a_stream_waits_for_another_once_for_all_that_was_written_there_before() {
    let device = cpu::open_queued().unwrap();
    let writer = device.acquire_stream().unwrap();
    let written = {
        let _on = device.with_stream(&writer).unwrap();
        device.enqueue(Kernel::Spin { micros: 300_000 }).unwrap();
        [1.0f32, 2.0, 3.0].map(|value| Tensor::full(&device, &[4], value, DType::F32).unwrap())
    };
    let read = [2, 0, 1].map(|at| written[at].add(1.0).unwrap());
    assert_eq!(device.evidence().count(Step::WaitInserted), 1, "the first use was of the newest");
    assert_eq!(read.map(|tensor| tensor.to_vec::<f32>().unwrap()[0]), [4.0, 2.0, 3.0]);
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
