//! Drivers that come and go, in runs whose interleaving a seed decides.

use millstream_cpu::CpuOptions;
use millstream_hal::Backend;
use millstream_sync::{Arc, OwnedCell, schedule};

use crate::rig::Rig;

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
