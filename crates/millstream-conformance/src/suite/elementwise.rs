//! Fill, ranges, poison, one operand and two, a choice, casts, copies: of every type, however the operands lie.
//!
//! All are exact to the bit but exp, log, tanh and erf, which may be four units of the last place away in the type that they are computed in, and gelu, which
//! may be four units of its operand away; they are then rounded once.

use millstream_hal::{BinaryOp, DType, Kernel, Scalar, UnaryOp, Views};

use super::Make;
use super::rig::{Lane, Rig, layout};
use super::typed::{Lie, assert_exact, assert_near, both, computed_epsilon, elements, floats, some_views};

/// Sizes around the widths of vectors, unrolled loops and chunks.
const SIZES: [usize; 14] = [0, 1, 2, 3, 4, 5, 7, 8, 31, 64, 65, 1_000, 4_097, 300_001];
/// Shapes of views: more elements than are gathered at once, no axis, no element, axes of one.
const SHAPES: [&[usize]; 7] = [&[37, 53], &[], &[0, 5], &[1, 9], &[9, 1], &[5, 6, 7], &[2, 3, 1, 2, 2]];

fn with_device(make: Make<'_>, work: impl FnOnce(&Rig, &mut Lane)) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    work(&rig, &mut lane);
    lane.end();
    rig.end();
}

pub(super) fn a_fill_writes_its_value_and_no_more(make: Make<'_>) {
    with_device(make, |rig, lane| {
        let floats = [1.5, -0.0, f64::INFINITY, f64::NAN, 1e-42, 0.1, 300.7, -7.9].map(Scalar::F64);
        let others = [Scalar::I64(-1), Scalar::I64((1 << 60) + (1 << 52) + 1), Scalar::Bool(true)];
        for dtype in DType::ALL {
            for (i, value) in floats.into_iter().chain(others).enumerate() {
                for elements in SIZES.into_iter().filter(|n| *n < if i == 0 { 10_000 } else { 10 }) {
                    let kernel = Kernel::Fill { elements, dtype, value };
                    assert_exact(dtype, &both(rig, lane, &kernel, &[]), &kernel);
                }
            }
        }
    });
}

pub(super) fn a_range_has_equal_steps(make: Make<'_>) {
    with_device(make, |rig, lane| {
        let steps: [(Scalar, Scalar); 5] = [
            (0i64.into(), 1i64.into()),
            (250i64.into(), (-3i64).into()),
            (i64::MAX.into(), i64::MAX.into()),
            (0.1f64.into(), 0.1f64.into()),
            ((-3.5f64).into(), 1e-3f64.into()),
        ];
        for dtype in DType::ALL.into_iter().filter(|dtype| dtype.is_number()) {
            for (start, step) in steps {
                for elements in [0, 1, 5, 1_000, 5_000] {
                    let kernel = Kernel::Arange { elements, dtype, start, step };
                    assert_exact(dtype, &both(rig, lane, &kernel, &[]), &kernel);
                }
            }
        }
    });
}

pub(super) fn poison_writes_its_word_and_no_more(make: Make<'_>) {
    with_device(make, |rig, lane| {
        for elements in SIZES {
            let kernel = Kernel::Poison { bytes: elements * 4 };
            let [got, wanted] = both(rig, lane, &kernel, &[]);
            assert!(got == wanted, "{kernel:?} wrote another word than the poison");
            assert!(got.as_chunks().0.iter().all(|word| u32::from_le_bytes(*word) == Kernel::POISON_WORD));
        }
    });
}

pub(super) fn one_operand_gives_what_its_operation_says(make: Make<'_>) {
    with_device(make, |rig, lane| {
        for (turn, op) in UnaryOp::ALL.into_iter().enumerate() {
            for dtype in DType::ALL.into_iter().filter(|dtype| op.takes(*dtype)) {
                for (shape, lie) in some_views(turn, &SHAPES) {
                    let a = lie.view(shape);
                    let kernel = Kernel::Unary { op, dtype, a };
                    let x = elements(dtype, 5, a.extent());
                    let result = both(rig, lane, &kernel, &[&x]);
                    let x = floats(dtype, &a, &x);
                    assert_unary(op, dtype, &result, &kernel, |i| x[i]);
                }
            }
        }
    });
}

/// Asserts the results of `op` on the numbers that `x` gives.
#[track_caller]
pub(super) fn assert_unary(
    op: UnaryOp,
    dtype: DType,
    result: &[Vec<u8>; 2],
    kernel: &Kernel,
    x: impl Fn(usize) -> f64,
) {
    let computed = 4.0 * computed_epsilon(dtype);
    match op {
        UnaryOp::Exp | UnaryOp::Log | UnaryOp::Tanh | UnaryOp::Erf => {
            assert_near(dtype, result, kernel, |_, y| (dtype.epsilon() + computed) * y.abs());
        }
        UnaryOp::Gelu | UnaryOp::GeluTanh => {
            assert_near(dtype, result, kernel, |i, y| dtype.epsilon() * y.abs() + computed * x(i).abs());
        }
        UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Sqrt | UnaryOp::Relu => assert_exact(dtype, result, kernel),
    }
}

pub(super) fn two_operands_are_exact(make: Make<'_>) {
    with_device(make, |rig, lane| {
        for (turn, op) in BinaryOp::ALL.into_iter().enumerate() {
            for dtype in DType::ALL.into_iter().filter(|dtype| op.takes(*dtype)) {
                for (i, (shape, lie)) in some_views(turn, &SHAPES).into_iter().enumerate() {
                    // The other operand lies in another way each time.
                    let other = Lie::ALL[(i + i / Lie::ALL.len()) % Lie::ALL.len()];
                    pair(rig, lane, op, dtype, [lie, other], shape);
                }
                pair(rig, lane, op, dtype, [Lie::Whole, Lie::Whole], &[4_097]);
            }
        }
    });
}

pub(super) fn many_elements_are_as_exact_as_few(make: Make<'_>) {
    with_device(make, |rig, lane| {
        pair(rig, lane, BinaryOp::Sub, DType::F32, [Lie::Whole, Lie::Turned], &[550, 547]);
        pair(rig, lane, BinaryOp::Lt, DType::I64, [Lie::Whole, Lie::One], &[300_001]);
        let a = Lie::Part.view(&[700, 430]);
        let kernel = Kernel::Unary { op: UnaryOp::Sqrt, dtype: DType::F16, a };
        assert_exact(DType::F16, &both(rig, lane, &kernel, &[&elements(DType::F16, 5, a.extent())]), &kernel);
    });
}

fn pair(rig: &Rig, lane: &mut Lane, op: BinaryOp, dtype: DType, lies: [Lie; 2], shape: &[usize]) {
    let [a, b] = lies.map(|lie| lie.view(shape));
    let kernel = Kernel::Binary { op, dtype, views: Views::new([a, b]).expect("views of one shape") };
    let (x, y) = (elements(dtype, 1, a.extent()), elements(dtype, 2, b.extent()));
    assert_exact(op.result(dtype), &both(rig, lane, &kernel, &[&x, &y]), &kernel);
}

pub(super) fn a_choice_takes_from_one_side_or_the_other(make: Make<'_>) {
    with_device(make, |rig, lane| {
        for (turn, dtype) in DType::ALL.into_iter().enumerate() {
            for (i, (shape, lie)) in some_views(turn, &SHAPES).into_iter().enumerate() {
                let [cond, a, b] = [0, 1, 3].map(|step| Lie::ALL[(i * step + i / 5) % Lie::ALL.len()]);
                let views = [if i % 2 == 0 { lie } else { cond }, a, b].map(|lie| lie.view(shape));
                let kernel = Kernel::Where { dtype, views: Views::new(views).expect("views of one shape") };
                let truths = elements(DType::Bool, 3, views[0].extent());
                let (x, y) = (elements(dtype, 1, views[1].extent()), elements(dtype, 2, views[2].extent()));
                let [got, wanted] = both(rig, lane, &kernel, &[&truths, &x, &y]);
                assert!(got == wanted, "{kernel:?} took other bits");
            }
        }
    });
}

pub(super) fn casts_follow_their_rules(make: Make<'_>) {
    with_device(make, |rig, lane| {
        for from in DType::ALL {
            for (turn, to) in DType::ALL.into_iter().enumerate() {
                for (shape, lie) in some_views(turn, &SHAPES) {
                    let a = lie.view(shape);
                    let kernel = Kernel::Cast { from, to, a };
                    let result = both(rig, lane, &kernel, &[&elements(from, 9, a.extent())]);
                    assert_exact(to, &result, &kernel);
                }
            }
            // Numbers beyond the range of the integers, and between two halves.
            let edges =
                [254.5, 255.5, -0.5, 65_519.0, 65_520.0, 3.0e38, 9.3e18, -9.3e18, 1.000_488_28, 1.000_488_29, 1e-7];
            let mut bytes = vec![0; edges.len() * from.bytes()];
            for (i, edge) in edges.into_iter().enumerate() {
                crate::interpreter::number::write(from, &mut bytes, i, crate::interpreter::number::Number::Float(edge));
            }
            for to in DType::ALL {
                let kernel = Kernel::Cast { from, to, a: layout(&[edges.len()]) };
                assert_exact(to, &both(rig, lane, &kernel, &[&bytes]), &kernel);
            }
        }
    });
}

pub(super) fn copy_makes_views_contiguous(make: Make<'_>) {
    with_device(make, |rig, lane| {
        for (turn, dtype) in DType::ALL.into_iter().enumerate() {
            let large: [(&[usize], Lie); 2] = [(&[200, 301], Lie::Turned), (&[64, 64], Lie::Turned)];
            for (shape, lie) in some_views(turn, &SHAPES).into_iter().chain(large) {
                let a = lie.view(shape);
                let kernel = Kernel::Copy { dtype, a };
                let [got, wanted] = both(rig, lane, &kernel, &[&elements(dtype, 3, a.extent())]);
                assert!(got == wanted, "{kernel:?} copied other bits");
            }
        }
    });
}
