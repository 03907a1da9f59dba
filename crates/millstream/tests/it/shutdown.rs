//! The end of a device: once, with a report, and memory of live tensors that stays.

use std::time::Duration;

use millstream::{Error, Generator, Health, Kernel, RuntimeError, Tensor};
use millstream_sync::atomic::{AtomicBool, Ordering};

use crate::kernels;
use crate::known::{Fails, Known};
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
fn a_second_shutdown_waits_for_the_first_until_its_own_deadline_and_says_how_long() {
    let device = cpu::open_queued().unwrap();
    device.enqueue(Kernel::Spin { micros: 300_000 }).unwrap();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| device.shutdown(LONG_ENOUGH));
        while device.health() == Health::Live {
            std::thread::yield_now();
        }
        // The first closes now, or soon.
        std::thread::sleep(Duration::from_millis(20));
        let second = device.shutdown(Duration::from_millis(50));
        // The clock of the report is another one than the clock of the wait.
        assert!(!second.complete && second.waited >= Duration::from_millis(45), "{second:?}");
        assert!(first.join().unwrap().complete);
    });
}

#[test]
fn a_shutdown_waits_for_who_is_giving_memory_back_and_counts_who_is_left_at_the_deadline() {
    for (deadline, complete) in [(Duration::from_millis(20), false), (LONG_ENOUGH, true)] {
        let (backend, device) = Known::open();
        drop(device.launch(kernels::fill(1024, 1.0), 4096, &[]).unwrap());
        device.synchronize().unwrap();
        device.leave_thread();
        backend.fail(Fails::Releases);
        let (report, waited) = std::thread::scope(|scope| {
            let trimming = scope.spawn(|| device.trim());
            while device.flushes_in_progress() == 0 {
                std::thread::yield_now();
            }
            let closing = scope.spawn(|| device.shutdown(deadline));
            std::thread::sleep(Duration::from_millis(100));
            let waited = !closing.is_finished();
            backend.fail(Fails::Nothing);
            assert!(trimming.join().unwrap() > 0);
            (closing.join().unwrap(), waited)
        });
        assert_eq!((report.complete, waited), (complete, complete), "{report:?}");
        assert_eq!(report.flushes_in_progress, u32::from(!complete), "{report:?}");
        assert_eq!((device.flushes_in_progress(), device.memory_stats().reserved_bytes, backend.segments()), (0, 0, 0));
    }
}

#[test]
fn with_the_last_handle_of_a_device_goes_what_nobody_holds_and_with_the_last_buffer_the_rest() {
    let (backend, device) = Known::open();
    let kept = device.launch(kernels::fill(4, 1.0), 16, &[]).unwrap();
    drop(device.launch(kernels::fill(1 << 22, 2.0), 1 << 24, &[]).unwrap());
    device.synchronize().unwrap();
    drop(device);
    assert_eq!(backend.segments(), 1, "that of the buffer");
    drop(kept);
    assert_eq!(backend.segments(), 0);
}

#[test]
fn a_thread_that_still_has_a_stream_when_the_last_handle_goes_finishes_at_its_end() {
    let (backend, device) = Known::open();
    let kept = device.allocate(16).unwrap();
    let (worked, over) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let theirs = device.clone();
        let (worked, over) = (&worked, &over);
        let thread = scope.spawn(move || {
            drop(theirs.launch(kernels::fill(1 << 22, 2.0), 1 << 24, &[]).unwrap());
            theirs.synchronize().unwrap();
            drop(theirs);
            worked.store(true, Ordering::Relaxed);
            while !over.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
        });
        while !worked.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        drop(device);
        assert_eq!(backend.segments(), 2, "its stream is claimed");
        over.store(true, Ordering::Relaxed);
        thread.join().unwrap();
    });
    assert_eq!(backend.segments(), 1, "that of the buffer");
    drop(kept);
    assert_eq!(backend.segments(), 0);
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
