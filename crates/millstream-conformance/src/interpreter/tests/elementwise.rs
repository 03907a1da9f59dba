//! Values worked out by hand.

use millstream_hal::{BinaryOp, DType, Kernel, Layout, UnaryOp, Views};

use crate::interpreter::interpret;
use crate::testing::{bytes_of, floats_of};

fn run(kernel: Kernel, bytes: usize, inputs: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![0x55; bytes];
    interpret(&kernel, &mut out, inputs).unwrap();
    out
}

fn int_bytes(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn ints_of(bytes: &[u8]) -> Vec<i64> {
    bytes.as_chunks::<8>().0.iter().map(|c| i64::from_le_bytes(*c)).collect()
}

fn binary(op: BinaryOp, dtype: DType, a: Layout, b: Layout) -> Kernel {
    Kernel::Binary { op, dtype, views: Views::new([a, b]).unwrap() }
}

#[test]
fn add_of_a_matrix_and_its_transpose() {
    let view = Layout::contiguous(&[2, 2]).unwrap();
    let a = bytes_of(&[1.0, 2.0, 3.0, 4.0]);
    let out = run(binary(BinaryOp::Add, DType::F32, view, view.transposed(0, 1)), 16, &[&a, &a]);
    assert_eq!(floats_of(&out), [2.0, 5.0, 5.0, 8.0]);
}

#[test]
fn products_round_as_single_precision_does() {
    let view = Layout::contiguous(&[3]).unwrap();
    let (a, b) = ([1.000_000_1f32, 1e-38, 3e38], [1.000_000_1f32, 1e-3, 10.0]);
    let out = run(binary(BinaryOp::Mul, DType::F32, view, view), 12, &[&bytes_of(&a), &bytes_of(&b)]);
    let single: Vec<u32> = a.iter().zip(&b).map(|(x, y)| (x * y).to_bits()).collect();
    assert_eq!(floats_of(&out).iter().map(|x| x.to_bits()).collect::<Vec<_>>(), single);
}

#[test]
fn integers_wrap_and_a_quotient_by_zero_is_zero() {
    let view = Layout::contiguous(&[4]).unwrap();
    let (a, b) = (int_bytes(&[i64::MAX, i64::MIN, -7, 7]), int_bytes(&[1, -1, 2, 0]));
    let of = |op| ints_of(&run(binary(op, DType::I64, view, view), 32, &[&a, &b]));
    assert_eq!(of(BinaryOp::Add), [i64::MIN, i64::MAX, -5, 7]);
    assert_eq!(of(BinaryOp::Div), [i64::MAX, i64::MIN, -3, 0]);
    let bytes = run(binary(BinaryOp::Sub, DType::U8, view, view), 4, &[&[0, 1, 2, 255], &[1, 1, 1, 1]]);
    assert_eq!(bytes, [255, 0, 1, 254]);
}

#[test]
fn comparisons_write_bools_and_a_nan_equals_nothing() {
    let view = Layout::contiguous(&[3]).unwrap();
    let (a, b) = (bytes_of(&[1.0, f32::NAN, -0.0]), bytes_of(&[2.0, f32::NAN, 0.0]));
    let of = |op| run(binary(op, DType::F32, view, view), 3, &[&a, &b]);
    assert_eq!(of(BinaryOp::Eq), [0, 0, 1]);
    assert_eq!(of(BinaryOp::Ne), [1, 1, 0]);
    assert_eq!(of(BinaryOp::Lt), [1, 0, 0]);
    assert_eq!(of(BinaryOp::Le), [1, 0, 1]);
    let bools = run(binary(BinaryOp::Gt, DType::Bool, view, view), 3, &[&[1, 0, 7], &[0, 1, 1]]);
    assert_eq!(bools, [1, 0, 0], "any byte but 0 is true");
}

#[test]
fn a_choice_takes_bits_from_one_side_or_the_other() {
    let view = Layout::contiguous(&[3]).unwrap();
    let one = Layout::contiguous(&[]).unwrap().broadcast_to(&[3]).unwrap();
    let kernel = Kernel::Where { dtype: DType::F32, views: Views::new([view, view, one]).unwrap() };
    let out = run(kernel, 12, &[&[1, 0, 9], &bytes_of(&[1.0, 2.0, 3.0]), &bytes_of(&[-5.0])]);
    assert_eq!(floats_of(&out), [1.0, -5.0, 3.0]);
}

#[test]
fn unary_values_at_the_edges() {
    let view = Layout::contiguous(&[4]).unwrap();
    let a = bytes_of(&[-0.0, f32::NAN, -1.0, f32::INFINITY]);
    let of = |op| floats_of(&run(Kernel::Unary { op, dtype: DType::F32, a: view }, 16, &[&a]));
    assert_eq!(of(UnaryOp::Relu)[2..], [0.0, f32::INFINITY]);
    assert!(of(UnaryOp::Relu)[1].is_nan());
    assert_eq!(of(UnaryOp::Neg)[0].to_bits(), 0);
    assert_eq!(of(UnaryOp::Log)[0], f32::NEG_INFINITY);
    assert!(of(UnaryOp::Sqrt)[2].is_nan());
    assert_eq!(of(UnaryOp::Tanh)[3], 1.0);
    let ints = int_bytes(&[i64::MIN, -3, 3, 0]);
    let abs = Kernel::Unary { op: UnaryOp::Abs, dtype: DType::I64, a: view };
    assert_eq!(ints_of(&run(abs, 32, &[&ints])), [i64::MIN, 3, 3, 0]);
}

#[test]
fn ranges_wrap_and_round_once() {
    let range =
        |dtype, start: f64, step: f64| Kernel::Arange { elements: 3, dtype, start: start.into(), step: step.into() };
    assert_eq!(floats_of(&run(range(DType::F32, 1.0, 0.1), 12, &[])), [1.0, 1.1, 1.2]);
    let bytes = Kernel::Arange { elements: 3, dtype: DType::U8, start: 254i64.into(), step: 1i64.into() };
    assert_eq!(run(bytes, 3, &[]), [254, 255, 0]);
    let ints = Kernel::Arange { elements: 3, dtype: DType::I64, start: 10i64.into(), step: (-7i64).into() };
    assert_eq!(ints_of(&run(ints, 24, &[])), [10, 3, -4]);
}

#[test]
fn copy_makes_a_view_contiguous_whatever_its_type() {
    let view = Layout::contiguous(&[2, 3]).unwrap().transposed(0, 1);
    let out = run(Kernel::Copy { dtype: DType::F32, a: view }, 24, &[&bytes_of(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])]);
    assert_eq!(floats_of(&out), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert_eq!(run(Kernel::Copy { dtype: DType::U8, a: view }, 6, &[&[1, 2, 3, 4, 5, 6]]), [1, 4, 2, 5, 3, 6]);
}
