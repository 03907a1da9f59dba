//! Short random programs over several streams, each compared with its sequential meaning, each ending in quiescence.

use millstream_cpu::CpuOptions;
use millstream_hal::{Backend, BinaryOp, EventStatus};

use crate::rig::{Lane, Rig};

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }
}

const LANES: usize = 4;
const BUFFERS: usize = 5;

/// Makes `lane` wait for the last users of a buffer, and becomes one.
fn order(rig: &Rig, lanes: &[Lane], lane: usize, used_by: &mut [usize; BUFFERS], buffers: &[usize]) {
    for b in buffers {
        if used_by[*b] != lane {
            let event = rig.mark(&lanes[used_by[*b]]);
            rig.wait(&lanes[lane], event);
            rig.backend.destroy_event(event).unwrap();
            used_by[*b] = lane;
        }
    }
}

fn episode(rig: &Rig, lanes: &[Lane], seed: u64, drive_late: bool) {
    let mut dice = Dice(seed);
    let buffers: Vec<_> = (0..BUFFERS).map(|_| rig.buffer(3)).collect();
    let mut expected = [0f32; BUFFERS];
    let mut used_by = [0usize; BUFFERS];
    for _ in 0..40 {
        let lane = dice.roll(LANES);
        let (out, a, b) = (dice.roll(BUFFERS), dice.roll(BUFFERS), dice.roll(BUFFERS));
        order(rig, lanes, lane, &mut used_by, &[out, a, b]);
        match dice.roll(5) {
            0 => {
                let value = dice.roll(7) as f32;
                rig.fill(&lanes[lane], buffers[out], value);
                expected[out] = value;
            }
            1 if a != out => {
                rig.copy(&lanes[lane], buffers[out], buffers[a]);
                expected[out] = expected[a];
            }
            2 => rig.spin(&lanes[lane], dice.roll(60) as u32),
            _ => {
                rig.binary(&lanes[lane], BinaryOp::Add, buffers[out], buffers[a], buffers[b]);
                expected[out] = expected[a] + expected[b];
            }
        }
        if !drive_late || dice.roll(9) == 0 {
            rig.drive(&lanes[lane]);
        }
    }
    for lane in lanes {
        assert_eq!(rig.finish(lane), Ok(EventStatus::Done), "seed {seed}");
    }
    for (buffer, value) in buffers.iter().zip(expected) {
        assert_eq!(rig.read(*buffer), [value; 3], "seed {seed}");
    }
}

#[test]
fn inline_programs_mean_what_they_mean_in_sequence() {
    let rig = Rig::new(CpuOptions { queue_capacity: 8, ..CpuOptions::inline() });
    let lanes: Vec<_> = (0..LANES).map(|_| rig.lane()).collect();
    for seed in 0..400 {
        episode(&rig, &lanes, seed, seed % 2 == 0);
    }
    assert!(rig.backend.statistics().drives_for_a_wait > 0);
}

#[test]
fn queued_programs_under_seeded_delays_mean_what_they_mean_in_sequence() {
    let options = CpuOptions { queue_capacity: 8, delay_seed: Some(11), delay_micros_max: 60, ..CpuOptions::queued() };
    let rig = Rig::new(options);
    let lanes: Vec<_> = (0..LANES).map(|_| rig.lane()).collect();
    for seed in 0..150 {
        episode(&rig, &lanes, seed, false);
    }
    let statistics = rig.backend.statistics();
    assert!(statistics.items_delayed > 0 && statistics.waits_blocked > 0, "{statistics:?}");
}

#[test]
fn programs_of_several_threads_over_one_inline_device_do_not_disturb_each_other() {
    let rig = Rig::new(CpuOptions::inline());
    std::thread::scope(|scope| {
        for thread in 0..6u64 {
            let rig = &rig;
            scope.spawn(move || {
                let lanes: Vec<_> = (0..LANES).map(|_| rig.lane()).collect();
                for seed in 0..60 {
                    episode(rig, &lanes, thread << 32 | seed, seed % 3 == 0);
                }
                lanes.iter().for_each(|lane| rig.backend.destroy_stream(lane.raw).unwrap());
            });
        }
    });
}
