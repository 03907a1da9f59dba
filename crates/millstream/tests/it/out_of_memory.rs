//! A byte budget: a typed error with the figures of every step, and a device that goes on.

use std::time::Duration;

use millstream::evidence::Step;
use millstream::{Device, Error, Rung, RuntimeError, Tensor, cpu};

const MIB: usize = 1 << 20;

fn device(budget_bytes: usize) -> Device {
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
    let ones = Tensor::from_slice(&device, &[1.0; 64], &[8, 8]).unwrap();
    assert_eq!(ones.matmul(&ones).unwrap().to_vec().unwrap(), [8.0; 64]);
    assert_eq!(kept[0].sum().unwrap().item().unwrap(), 0.0, "a tensor that was there is as it was");
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
