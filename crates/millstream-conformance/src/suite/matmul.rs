//! Matrix products against the double-precision ones.
//!
//! The bound per element is `4 sqrt(k) eps (|A||B|)` with the epsilon of the type that is computed in: rounding errors of a sum of `k` products
//! add up like a random walk (Higham and Mary, "A new approach to probabilistic rounding error analysis", 2019), four times for
//! safety; and one rounding to the type of the result. Integers are exact.

use millstream_hal::{DType, Kernel, Layout};

use super::Make;
use super::rig::{Lane, Rig, layout};
use super::typed::{Lie, assert_exact, assert_near, both, computed_epsilon, floats, tame};

/// Rows, columns, inner.
const SHAPES: [[usize; 3]; 14] = [
    [1, 1, 1],
    [0, 3, 2],
    [3, 0, 2],
    [1, 7, 5],
    [7, 1, 3],
    [2, 2, 1],
    [17, 19, 23],
    [64, 64, 64],
    [33, 65, 129],
    [1, 300, 200],
    [300, 1, 200],
    [128, 256, 64],
    [100, 100, 1_000],
    [256, 256, 256],
];

const TYPES: [DType; 5] = [DType::F32, DType::F64, DType::F16, DType::BF16, DType::I64];

pub(super) fn products_are_within_their_bound(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    for [m, n, k] in SHAPES {
        // The large ones in one type and as they lie.
        let small = m * n * k < 300_000;
        for dtype in TYPES.into_iter().filter(|dtype| small || *dtype == DType::F32) {
            for (left, right) in [(Lie::Whole, Lie::Whole), (Lie::Turned, Lie::Turned), (Lie::Part, Lie::Part)] {
                compare(&rig, &mut lane, dtype, left.view(&[m, k]), right.view(&[k, n]));
            }
        }
    }
    for dtype in TYPES {
        let mixed = [(Lie::Whole, Lie::Turned), (Lie::Turned, Lie::Part), (Lie::Repeated, Lie::One)];
        for (left, right) in mixed {
            compare(&rig, &mut lane, dtype, left.view(&[65, 40]), right.view(&[40, 33]));
        }
    }
    lane.end();
    rig.end();
}

pub(super) fn a_batch_is_one_product_after_the_other(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    for dtype in TYPES {
        for (i, left) in Lie::ALL.into_iter().enumerate() {
            for right in [left, Lie::ALL[(i + 1) % 5], Lie::ALL[(i + 3) % 5]] {
                compare(&rig, &mut lane, dtype, left.view(&[3, 2, 5, 7]), right.view(&[3, 2, 7, 6]));
            }
        }
        compare(&rig, &mut lane, dtype, layout(&[0, 2, 3]), layout(&[0, 3, 4]));
        compare(&rig, &mut lane, dtype, layout(&[40, 9, 8]), layout(&[40, 8, 9]));
    }
    lane.end();
    rig.end();
}

fn compare(rig: &Rig, lane: &mut Lane, dtype: DType, a: Layout, b: Layout) {
    let dims = a.dims();
    let (m, k, n) = (a.size(dims - 2), a.size(dims - 1), b.size(dims - 1));
    let (x, y) = (tame(dtype, m as u64, a.extent()), tame(dtype, n as u64 + 1_000, b.extent()));
    let kernel = Kernel::Matmul { dtype, a, b };
    let result = both(rig, lane, &kernel, &[&x, &y]);
    if dtype == DType::I64 {
        return assert_exact(dtype, &result, &kernel);
    }
    let (left, right) = (floats(dtype, &a, &x), floats(dtype, &b, &y));
    let scale = 4.0 * (k as f64).sqrt() * computed_epsilon(dtype);
    let bound = |i: usize, y: f64| {
        let (product, r, c) = (i / (m * n), i / n % m, i % n);
        let term = |j: usize| (left[(product * m + r) * k + j] * right[(product * k + j) * n + c]).abs();
        scale * (0..k).map(term).sum::<f64>() + dtype.epsilon() * y.abs()
    };
    assert_near(dtype, &result, &kernel, bound);
}

pub(super) fn an_empty_inner_dimension_gives_zeros(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    for dtype in TYPES {
        for [m, n] in [[1, 1], [5, 7], [40, 70]] {
            let kernel = Kernel::Matmul { dtype, a: layout(&[m, 0]), b: layout(&[0, n]) };
            assert_exact(dtype, &both(&rig, &mut lane, &kernel, &[&[], &[]]), &kernel);
        }
    }
    lane.end();
    rig.end();
}
