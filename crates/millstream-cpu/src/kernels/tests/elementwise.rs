//! Every operation against one element at a time, over levels, sizes and strides.

use half::f16;
use millstream_hal::Layout;

use super::super::number::Truth;
use super::super::view::tests::numbered;
use super::*;

const SIZES: [usize; 12] = [0, 1, 2, 15, 16, 17, 63, 255, 1023, 1024, 1025, 4099];

fn mixed(n: usize, factor: f32) -> Vec<f32> {
    let hard = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -0.0, 0.0, f32::MAX, 1e-42, -3.5];
    (0..n).map(|i| if i % 5 == 4 { hard[i / 5 % 8] } else { (i as f32 * factor).sin() * 20.0 }).collect()
}

/// Equal bits, or both NaN.
fn same(x: f32, y: f32) -> bool {
    x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan()
}

#[test]
fn every_level_gives_the_bits_of_the_scalar_one() {
    for n in SIZES {
        let (a, b) = (mixed(n, 0.37), mixed(n, 1.7));
        for level in Level::available() {
            for op in UnaryOp::ALL {
                let (mut out, mut scalar) = (vec![7.0; n], vec![9.0; n]);
                unary_of_floats(level, op, &mut out, 0, &View::of(&a));
                unary_of_floats(Level::SCALAR, op, &mut scalar, 0, &View::of(&a));
                assert!(out.iter().zip(&scalar).all(|(x, y)| same(*x, *y)), "{} {op:?} {n}", level.name());
            }
            for op in [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Div] {
                let mut out = vec![7.0; n];
                binary(level, op, &mut out, 0, &View::of(&a), &View::of(&b));
                let wanted = |x: f32, y: f32| match op {
                    BinaryOp::Add => x + y,
                    BinaryOp::Sub => x - y,
                    BinaryOp::Mul => x * y,
                    _ => x / y,
                };
                for i in 0..n {
                    assert!(same(out[i], wanted(a[i], b[i])), "{} {op:?} {} {}", level.name(), a[i], b[i]);
                }
            }
            for op in [BinaryOp::Eq, BinaryOp::Ne, BinaryOp::Lt, BinaryOp::Le, BinaryOp::Gt, BinaryOp::Ge] {
                let mut out = vec![7; n];
                compare(level, op, &mut out, 0, &View::of(&a), &View::of(&b));
                let wanted = |x: f32, y: f32| match op {
                    BinaryOp::Eq => x == y,
                    BinaryOp::Ne => x != y,
                    BinaryOp::Lt => x < y,
                    BinaryOp::Le => x <= y,
                    BinaryOp::Gt => x > y,
                    _ => x >= y,
                };
                for i in 0..n {
                    assert_eq!(out[i], u8::from(wanted(a[i], b[i])), "{} {op:?} {} {}", level.name(), a[i], b[i]);
                }
            }
        }
    }
}

#[test]
fn halves_are_computed_in_f32_and_rounded_once() {
    let a: Vec<f16> = mixed(1000, 0.37).into_iter().map(f16::from_f32).collect();
    let b: Vec<f16> = mixed(1000, 1.7).into_iter().map(f16::from_f32).collect();
    for level in Level::available() {
        let mut out = vec![f16::ONE; 1000];
        binary(level, BinaryOp::Div, &mut out, 0, &View::of(&a), &View::of(&b));
        for ((out, a), b) in out.iter().zip(&a).zip(&b) {
            let wanted = f16::from_f32(a.to_f32() / b.to_f32());
            assert!(out.is_nan() && wanted.is_nan() || out.to_bits() == wanted.to_bits(), "{a} / {b} is {out}");
        }
    }
}

#[test]
fn integers_wrap_and_divide_by_zero_to_zero() {
    let (a, b) = ([i64::MAX, i64::MIN, -7, 5], [1, -1, 2, 0]);
    let mut out = [9; 4];
    binary(Level::best(), BinaryOp::Add, &mut out, 0, &View::of(&a), &View::of(&b));
    assert_eq!(out, [i64::MIN, i64::MAX, -5, 5]);
    binary(Level::best(), BinaryOp::Div, &mut out, 0, &View::of(&a), &View::of(&b));
    assert_eq!(out, [i64::MAX, i64::MIN, -3, 0]);
    unary(Level::best(), UnaryOp::Abs, &mut out, 0, &View::of(&[i64::MIN, -1, 0, 1]));
    assert_eq!(out, [i64::MIN, 1, 0, 1]);
    let mut bytes = [9u8; 3];
    unary(Level::best(), UnaryOp::Neg, &mut bytes, 0, &View::of(&[0u8, 1, 255]));
    assert_eq!(bytes, [0, 255, 1]);
}

#[test]
fn strided_repeated_and_held_operands_agree_with_indexing() {
    let (rows, cols) = (67, 41);
    let (a, b) = (numbered(rows * cols), numbered(rows * cols));
    let plain = Layout::contiguous(&[cols, rows]).unwrap();
    let turned = Layout::contiguous(&[rows, cols]).unwrap().transposed(0, 1);
    let row = Layout::contiguous(&[rows]).unwrap().broadcast_to(&[cols, rows]).unwrap();
    let one = Layout::contiguous(&[]).unwrap().broadcast_to(&[cols, rows]).unwrap();
    for (first, n) in [(0, rows * cols), (5, 1500), (rows * cols - 1, 1), (100, 0)] {
        for layout in [turned, row, one] {
            let at = |i: usize| b[i / rows * layout.stride(0) + i % rows * layout.stride(1)];
            let (mut out, mut swapped) = (vec![0.0; n], vec![0.0; n]);
            binary(Level::best(), BinaryOp::Sub, &mut out, first, &View::new(&a, &plain), &View::new(&b, &layout));
            binary(Level::best(), BinaryOp::Sub, &mut swapped, first, &View::new(&b, &layout), &View::new(&a, &plain));
            let mut held = vec![0.0; n];
            let aside = View::held(&a[first..first + n], first);
            binary(Level::best(), BinaryOp::Sub, &mut held, first, &aside, &View::new(&b, &layout));
            for i in 0..n {
                assert_eq!(out[i], a[first + i] - at(first + i));
                assert_eq!(swapped[i], -out[i]);
            }
            assert_eq!(held, out);
        }
    }
}

#[test]
fn a_choice_keeps_the_bits_of_either_side() {
    for n in SIZES {
        let (a, b) = (mixed(n, 0.37), mixed(n, 1.7));
        let [a, b] = [a, b].map(|x| x.into_iter().map(f32::to_bits).collect::<Vec<u32>>());
        let cond: Vec<u8> = (0..n).map(|i| (i % 3 * 2) as u8).collect();
        let mut out = vec![7; n];
        select(Level::best(), &mut out, 0, &View::of(&cond), &View::of(&a), &View::of(&b));
        for i in 0..n {
            assert_eq!(out[i], if cond[i] != 0 { a[i] } else { b[i] });
        }
    }
}

#[test]
fn casts_truncate_saturate_round_and_ask_for_zero() {
    let a = [2.9f32, -2.9, 1e30, -1e30, f32::NAN, 255.9, -0.0, 300.0];
    for level in Level::available() {
        let (mut ints, mut bytes, mut truths) = ([1i64; 8], [1u8; 8], [Truth(7); 8]);
        cast(level, &mut ints, 0, &View::of(&a));
        assert_eq!(ints, [2, -2, i64::MAX, i64::MIN, 0, 255, 0, 300]);
        cast(level, &mut bytes, 0, &View::of(&a));
        assert_eq!(bytes, [2, 0, 255, 0, 0, 255, 0, 255]);
        cast(level, &mut truths, 0, &View::of(&a));
        assert_eq!(truths.map(|x| x.0), [1, 1, 1, 1, 1, 1, 0, 1]);
        cast(level, &mut bytes[..3], 0, &View::of(&[-1i64, 256, 257]));
        assert_eq!(bytes[..3], [255, 0, 1]);
        let mut floats = [7.0f32; 2];
        cast(level, &mut floats, 0, &View::of(&[Truth(0), Truth(9)]));
        assert_eq!(floats, [0.0, 1.0]);
    }
}
