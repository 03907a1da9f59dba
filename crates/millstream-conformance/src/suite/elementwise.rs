//! Fill, poison, add, mul, copy: exact to the bit.

use millstream_hal::{BinaryOp, DType, Kernel, Layout};

use super::Make;
use super::rig::{Rig, assert_exact, binary, fill, layout, values};

/// Sizes around the widths of vectors, unrolled loops and chunks.
const SIZES: [usize; 14] = [0, 1, 2, 3, 4, 5, 7, 8, 31, 64, 65, 1_000, 4_097, 300_001];

/// Views of the same number of elements: contiguous, transposed, of three dimensions, with axes of one or none.
fn views() -> Vec<Layout> {
    let mut all = vec![layout(&[]), layout(&[0, 5]), layout(&[1, 1]), layout(&[7]), layout(&[37, 53])];
    for shape in [[1, 9], [9, 1], [2, 3], [37, 53], [64, 64], [0, 4], [200, 301]] {
        all.push(layout(&shape).transposed(0, 1));
    }
    for (a, b) in [(0, 2), (0, 1), (1, 2)] {
        all.push(layout(&[5, 6, 7]).transposed(a, b));
    }
    all
}

pub(super) fn a_fill_writes_its_value_and_no_more(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    for elements in SIZES {
        for value in [1.5, -0.0, f32::INFINITY, f32::MIN_POSITIVE / 2.0] {
            let kernel = fill(elements, value);
            assert_exact(&rig.both(&mut lane, kernel, elements, &[]), &kernel);
        }
    }
    lane.end();
    rig.end();
}

pub(super) fn poison_writes_its_word_and_no_more(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    for elements in SIZES {
        let kernel = Kernel::Poison { bytes: elements * 4 };
        let [got, _] = rig.both(&mut lane, kernel, elements, &[]);
        assert!(
            got.iter().all(|x| x.to_bits() == Kernel::POISON_WORD),
            "{kernel:?} wrote another word than the poison"
        );
    }
    lane.end();
    rig.end();
}

pub(super) fn add_and_mul_are_exact(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    let flat = SIZES.map(|n| (layout(&[n]), layout(&[n])));
    let transposed = views().into_iter().map(|view| (view, layout(&view.shape())));
    for (a, b) in flat.into_iter().chain(transposed) {
        let n = a.elements();
        let (mut x, mut y) = (values(1, n), values(2, n));
        for (i, special) in [f32::INFINITY, f32::NAN, -0.0, f32::MAX, 1e-42].into_iter().enumerate() {
            if n > 20 {
                (x[3 * i], y[2 * i + 1]) = (special, special);
            }
        }
        for op in [BinaryOp::Add, BinaryOp::Mul] {
            for (a, b) in [(a, b), (b, a)] {
                let kernel = binary(op, a, b);
                assert_exact(&rig.both(&mut lane, kernel, n, &[&x, &y]), &kernel);
            }
        }
    }
    lane.end();
    rig.end();
}

pub(super) fn copy_makes_views_contiguous(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    for view in views().into_iter().chain(SIZES.map(|n| layout(&[n]))) {
        let n = view.elements();
        let kernel = Kernel::Copy { dtype: DType::F32, a: view };
        assert_exact(&rig.both(&mut lane, kernel, n, &[&values(3, n)]), &kernel);
    }
    lane.end();
    rig.end();
}
