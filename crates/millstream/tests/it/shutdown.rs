//! The end of a device: once, with a report, and memory of live tensors that stays.

use std::time::Duration;

use millstream::{Error, Generator, Health, Kernel, RuntimeError, Tensor};

use crate::leaks::cpu;

const LONG_ENOUGH: Duration = Duration::from_secs(10);

#[test]
fn after_a_shutdown_every_call_is_refused_with_a_typed_error() {
    let device = cpu::open().unwrap();
    let tensor = Tensor::zeros(&device, &[4]).unwrap();
    assert_eq!(device.health(), Health::Live);
    assert!(device.shutdown(LONG_ENOUGH).complete);
    assert_eq!(device.health(), Health::Closed);
    let closed = |error: &Error| matches!(error, Error::Runtime(RuntimeError::Closed));
    assert!(closed(&Tensor::zeros(&device, &[4]).unwrap_err()));
    assert!(closed(&tensor.sum().unwrap_err()));
    assert!(closed(&tensor.to_vec::<f32>().unwrap_err()));
    assert!(matches!(device.current_stream(), Err(RuntimeError::Closed)));
    assert!(matches!(device.acquire_stream(), Err(RuntimeError::Closed)));
    assert_eq!(device.trim(), 0);
}

#[test]
fn a_generator_does_not_move_when_a_draw_is_refused() {
    let device = cpu::open().unwrap();
    device.shutdown(LONG_ENOUGH);
    let mut generator = Generator::new(1);
    assert!(Tensor::randn(&device, &[4], &mut generator).is_err());
    assert_eq!(generator, Generator::new(1));
}

#[test]
fn a_second_shutdown_returns_the_report_of_the_first() {
    let device = cpu::open().unwrap();
    let tensor = Tensor::zeros(&device, &[1 << 18]).unwrap();
    let first = device.shutdown(LONG_ENOUGH);
    drop(tensor);
    assert_eq!(device.shutdown(Duration::ZERO), first);
    let reports: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..4).map(|_| scope.spawn(|| device.shutdown(LONG_ENOUGH))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert!(reports.iter().all(|report| *report == first));
}

#[test]
fn live_tensors_keep_their_memory_and_the_report_counts_it() {
    let device = cpu::open().unwrap();
    let live = Tensor::zeros(&device, &[1 << 18]).unwrap();
    drop(Tensor::zeros(&device, &[1 << 24]).unwrap());
    let report = device.shutdown(LONG_ENOUGH);
    assert!(report.complete, "{report:?}");
    assert_eq!((report.live_bytes, report.stranded_bytes), (1 << 20, 0), "{report:?}");
    assert!(report.reserved_bytes_left >= report.live_bytes, "{report:?}");
    assert!(report.released_bytes >= 1 << 26, "what nobody holds goes back at once: {report:?}");
    drop(live);
    assert_eq!(device.memory_stats().live_bytes, 0, "a drop after the end is counted");
}

#[test]
fn a_shutdown_waits_for_work_and_says_so_when_it_may_not() {
    let device = cpu::open_queued().unwrap();
    device.enqueue(Kernel::Spin { micros: 300_000 }).unwrap();
    let report = device.shutdown(Duration::from_millis(5));
    assert!(!report.complete && report.streams_left == 1, "{report:?}");

    let device = cpu::open_queued().unwrap();
    let stamp = device.enqueue(Kernel::Spin { micros: 50_000 }).unwrap();
    let report = device.shutdown(LONG_ENOUGH);
    assert!(report.complete && report.streams_left == 0, "{report:?}");
    assert_eq!((stamp.seq, report.streams_drained), (1, 1));
    assert!(report.waited >= Duration::from_millis(40), "{report:?}");
}

#[test]
fn threads_at_work_get_an_error_and_their_exits_leave_nothing() {
    let device = cpu::open_queued().unwrap();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8u64)
            .map(|i| {
                let device = &device;
                scope.spawn(move || {
                    let mut generator = Generator::new(7).split(i);
                    loop {
                        let step = Tensor::randn(device, &[16, 16], &mut generator).and_then(|a| a.matmul(&a)?.sum());
                        if let Err(error) = step {
                            return error;
                        }
                    }
                })
            })
            .collect();
        while device.leases() < 8 {
            std::thread::yield_now();
        }
        let report = device.shutdown(LONG_ENOUGH);
        assert!(report.complete && report.flushes_in_progress == 0 && report.stranded_bytes == 0, "{report:?}");
        for worker in workers {
            let error = worker.join().unwrap();
            assert!(matches!(error, Error::Runtime(RuntimeError::Closed)), "{error:?}");
        }
    });
    assert_eq!((device.leases(), device.memory_stats().live_bytes), (0, 0));
}

#[test]
fn a_shutdown_without_an_end_in_time_is_no_overflow() {
    let device = cpu::open().unwrap();
    assert!(device.shutdown(std::time::Duration::MAX).complete);
}
