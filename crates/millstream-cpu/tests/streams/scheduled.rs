//! Drivers that come and go, in runs whose interleaving a seed decides.

use millstream_cpu::CpuOptions;
use millstream_hal::{Backend, BinaryOp, Launched};
use millstream_sync::atomic::{AtomicU32, Ordering};
use millstream_sync::{Arc, OwnedCell, schedule};

use crate::rig::{Rig, binary};

const SEEDS: u64 = 300;

#[test]
fn an_item_that_comes_while_the_driver_leaves_is_not_stranded() {
    for seed in 0..SEEDS {
        let rig = Rig::new(CpuOptions::inline());
        let x = rig.buffer(1);
        let lane = rig.lane();
        let raw = lane.raw;
        let shared = Arc::new((rig, OwnedCell::new(lane)));
        let body = || -> Box<dyn FnOnce() + Send> {
            let shared = Arc::clone(&shared);
            Box::new(move || {
                for _ in 0..3 {
                    // No exchange of threads inside: one enqueuer at a time.
                    shared.1.try_with(|lane| shared.0.fill(lane, x, 1.0)).unwrap();
                    shared.0.backend.drive(raw);
                }
            })
        };
        let outcome = schedule::run(seed, vec![body(), body(), body()]);
        assert!(outcome.is_clean(), "{}", outcome.trace_text());
        assert_eq!(shared.0.backend.completed(raw), Some(9), "seed {seed}");
    }
}

/// Each thread makes `x = x + x` and `x = x + 1` in turn, so that another order is another number.
#[test]
fn a_kept_launch_has_its_place_among_those_of_other_threads() {
    let (kept, queued) = (AtomicU32::new(0), AtomicU32::new(0));
    for seed in 0..SEEDS {
        let rig = Rig::new(CpuOptions::inline());
        let (x, one) = (rig.buffer(1), rig.buffer(1));
        let lane = rig.lane();
        rig.fill(&lane, one, 1.0);
        rig.drive(&lane);
        let raw = lane.raw;
        // The number that the launches make in the order in which they were enqueued.
        let shared = Arc::new((rig, OwnedCell::new((lane, 0f32))));
        let counts = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
        let body = |turn: usize| -> Box<dyn FnOnce() + Send> {
            let (shared, counts) = (Arc::clone(&shared), Arc::clone(&counts));
            Box::new(move || {
                for round in turn..turn + 4 {
                    // No exchange of threads inside: one enqueuer at a time.
                    let enqueued = shared.1.try_with(|(lane, expected)| {
                        let (other, next) = if round % 2 == 0 { (one, *expected + 1.0) } else { (x, *expected * 2.0) };
                        *expected = next;
                        let (kernel, operands) = binary(BinaryOp::Add, x, x, other);
                        shared.0.launch_or_keep(lane, kernel, &operands)
                    });
                    let enqueued = enqueued.unwrap();
                    counts[usize::from(enqueued.1 == Launched::Queued)].fetch_add(1, Ordering::Relaxed);
                    schedule::point(schedule::Point::Backend);
                    shared.0.go_on(raw, enqueued);
                }
            })
        };
        let outcome = schedule::run(seed, vec![body(0), body(1), body(2)]);
        assert!(outcome.is_clean(), "{}", outcome.trace_text());
        assert_eq!(shared.0.backend.completed(raw), Some(13), "seed {seed}");
        let expected = shared.1.try_with(|(_, expected)| *expected).unwrap();
        assert_eq!(shared.0.read(x), [expected], "seed {seed}");
        kept.fetch_add(counts[0].load(Ordering::Relaxed), Ordering::Relaxed);
        queued.fetch_add(counts[1].load(Ordering::Relaxed), Ordering::Relaxed);
    }
    let (kept, queued) = (kept.load(Ordering::Relaxed), queued.load(Ordering::Relaxed));
    assert!(kept > 100 && queued > 100, "{kept} were kept and {queued} queued");
}

#[test]
fn streams_that_wait_for_each_other_come_to_an_end_whoever_drives() {
    for seed in 0..SEEDS {
        let rig = Rig::new(CpuOptions::inline());
        let lanes = [rig.lane(), rig.lane(), rig.lane()];
        let x = rig.buffer(1);
        // All is enqueued; each body drives one stream only.
        rig.fill(&lanes[0], x, 1.0);
        for turn in 1..12 {
            let event = rig.mark(&lanes[(turn - 1) % 3]);
            rig.wait(&lanes[turn % 3], event);
            rig.binary(&lanes[turn % 3], millstream_hal::BinaryOp::Add, x, x, x);
        }
        let raws = [lanes[0].raw, lanes[1].raw, lanes[2].raw];
        let rig = Arc::new(rig);
        let body = |raw| -> Box<dyn FnOnce() + Send> {
            let rig = Arc::clone(&rig);
            Box::new(move || rig.backend.drive(raw))
        };
        let outcome = schedule::run(seed, raws.map(body).into_iter().collect());
        assert!(outcome.is_clean(), "{}", outcome.trace_text());
        for raw in raws {
            assert_eq!(rig.backend.completed(raw), Some(4), "seed {seed}");
        }
        assert_eq!(rig.read(x), [2048.0], "seed {seed}");
    }
}
