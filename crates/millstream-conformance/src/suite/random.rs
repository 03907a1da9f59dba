//! Normal and uniform numbers: the right ones, wherever a launch begins.

use millstream_hal::{DType, Kernel, PhiloxKey};

use super::Make;
use super::rig::Rig;
use super::typed::{assert_near, both};

const KEYS: [PhiloxKey; 4] = [
    PhiloxKey { seed: 0, sequence: 0, offset: 0 },
    PhiloxKey { seed: 0xdead_beef_1234_5678, sequence: 1, offset: 12_345 },
    PhiloxKey { seed: 42, sequence: u64::MAX, offset: u32::MAX as u64 - 2 },
    PhiloxKey { seed: u64::MAX, sequence: 1 << 40, offset: u64::MAX - 3 },
];

pub(super) fn normals_follow_philox_and_box_muller(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    for key in KEYS {
        for elements in [0, 1, 2, 3, 4, 5, 7, 8, 63, 64, 65, 1_000, 100_003] {
            let kernel = Kernel::Randn { elements, key };
            let result = both(&rig, &mut lane, &kernel, &[]);
            assert_near(DType::F32, &result, &kernel, |_, y| 1e-5 + 1e-5 * y.abs());
        }
    }
    lane.end();
    rig.end();
}

pub(super) fn uniform_numbers_follow_philox_and_stay_below_their_end(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    let ranges = [(0.0f32, 1.0f32), (-3.0, 5.0), (1.0, 1.0f32.next_up()), (-1e30, -0.999_999e30)];
    for (key, (low, high)) in KEYS.into_iter().zip(ranges) {
        for elements in [0, 1, 3, 4, 65, 1_000, 300_001] {
            let kernel = Kernel::Uniform { elements, low, high, key };
            let result = both(&rig, &mut lane, &kernel, &[]);
            // One rounding of the sum, which the interpreter makes too.
            let bound = f64::from(f32::EPSILON) * f64::from(low.abs().max(high.abs()));
            assert_near(DType::F32, &result, &kernel, |_, _| bound);
            let inside = |word: &[u8; 4]| (low..high).contains(&f32::from_le_bytes(*word));
            assert!(result[0].as_chunks().0.iter().all(inside), "{kernel:?} left its range");
        }
    }
    lane.end();
    rig.end();
}

pub(super) fn a_launch_continues_where_its_offset_says(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    let (whole, parts) = (rig.block(4_096), rig.block(4_096));
    let key = |offset| PhiloxKey { seed: 5, sequence: 6, offset };
    lane.launch(Kernel::Randn { elements: 4_096, key: key(100) }, &[whole.out()]);
    for (from, elements) in [(0, 256), (256, 1_024), (1_280, 2_816)] {
        let kernel = Kernel::Randn { elements, key: key(100 + from as u64 / 4) };
        lane.launch(kernel, &[parts.part(from, elements).out()]);
    }
    let [whole, parts] = [whole, parts].map(|block| rig.bits(&mut lane, block));
    assert!(whole == parts, "one launch and three that continue each other differ");
    lane.end();
    rig.end();
}
