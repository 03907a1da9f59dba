//! Figures of the memory: they add up at rest, and nothing leaks.

use millstream::{Device, Generator, MemoryStats, Tensor};

use crate::leaks::cpu;

fn work(device: &Device, key: u64) -> Tensor {
    let mut generator = Generator::new(11).split(key);
    let mut draw = || Tensor::randn(device, &[48, 48], &mut generator).expect("a draw");
    let (a, b) = (draw(), draw());
    a.matmul(&b).expect("a product")
}

/// Every byte that was taken from the device is somewhere, when nothing is in limbo or under way.
fn adds_up(stats: &MemoryStats) -> bool {
    stats.limbo_blocks == 0
        && stats.reserved_bytes
            == stats.live_bytes + stats.cached_bytes + stats.pooled_bytes + stats.empty_segment_bytes
}

#[test]
fn the_parts_of_the_reserved_memory_add_up_at_rest() {
    let device = cpu::open().unwrap();
    assert_eq!(device.memory_stats().reserved_bytes, 0, "an opened device has taken nothing");
    let live = work(&device, 0);
    device.synchronize().unwrap();
    let stats = device.memory_stats();
    assert!(adds_up(&stats), "{stats:?}");
    // 48 x 48 x 4 bytes have a class of exactly this size.
    assert_eq!(stats.live_bytes, 48 * 48 * 4);
    assert!(stats.cached_bytes >= 2 * 48 * 48 * 4, "both inputs are in the cache: {stats:?}");
    drop(live);
    assert_eq!(device.memory_stats().live_bytes, 0);
}

#[test]
fn a_freed_block_of_the_same_size_is_a_cache_hit() {
    let device = cpu::open().unwrap();
    drop(work(&device, 0));
    let first = device.memory_stats();
    drop(work(&device, 1));
    let second = device.memory_stats();
    assert_eq!((second.cache_misses, second.cache_hits), (first.cache_misses, first.cache_hits + 3));
    assert_eq!(second.reserved_bytes, first.reserved_bytes);
}

#[test]
fn memory_does_not_grow_from_round_to_round() {
    let device = cpu::open().unwrap();
    let round = || {
        for key in 0..20 {
            work(&device, key).sum().unwrap().item::<f32>().unwrap();
        }
        device.memory_stats().reserved_bytes_max
    };
    let after_one = round();
    assert!((0..50).all(|_| round() == after_one));
}

#[test]
fn nothing_is_live_at_the_end_and_trim_gives_everything_back() {
    for device in [cpu::open().unwrap(), cpu::open_queued().unwrap()] {
        let shared = work(&device, 99);
        let made: Vec<Tensor> = std::thread::scope(|scope| {
            let (device, shared) = (&device, &shared);
            let workers: Vec<_> = (0..8)
                .map(|t| {
                    scope.spawn(move || {
                        let mut last = work(device, t);
                        for i in 0..20 {
                            last = work(device, t << 8 | i).add(&last).unwrap().matmul(shared).unwrap();
                        }
                        last
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect()
        });
        drop(made);
        drop(shared);
        device.synchronize_all(None).unwrap();
        device.trim();
        let stats = device.memory_stats();
        assert!(adds_up(&stats), "{}: {stats:?}", device.info().name);
        assert_eq!((stats.live_bytes, stats.limbo_blocks), (0, 0), "{}: {stats:?}", device.info().name);
        assert_eq!(stats.reserved_bytes, 0, "{}: {stats:?}", device.info().name);
    }
}

#[test]
fn a_segment_that_the_device_rounds_up_counts_in_full_and_fits_the_budget() {
    // The block needs 2.25 MiB; the device gives 4 MiB, which is more than the budget.
    let device = cpu::open_with(cpu::CpuOptions::inline(), |options| options.budget_bytes = 3 << 20).unwrap();
    for _ in 0..3 {
        let outcome = Tensor::zeros(&device, &[575_000]).map(drop);
        let stats = device.memory_stats();
        assert!(stats.reserved_bytes_max <= 3 << 20, "{stats:?}, {outcome:?}");
        device.trim();
    }
    assert_eq!(device.memory_stats().reserved_bytes, 0);
    Tensor::zeros(&device, &[1000]).unwrap();
}
