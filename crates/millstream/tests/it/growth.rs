//! Growth with threads that really sleep: a scheduled run cannot see a lost wake-up, since its waits look again by themselves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use millstream::evidence::Step;
use millstream_sync::atomic::{AtomicU32, Ordering};
use millstream_sync::{Arc, Progress};

use crate::known::{Fails, Known};
use crate::leaks::{self, cpu};

const THREADS: u32 = 3;
/// Threads that slept through another's growth before the test is content.
const WANTED: u64 = 5;
const LIMIT: Duration = Duration::from_secs(20);

/// Waits until all threads have come here for the n-th time.
fn meet(arrived: &AtomicU32, times: u32) {
    arrived.fetch_add(1, Ordering::AcqRel);
    while arrived.load(Ordering::Acquire) < times * THREADS {
        std::thread::yield_now();
    }
}

#[test]
fn who_waits_for_the_growth_of_another_is_woken() {
    let device = cpu::open_with(cpu::CpuOptions::inline(), |options| options.cache_bytes_max = 0).unwrap();
    let (arrived, rounds, ended) =
        (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)), Arc::new(Progress::new()));
    let until = Instant::now() + LIMIT / 2;
    for thread in 0..THREADS {
        let (device, arrived, rounds, ended) = ((*device).clone(), arrived.clone(), rounds.clone(), ended.clone());
        std::thread::spawn(move || {
            let mut times = 0;
            loop {
                meet(&arrived, times + 1);
                // Nothing is left of the round before: all want a segment.
                let block = device.allocate(4096).expect("room for one each");
                meet(&arrived, times + 2);
                drop(block);
                meet(&arrived, times + 3);
                if thread == 0 {
                    device.leave_thread();
                    device.trim();
                    let enough = device.evidence().count(Step::RacedGrowth) >= WANTED || Instant::now() >= until;
                    rounds.store(u32::from(enough), Ordering::Release);
                }
                meet(&arrived, times + 4);
                times += 4;
                if rounds.load(Ordering::Acquire) == 1 {
                    break;
                }
            }
            device.leave_thread();
            drop(device);
            meet(&arrived, times + 1);
            if thread == 0 {
                ended.advance(1);
            }
        });
    }
    assert!(ended.wait(1, Some(LIMIT)), "a thread sleeps through the end of a growth");
    assert!(device.evidence().count(Step::RacedGrowth) > 0, "no two threads ever grew at the same time");
}

#[test]
fn a_panic_of_the_device_ends_the_turn_and_wakes_who_waits_for_it() {
    let (known, device) = Known::open();
    known.fail(Fails::Growth);
    let panicked = Arc::new(AtomicU32::new(0));
    let threads = [(); 2].map(|()| {
        let (device, panicked) = (device.clone(), panicked.clone());
        std::thread::spawn(move || {
            let allocated = catch_unwind(AssertUnwindSafe(|| device.allocate(4096)));
            match allocated {
                Ok(block) => drop(block.expect("room for one each")),
                Err(_) => drop(panicked.fetch_add(1, Ordering::Relaxed)),
            }
            device.leave_thread();
        })
    });
    let wait = |come: &dyn Fn() -> bool| {
        let until = Instant::now() + LIMIT;
        while !come() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    // One is inside the device, the other waits for it, or is about to.
    wait(&|| device.evidence().count(Step::RacedGrowth) > 0);
    known.fail(Fails::GrowthOnce);
    wait(&|| threads.iter().all(|thread| thread.is_finished()));
    assert!(threads.iter().all(|thread| thread.is_finished()), "a thread waits for a turn that nobody has");
    for thread in threads {
        thread.join().expect("the panic was caught");
    }
    assert_eq!(panicked.load(Ordering::Relaxed), 1);
    assert_eq!(device.memory_stats().reserved_bytes, 2 << 20, "the bytes of the turn that panicked are free again");
    leaks::check(&device);
}
