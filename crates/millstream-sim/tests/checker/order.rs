//! Order between streams.

use millstream_hal::Backend;

use super::rig::{Rig, SEEDS};

#[test]
fn a_missing_wait_is_a_race_whatever_the_order_of_execution() {
    for seed in SEEDS {
        let rig = Rig::new(seed);
        rig.fill(rig.a, 0, 64, 1.0);
        rig.copy(rig.b, 128, 0, 64);
        rig.finish();
        let races = rig.sim.races();
        assert_eq!(races.len(), 1, "seed {seed}: {:?}", rig.sim.findings());
        let mut kernels = [races[0].first.kernel, races[0].second.kernel];
        kernels.sort_unstable();
        assert_eq!((kernels, races[0].range.clone()), (["copy", "fill"], 0..256));
    }
}

#[test]
fn a_wait_orders_a_reader_after_its_writer() {
    for seed in SEEDS {
        let rig = Rig::new(seed);
        rig.fill(rig.a, 0, 64, 1.0);
        rig.order(rig.a, rig.b);
        rig.copy(rig.b, 128, 0, 64);
        rig.assert_clean();
    }
}

#[test]
fn a_wait_on_a_mark_before_the_write_orders_nothing() {
    for seed in SEEDS {
        let rig = Rig::new(seed);
        let early = rig.record(rig.a);
        rig.fill(rig.a, 0, 64, 1.0);
        rig.sim.wait(rig.b, early).unwrap();
        rig.copy(rig.b, 128, 0, 64);
        rig.finish();
        assert_eq!(rig.sim.races().len(), 1, "seed {seed}");
    }
}

#[test]
fn early_reuse_is_a_race_with_the_reader() {
    for seed in SEEDS {
        let rig = Rig::new(seed);
        rig.fill(rig.a, 0, 64, 1.0);
        rig.order(rig.a, rig.b);
        rig.copy(rig.b, 128, 0, 64);
        rig.fill(rig.a, 0, 64, 2.0);
        rig.finish();
        assert_eq!(rig.sim.races().len(), 1, "seed {seed}");
    }
}

#[test]
fn a_lost_second_user_is_a_race_though_the_first_was_waited_for() {
    for seed in SEEDS {
        let rig = Rig::new(seed);
        let c = rig.sim.create_stream().unwrap();
        rig.fill(rig.a, 0, 64, 1.0);
        let written = rig.record(rig.a);
        for (stream, to) in [(rig.b, 128), (c, 256)] {
            rig.sim.wait(stream, written).unwrap();
            rig.copy(stream, to, 0, 64);
        }
        rig.order(rig.b, rig.a);
        rig.fill(rig.a, 0, 64, 2.0);
        rig.order(c, rig.a);
        rig.finish();
        let races = rig.sim.races();
        assert_eq!(races.len(), 1, "seed {seed}");
        assert!([races[0].first.stream, races[0].second.stream].contains(&c.0));
    }
}

#[test]
fn order_passes_through_a_third_stream() {
    for seed in SEEDS {
        let rig = Rig::new(seed);
        let c = rig.sim.create_stream().unwrap();
        rig.fill(rig.a, 0, 64, 1.0);
        rig.order(rig.a, c);
        rig.order(c, rig.b);
        rig.copy(rig.b, 128, 0, 64);
        rig.order(rig.b, rig.a);
        rig.fill(rig.a, 0, 64, 2.0);
        rig.assert_clean();
    }
}

#[test]
fn a_completion_seen_by_the_host_orders_what_is_enqueued_later() {
    for seed in SEEDS {
        let rig = Rig::new(seed);
        rig.fill(rig.a, 0, 64, 1.0);
        rig.finish();
        rig.copy(rig.b, 128, 0, 64);
        rig.assert_clean();
    }
}

#[test]
fn a_completion_that_the_host_did_not_see_orders_nothing() {
    for seed in SEEDS {
        let rig = Rig::new(seed);
        rig.fill(rig.a, 0, 64, 1.0);
        // The device may well have run it: nobody was told.
        let other = rig.record(rig.b);
        rig.sim.synchronize(other, None).unwrap();
        rig.copy(rig.b, 128, 0, 64);
        rig.finish();
        assert_eq!(rig.sim.races().len(), 1, "seed {seed}");
    }
}

#[test]
fn readers_of_the_same_bytes_need_no_order() {
    for seed in SEEDS {
        let rig = Rig::new(seed);
        rig.fill(rig.a, 0, 64, 1.0);
        rig.order(rig.a, rig.b);
        rig.copy(rig.a, 128, 0, 64);
        rig.copy(rig.b, 256, 0, 64);
        rig.assert_clean();
    }
}

#[test]
fn neighbouring_blocks_need_no_order() {
    for seed in SEEDS {
        let rig = Rig::new(seed);
        rig.fill(rig.a, 0, 64, 1.0);
        rig.fill(rig.b, 64, 64, 1.0);
        rig.assert_clean();
    }
}
