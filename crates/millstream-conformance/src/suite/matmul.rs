//! Matrix products against the double-precision ones.
//!
//! The bound per element is `4 sqrt(k) eps (|A||B|)`: rounding errors of a sum of `k` products add up like a random walk (Higham and Mary,
//! "A new approach to probabilistic rounding error analysis", 2019), four times for safety.

use millstream_hal::{DType, Kernel, Layout};

use super::Make;
use super::rig::{Lane, Rig, assert_exact, assert_near, layout, values};

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

#[derive(Clone, Copy, Debug)]
enum Order {
    Rows,
    Columns,
    /// Rows inside a wider matrix, not from its start.
    Part,
}

impl Order {
    fn view(self, rows: usize, columns: usize) -> (Layout, usize) {
        let view = match self {
            Self::Rows => layout(&[rows, columns]),
            Self::Columns => layout(&[columns, rows]).transposed(0, 1),
            Self::Part => {
                let whole = layout(&[rows + 1, columns + 5]);
                let narrow = |view: Layout, axis, from, n| view.narrowed(axis, from, n).expect("inside");
                narrow(narrow(whole, 0, 1, rows), 1, 3, columns)
            }
        };
        (view, view.extent())
    }
}

pub(super) fn products_are_within_their_bound(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    for shape in SHAPES {
        for orders in [(Order::Rows, Order::Rows), (Order::Columns, Order::Columns), (Order::Part, Order::Part)] {
            compare(&rig, &mut lane, shape, orders);
        }
    }
    compare(&rig, &mut lane, [65, 33, 40], (Order::Rows, Order::Columns));
    compare(&rig, &mut lane, [65, 33, 40], (Order::Columns, Order::Part));
    lane.end();
    rig.end();
}

fn compare(rig: &Rig, lane: &mut Lane, [m, n, k]: [usize; 3], orders: (Order, Order)) {
    let ((a, a_words), (b, b_words)) = (orders.0.view(m, k), orders.1.view(k, n));
    let (x, y) = (values(m as u64, a_words), values(n as u64 + 1_000, b_words));
    let kernel = Kernel::Matmul { dtype: DType::F32, a, b };
    let result = rig.both(lane, kernel, m * n, &[&x, &y]);
    let element = |view: &Layout, all: &[f32], r: usize, c: usize| {
        f64::from(all[view.offset() + r * view.stride(0) + c * view.stride(1)].abs())
    };
    let scale = 4.0 * (k as f64).sqrt() * f64::from(f32::EPSILON);
    let bound = |i: usize| {
        let (r, c) = (i / n, i % n);
        scale * (0..k).map(|j| element(&a, &x, r, j) * element(&b, &y, j, c)).sum::<f64>()
    };
    assert_near(&result, &(kernel.name(), [m, n, k], orders), bound);
}

pub(super) fn an_empty_inner_dimension_gives_zeros(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    for [m, n] in [[1, 1], [5, 7], [40, 70]] {
        let kernel = Kernel::Matmul { dtype: DType::F32, a: layout(&[m, 0]), b: layout(&[0, n]) };
        assert_exact(&rig.both(&mut lane, kernel, m * n, &[&[], &[]]), &kernel);
    }
    lane.end();
    rig.end();
}
