//! Sums and means: within `4 log2(n) eps sum |x|` of the double-precision ones, the error of a balanced tree (Higham 1993).

use millstream_hal::{DType, Kernel, Layout, ReduceOp};

use super::Make;
use super::rig::{Lane, Rig, assert_near, layout, values};

const SIZES: [usize; 15] = [1, 2, 3, 4, 5, 7, 8, 63, 64, 65, 1_000, 4_096, 4_097, 65_537, 1_000_003];

pub(super) fn sums_and_means_are_within_their_bound(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    for n in SIZES {
        compare(&rig, &mut lane, layout(&[n]));
    }
    for shape in [[1, 9], [37, 53], [200, 301]] {
        compare(&rig, &mut lane, layout(&shape).transposed(0, 1));
    }
    compare(&rig, &mut lane, layout(&[]));
    compare(&rig, &mut lane, layout(&[5, 6, 7]).transposed(0, 2));
    lane.end();
    rig.end();
}

fn compare(rig: &Rig, lane: &mut Lane, a: Layout) {
    let n = a.elements();
    let x = values(n as u64, n);
    let absolute: f64 = x.iter().map(|v| f64::from(v.abs())).sum();
    let bound = 4.0 * (n as f64).log2().max(1.0) * f64::from(f32::EPSILON) * absolute;
    for (op, bound) in [(ReduceOp::Sum, bound), (ReduceOp::Mean, bound / n as f64)] {
        let kernel = Kernel::Reduce { op, dtype: DType::F32, a, kept: 0 };
        assert_near(&rig.both(lane, kernel, 1, &[&x]), &kernel, |_| bound);
    }
}

pub(super) fn an_empty_sum_is_zero_and_an_empty_mean_is_nan(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    for a in [layout(&[0]), layout(&[3, 0])] {
        let [sum, _] =
            rig.both(&mut lane, Kernel::Reduce { op: ReduceOp::Sum, dtype: DType::F32, a, kept: 0 }, 1, &[&[]]);
        let [mean, _] =
            rig.both(&mut lane, Kernel::Reduce { op: ReduceOp::Mean, dtype: DType::F32, a, kept: 0 }, 1, &[&[]]);
        assert!(sum[0] == 0.0 && mean[0].is_nan(), "sum {} and mean {} of nothing", sum[0], mean[0]);
    }
    lane.end();
    rig.end();
}
