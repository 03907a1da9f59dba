//! A byte budget: a typed error with the figures of every step, and a device that goes on.

use std::time::Duration;

use millstream::evidence::Step;
use millstream::{Device, Error, Rung, RuntimeError, Tensor};

use crate::leaks::{Checked, cpu};

const MIB: usize = 1 << 20;

fn device(budget_bytes: usize) -> Checked {
    cpu::open_with(cpu::CpuOptions::inline(), |options| options.budget_bytes = budget_bytes)
        .expect("the CPU is always there")
}

/// Tensors of 2 MiB until the device refuses one.
fn fill(device: &Device) -> (Vec<Tensor>, Error) {
    let mut kept = Vec::new();
    loop {
        match Tensor::zeros(device, &[MIB / 2]) {
            Ok(tensor) => kept.push(tensor),
            Err(error) => return (kept, error),
        }
        assert!(kept.len() < 100, "the budget does not hold");
    }
}

#[test]
fn a_request_beyond_the_budget_is_refused_with_what_each_rung_had() {
    let device = device(8 * MIB);
    let (kept, error) = fill(&device);
    assert_eq!(kept.len(), 4);
    let Error::Runtime(RuntimeError::OutOfMemory { requested, budget, ladder }) = &error else {
        panic!("{error:?}");
    };
    assert_eq!((*requested, *budget), (2 * MIB, 8 * MIB));
    let rungs: Vec<Rung> = ladder.rows().iter().map(|(rung, _)| *rung).collect();
    assert_eq!(rungs, Rung::ALL, "every rung once, in order");
    let text = error.to_string();
    assert!(
        text.starts_with("out of memory: 2097152 bytes requested of a budget of 8388608; tried cache 0, inbox 0"),
        "{text}"
    );
    assert_eq!(device.evidence().count(Step::OutOfMemory), 1);
}

#[test]
fn the_device_works_after_a_refusal() {
    let device = device(8 * MIB);
    let (mut kept, _) = fill(&device);
    kept.pop();
    let ones = Tensor::from_slice(&device, &[1.0f32; 64], &[8, 8]).unwrap();
    assert_eq!(ones.matmul(&ones).unwrap().to_vec::<f32>().unwrap(), [8.0; 64]);
    assert_eq!(kept[0].sum().unwrap().item::<f32>().unwrap(), 0.0, "a tensor that was there is as it was");
    drop((kept, ones));
    let (again, _) = fill(&device);
    assert_eq!(again.len(), 4, "all of the budget can be had again");
    assert!(device.memory_stats().reserved_bytes_max <= 8 * MIB);
}

#[test]
fn the_cache_of_an_idle_thread_is_taken_before_anything_is_refused() {
    let device = device(8 * MIB);
    std::thread::scope(|scope| {
        let idle = scope.spawn(|| {
            drop(fill(&device));
            // Alive and idle, with all of the budget in its cache.
            for _ in 0..500 {
                if device.evidence().count(Step::IdleCacheReclaim) > 0 {
                    return true;
                }
                std::thread::park_timeout(Duration::from_millis(10));
            }
            false
        });
        while device.memory_stats().cached_bytes < 8 * MIB {
            std::thread::yield_now();
        }
        let (kept, _) = fill(&device);
        assert_eq!(kept.len(), 4);
        idle.thread().unpark();
        assert!(idle.join().unwrap(), "the memory came from elsewhere");
    });
}

#[test]
fn a_request_larger_than_anything_is_refused_at_once() {
    let device = device(8 * MIB);
    let error = Tensor::zeros(&device, &[1 << 30, 1 << 20]).unwrap_err();
    assert!(
        matches!(error, Error::Runtime(RuntimeError::OutOfMemory { budget, .. }) if budget == 8 * MIB),
        "{error:?}"
    );
    assert_eq!(device.memory_stats().live_bytes, 0);
}

#[test]
fn a_budget_of_nothing_refuses_everything_and_breaks_nothing() {
    let device = device(0);
    for bytes in [0, 1, MIB] {
        let error = device.allocate(bytes).unwrap_err();
        assert!(
            matches!(&error, RuntimeError::OutOfMemory { requested, budget: 0, .. } if *requested == bytes),
            "{error:?}"
        );
    }
    assert!(Tensor::zeros(&device, &[4]).is_err() && device.upload(&[1, 2, 3]).is_err());
    let stats = device.memory_stats();
    assert_eq!((stats.reserved_bytes, stats.live_bytes, stats.fragmentation()), (0, 0, 0.0));
    device.synchronize().unwrap();
    assert!(device.shutdown(Duration::from_secs(10)).complete);
}

#[test]
fn nothing_can_be_allocated_copied_and_read() {
    let device = device(8 * MIB);
    let (a, b) = (device.allocate(0).unwrap(), device.upload(&[]).unwrap());
    assert_eq!((a.bytes(), b.bytes()), (0, 0));
    assert!(device.download(&[(&a, 0), (&b, 0)]).unwrap().is_empty());
    assert!(device.download(&[]).unwrap().is_empty());
    let error = device.download(&[(&a, 1)]).unwrap_err();
    assert!(matches!(error, RuntimeError::BeyondEnd { asked: 1, bytes: 0 }), "{error:?}");
    assert_eq!(device.memory_stats().live_bytes, 512, "two blocks of the smallest size");
}

#[test]
fn sizes_that_cannot_be_counted_are_refused_with_the_size() {
    let device = device(8 * MIB);
    for bytes in [usize::MAX, usize::MAX - 1, isize::MAX as usize + 1, isize::MAX as usize, 1 << 62] {
        let error = device.allocate(bytes).unwrap_err();
        assert!(matches!(&error, RuntimeError::OutOfMemory { requested, .. } if *requested == bytes), "{error:?}");
    }
    // The same when the budget is no bound.
    let device = self::device(usize::MAX);
    assert!(matches!(device.allocate(1 << 62), Err(RuntimeError::OutOfMemory { .. })));
    drop(device.allocate(MIB).unwrap());
}

#[test]
fn more_inputs_than_a_launch_can_have_are_a_typed_error() {
    let device = device(8 * MIB);
    let a = device.allocate(256).unwrap();
    let error = device.launch(crate::kernels::copy(1), 4, &[&a; 9]).unwrap_err();
    assert!(matches!(error, RuntimeError::Backend { .. }), "{error:?}");
    assert_eq!(device.memory_stats().live_bytes, 256);
    assert_eq!(device.health(), millstream::Health::Live);
}

#[test]
fn limits_of_nothing_are_raised_to_what_works() {
    let adjust = |options: &mut millstream::DeviceOptions| {
        (options.streams, options.cache_bytes_max, options.staging_bytes_max) = (0, 0, 0);
    };
    let device = cpu::open_with(cpu::CpuOptions::inline(), adjust).unwrap();
    let data: Vec<f32> = (0..20_000).map(|i| i as f32).collect();
    assert_eq!(Tensor::from_slice(&device, &data, &[20_000]).unwrap().to_vec::<f32>().unwrap(), data);
    assert!(device.memory_stats().staging_bytes_max <= 16 << 10);
}
