//! Growth with threads that really sleep: a scheduled run cannot see a lost wake-up, since its waits look again by themselves.

use std::time::{Duration, Instant};

use millstream::evidence::Step;
use millstream_sync::atomic::{AtomicU32, Ordering};
use millstream_sync::{Arc, Progress};

use crate::leaks::cpu;

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
