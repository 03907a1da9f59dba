//! Sums, means, greatest elements and their places, over all axes or some.
//!
//! Sums of floats are within `4 log2(n) eps sum |x|` of the double-precision ones, the error of a balanced tree (Higham 1993), in the type that
//! is computed in, and are rounded once to the type of the result. All else is exact.

use millstream_hal::{DType, Kernel, Layout, ReduceOp};

use super::Make;
use super::rig::{Lane, Rig, layout};
use super::typed::{assert_exact, assert_near, both, computed_epsilon, elements, floats, some_views, tame};

const SIZES: [usize; 15] = [1, 2, 3, 4, 5, 7, 8, 63, 64, 65, 1_000, 4_096, 4_097, 65_537, 1_000_003];
/// Shapes, and how many axes are kept.
const SHAPES: [(&[usize], u8); 14] = [
    (&[37, 53], 1),
    (&[], 0),
    (&[37, 53], 0),
    (&[37, 53], 2),
    (&[3, 1_500], 1),
    (&[1_500, 3], 1),
    (&[5, 6, 7], 0),
    (&[5, 6, 7], 1),
    (&[5, 6, 7], 2),
    (&[0, 4], 1),
    (&[40, 1], 1),
    (&[2, 70_000], 1),
    (&[100, 129], 1),
    (&[3, 40, 2, 30], 2),
];

pub(super) fn sums_and_means_are_within_their_bound(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    for op in [ReduceOp::Mean, ReduceOp::Sum] {
        for n in SIZES {
            sum(&rig, &mut lane, op, DType::F32, layout(&[n]), 0);
        }
        for (turn, dtype) in DType::ALL.into_iter().filter(|dtype| op.takes(*dtype)).enumerate() {
            for ((shape, kept), lie) in some_views(turn, &SHAPES) {
                sum(&rig, &mut lane, op, dtype, lie.view(shape), kept);
            }
        }
    }
    lane.end();
    rig.end();
}

fn sum(rig: &Rig, lane: &mut Lane, op: ReduceOp, dtype: DType, a: Layout, kept: u8) {
    let x = tame(dtype, a.elements() as u64, a.extent());
    let kernel = Kernel::Reduce { op, dtype, a, kept };
    let result = both(rig, lane, &kernel, &[&x]);
    if !dtype.is_float() {
        return assert_exact(op.result(dtype), &result, &kernel);
    }
    let each: usize = a.sizes()[usize::from(kept)..].iter().map(|size| *size as usize).product();
    let all = floats(dtype, &a, &x);
    let scale = 4.0 * (each as f64).log2().max(1.0) * computed_epsilon(dtype);
    let divisor = if op == ReduceOp::Mean { each as f64 } else { 1.0 };
    let bound = |i: usize, y: f64| {
        let absolute: f64 = all[i * each..(i + 1) * each].iter().map(|x| x.abs()).sum();
        scale * absolute / divisor + dtype.epsilon() * y.abs()
    };
    assert_near(dtype, &result, &kernel, bound);
}

pub(super) fn the_greatest_and_its_place_are_exact(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    for op in [ReduceOp::Max, ReduceOp::ArgMax] {
        for (turn, dtype) in DType::ALL.into_iter().enumerate() {
            for ((shape, kept), lie) in some_views(turn, &SHAPES) {
                let a = lie.view(shape);
                let kernel = Kernel::Reduce { op, dtype, a, kept };
                // With hard values, NaN among them, and without: equal ones are plenty among integers and bools.
                for x in [elements(dtype, 4, a.extent()), tame(dtype, 5, a.extent())] {
                    assert_exact(op.result(dtype), &both(&rig, &mut lane, &kernel, &[&x]), &kernel);
                }
            }
        }
        let a = layout(&[400_000]);
        let kernel = Kernel::Reduce { op, dtype: DType::F32, a, kept: 0 };
        let x = tame(DType::F32, 6, a.extent());
        assert_exact(op.result(DType::F32), &both(&rig, &mut lane, &kernel, &[&x]), &kernel);
    }
    lane.end();
    rig.end();
}

pub(super) fn an_empty_sum_is_zero_and_an_empty_mean_is_nan(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    for dtype in DType::ALL {
        for (a, kept) in [(layout(&[0]), 0), (layout(&[3, 0]), 0), (layout(&[3, 0]), 1)] {
            for op in [ReduceOp::Sum, ReduceOp::Mean].into_iter().filter(|op| op.takes(dtype)) {
                let kernel = Kernel::Reduce { op, dtype, a, kept };
                assert_exact(op.result(dtype), &both(&rig, &mut lane, &kernel, &[&[]]), &kernel);
            }
        }
    }
    lane.end();
    rig.end();
}
