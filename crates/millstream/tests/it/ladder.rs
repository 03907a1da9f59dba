//! The ladder of an allocation: each rung serves, when those below it have nothing.

use std::time::{Duration, Instant};

use millstream::evidence::Step;
use millstream::{Buffer, Device, Kernel, Rung, RuntimeError};
use millstream_sync::atomic::{AtomicUsize, Ordering};
use millstream_sync::{Arc, BoundedQueue};

use crate::kernels;
use crate::leaks::{Checked, cpu};

const MIB: usize = 1 << 20;
const LONG: Kernel = Kernel::Spin { micros: 1_500_000 };

fn device(budget_bytes: usize, cache_bytes_max: usize) -> Checked {
    cpu::open_with(cpu::CpuOptions::queued(), |options| {
        options.budget_bytes = budget_bytes;
        options.cache_bytes_max = cache_bytes_max;
    })
    .expect("the CPU is always there")
}

/// A buffer of `bytes` bytes, every word 2.0.
fn filled(device: &Device, bytes: usize) -> Buffer {
    device.launch(kernels::fill(bytes / 4, 2.0), bytes, &[]).expect("a buffer")
}

fn sum(device: &Device, buffer: &Buffer) -> Buffer {
    device.launch(kernels::sum(buffer.bytes() / 4), 4, &[buffer]).expect("a sum")
}

/// The first word of `buffer`, as a buffer.
fn first_word(device: &Device, buffer: &Buffer) -> Buffer {
    device.launch(kernels::copy(1), 4, &[buffer]).expect("a copy")
}

fn read(device: &Device, buffer: &Buffer) -> f32 {
    f32::from_le_bytes(device.download(&[(buffer, 4)]).expect("a value").try_into().expect("four bytes"))
}

fn served(device: &Device, rung: Rung) -> u64 {
    device.memory_stats().served(rung)
}

/// What `f` adds to the count of `rung`.
fn serves<R>(device: &Device, rung: Rung, f: impl FnOnce() -> R) -> R {
    let before = served(device, rung);
    let result = f();
    assert_eq!(served(device, rung), before + 1, "{rung:?}: {:?}", device.memory_stats());
    result
}

/// Runs `f` on a stream of its own that stays claimed.
fn on<R>(device: &Device, stream: &millstream::Stream, f: impl FnOnce() -> R) -> R {
    let _current = device.with_stream(stream).expect("a stream of this device");
    f()
}

#[test]
fn the_first_block_grows_the_second_is_in_the_pool_and_a_freed_one_in_the_cache() {
    let device = device(8 * MIB, MIB);
    let first = serves(&device, Rung::Grow, || filled(&device, 4096));
    let second = serves(&device, Rung::OwnPool, || filled(&device, 8192));
    drop((first, second));
    serves(&device, Rung::Cache, || filled(&device, 4096));
}

#[test]
fn of_the_cached_blocks_of_a_size_the_one_freed_last_is_used_first() {
    let device = device(8 * MIB, MIB);
    let blocks = [(); 3].map(|()| filled(&device, 4096));
    let places = blocks.each_ref().map(|block| device.host_ptr(block).unwrap());
    blocks.into_iter().for_each(drop);
    let again = [(); 3].map(|()| filled(&device, 4096)).map(|block| device.host_ptr(&block).unwrap());
    assert_eq!(again, [places[2], places[1], places[0]]);
}

#[test]
fn a_block_that_was_freed_on_another_thread_comes_back_without_a_pool() {
    let device = device(8 * MIB, MIB);
    let block = filled(&device, 4096);
    device.synchronize().unwrap();
    let at = device.host_ptr(&block).unwrap();
    std::thread::scope(|scope| scope.spawn(|| drop(block)).join().unwrap());
    let again = serves(&device, Rung::Inbox, || filled(&device, 4096));
    assert_eq!(device.host_ptr(&again).unwrap(), at, "another block");
}

#[test]
fn a_block_leaves_limbo_when_its_user_has_completed() {
    let device = device(3 * MIB, 0);
    let block = filled(&device, 3 * MIB / 2);
    let user = device.acquire_stream().unwrap();
    let used = on(&device, &user, || sum(&device, &block));
    drop(block);
    device.synchronize_all(None).unwrap();
    drop(used);
    let _again = serves(&device, Rung::Limbo, || filled(&device, 3 * MIB / 2));
    assert!(device.evidence().count(Step::LimboLeft) > 0);
}

#[test]
fn free_blocks_of_a_stream_that_nobody_holds_are_taken_before_growth() {
    let device = device(8 * MIB, MIB);
    device.current_stream().unwrap();
    let left = std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let kept = filled(&device, 4096);
            device.synchronize().unwrap();
            kept
        });
        other.join().unwrap()
    });
    let _mine = serves(&device, Rung::IdlePools, || filled(&device, 4096));
    drop(left);
    assert_eq!(device.memory_stats().segments, 1);
}

#[test]
fn free_blocks_of_a_stream_that_is_done_are_taken_when_the_budget_is_used_up() {
    let device = device(4 * MIB, 0);
    let other = device.acquire_stream().unwrap();
    on(&device, &other, || drop(filled(&device, 4 * MIB)));
    device.synchronize_all(None).unwrap();
    let mine = serves(&device, Rung::OtherPools, || filled(&device, 4 * MIB));
    assert_eq!(read(&device, &mine), 2.0);
}

#[test]
fn a_free_block_of_a_stream_at_work_is_taken_behind_a_wait_on_the_device_and_not_on_the_host() {
    let device = device(4 * MIB, 0);
    let other = device.acquire_stream().unwrap();
    on(&device, &other, || {
        let block = filled(&device, 4 * MIB);
        device.enqueue(LONG).unwrap();
        drop(block);
    });
    let begun = Instant::now();
    let mine = serves(&device, Rung::BusyPools, || filled(&device, 4 * MIB));
    assert!(begun.elapsed() < Duration::from_millis(900), "the host waited for {:?}", begun.elapsed());
    assert_eq!(device.evidence().count(Step::StealBehindWait), 1);
    assert!(!other.is_idle(), "the other stream was done already: this machine is too slow for the test");
    device.synchronize().unwrap();
    assert!(other.is_idle(), "our stream was done before the one that it waits for");
    drop(mine);
}

#[test]
fn the_own_cache_is_given_up_before_others() {
    let device = device(2 * MIB, 2 * MIB);
    let small: Vec<Buffer> = (0..8).map(|_| filled(&device, 256 << 10)).collect();
    drop(small);
    assert_eq!(device.memory_stats().cached_bytes, 2 * MIB);
    let _large = serves(&device, Rung::OwnCache, || filled(&device, 2 * MIB));
    assert_eq!(device.evidence().count(Step::OwnCacheTrimmed), 1);
}

#[test]
fn the_cache_of_an_idle_thread_serves_another() {
    let device = device(2 * MIB, 2 * MIB);
    let (ready, done) = (BoundedQueue::with_capacity(1), BoundedQueue::with_capacity(1));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            drop((0..8).map(|_| filled(&device, 256 << 10)).collect::<Vec<_>>());
            device.synchronize().unwrap();
            let _ = ready.try_push(());
            while done.try_pop().is_none() {
                std::thread::yield_now();
            }
        });
        while ready.try_pop().is_none() {
            std::thread::yield_now();
        }
        let large = serves(&device, Rung::IdleCaches, || filled(&device, 2 * MIB));
        assert_eq!(device.evidence().count(Step::IdleCacheReclaim), 1);
        drop(large);
        let _ = done.try_push(());
    });
}

#[test]
fn empty_segments_that_are_too_small_make_room_for_a_larger_one() {
    let device = device(8 * MIB, 0);
    drop((0..4).map(|_| filled(&device, 2 * MIB)).collect::<Vec<_>>());
    device.synchronize().unwrap();
    assert_eq!(device.memory_stats().segments, 4);
    let _large = serves(&device, Rung::Release, || filled(&device, 6 * MIB));
    assert!(device.evidence().count(Step::SegmentReleased) >= 3);
}

#[test]
fn the_host_waits_for_the_oldest_position_and_not_for_all() {
    // Two blocks of 2 MiB, and a segment for small results.
    let device = device(6 * MIB, 0);
    let (soon, late) = (device.acquire_stream().unwrap(), device.acquire_stream().unwrap());
    let small = device.allocate(256).unwrap();
    let blocks: Vec<Buffer> = (0..2).map(|_| filled(&device, 2 * MIB)).collect();
    device.synchronize().unwrap();
    for ((stream, micros), block) in [(&soon, 50_000), (&late, 4_000_000)].into_iter().zip(blocks) {
        on(&device, stream, || {
            device.enqueue(Kernel::Spin { micros }).unwrap();
            drop(first_word(&device, &block));
            drop(block);
        });
    }
    let begun = Instant::now();
    let mine = serves(&device, Rung::Wait, || filled(&device, 2 * MIB));
    assert!(begun.elapsed() < Duration::from_millis(3000), "waited for all: {:?}", begun.elapsed());
    assert_eq!(device.evidence().count(Step::WaitedForOldest), 1);
    assert!(!late.is_idle());
    drop((mine, small));
}

/// Keeps buffers until somebody wants their memory.
struct Store(BoundedQueue<Buffer>);

fn store(device: &Device, count: usize, bytes: usize) -> Arc<Store> {
    let store = Arc::new(Store(BoundedQueue::with_capacity(count)));
    (0..count).for_each(|_| drop(store.0.try_push(filled(device, bytes))));
    store
}

#[test]
fn a_reclaimer_is_asked_with_nothing_held_before_an_allocation_is_refused() {
    let device = device(8 * MIB, 0);
    let kept = store(&device, 4, 2 * MIB);
    let (asked, inside) = (Arc::new(AtomicUsize::new(0)), device.clone());
    let guard = {
        let (kept, asked) = (kept.clone(), asked.clone());
        device.register_reclaimer(move |wanted| {
            assert_eq!(wanted, 2 * MIB);
            assert!(inside.memory_stats().budget_bytes > 0, "the runtime was entered already");
            asked.fetch_add(1, Ordering::Relaxed);
            kept.0.try_pop().map_or(0, |buffer| buffer.bytes())
        })
    };
    let first = serves(&device, Rung::Reclaim, || filled(&device, 2 * MIB));
    assert_eq!((asked.load(Ordering::Relaxed), device.evidence().count(Step::Reclaimed)), (1, 1));
    drop(guard);
    assert!(device.allocate(2 * MIB).is_err(), "a reclaimer without its guard was asked");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    drop((first, kept));
}

#[test]
fn reclaimers_are_asked_in_turn_and_never_from_inside_one() {
    let device = device(8 * MIB, 0);
    let kept = store(&device, 4, 2 * MIB);
    let order = Arc::new(BoundedQueue::with_capacity(8));
    let nothing = {
        let order = order.clone();
        device.register_reclaimer(move |_| order.try_push("nothing").map_or(0, |()| 0)).unwrap()
    };
    let nested = {
        let (order, inside, kept) = (order.clone(), device.clone(), kept.clone());
        let call = move |_| {
            let _ = order.try_push("nested");
            // All is taken: this climbs to the top and must not come back here.
            let refused = inside.allocate(2 * MIB).unwrap_err();
            assert!(matches!(refused, RuntimeError::OutOfMemory { .. }), "{refused:?}");
            kept.0.try_pop().map_or(0, |buffer| buffer.bytes())
        };
        device.register_reclaimer(call).unwrap()
    };
    let never = device.register_reclaimer(|_| panic!("asked although the memory is there")).unwrap();
    filled(&device, 2 * MIB);
    assert_eq!((order.try_pop(), order.try_pop(), order.try_pop()), (Some("nothing"), Some("nested"), None));
    drop((nothing, nested, never));
}

#[test]
fn a_panic_in_a_reclaimer_leaves_the_next_one_its_turn() {
    let device = device(4 * MIB, 0);
    let kept = store(&device, 2, 2 * MIB);
    let panics = device.register_reclaimer(|_| std::panic::resume_unwind(Box::new(()))).unwrap();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| device.allocate(2 * MIB)));
    assert!(caught.is_err());
    drop(panics);
    let frees = {
        let kept = kept.clone();
        device.register_reclaimer(move |_| kept.0.try_pop().map_or(0, |buffer| buffer.bytes())).unwrap()
    };
    device.allocate(2 * MIB).unwrap();
    drop(frees);
}

#[test]
fn threads_that_fight_for_a_tight_budget_are_never_refused_what_is_there() {
    // Four threads, room for four blocks, and each holds one at a time: a refusal would mean that a block on its way was overlooked.
    let device = device(4 * MIB, 2 * MIB);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for i in 0..400 {
                    let buffer = device.allocate(MIB - (i % 3) * 4096).unwrap();
                    drop(buffer);
                    if i % 16 == 0 {
                        device.leave_thread();
                    }
                }
            });
        }
    });
    assert_eq!(device.memory_stats().live_bytes, 0);
}
