//! Normal numbers: the right ones, wherever a launch begins.

use millstream_hal::{Kernel, PhiloxKey};

use super::Make;
use super::rig::{Rig, assert_near};

pub(super) fn normals_follow_philox_and_box_muller(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    let keys = [
        PhiloxKey { seed: 0, sequence: 0, offset: 0 },
        PhiloxKey { seed: 0xdead_beef_1234_5678, sequence: 1, offset: 12_345 },
        PhiloxKey { seed: 42, sequence: u64::MAX, offset: u64::from(u32::MAX) - 2 },
        PhiloxKey { seed: u64::MAX, sequence: 1 << 40, offset: u64::MAX - 3 },
    ];
    for key in keys {
        for elements in [0, 1, 2, 3, 4, 5, 7, 8, 63, 64, 65, 1_000, 100_003] {
            let kernel = Kernel::Randn { elements, key };
            let result = rig.both(&mut lane, kernel, elements, &[]);
            assert_near(&result, &kernel, |i| 1e-5 + 1e-5 * f64::from(result[1][i].abs()));
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
