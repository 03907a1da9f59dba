//! Element by element: values, broadcasting, numbers as operands, comparisons, where.

use millstream::{DType, Device, Tensor, f16};

use crate::leaks::cpu;

fn of(device: &Device, values: &[f32], shape: &[usize]) -> Tensor {
    Tensor::from_slice(device, values, shape).expect("an operation")
}

fn floats(tensor: &millstream::Result<Tensor>) -> Vec<f32> {
    tensor.as_ref().expect("an operation").to_dtype(DType::F32).expect("an operation").to_vec().expect("an operation")
}

#[test]
fn shapes_broadcast_as_numpy_does() {
    let device = cpu::open().unwrap();
    let a = of(&device, &[1.0, 2.0, 3.0], &[3, 1]);
    let b = of(&device, &[10.0, 20.0], &[2]);
    let sum = a.add(&b).unwrap();
    assert_eq!((sum.shape(), sum.to_vec::<f32>().unwrap()), (vec![3, 2], vec![11.0, 21.0, 12.0, 22.0, 13.0, 23.0]));
    assert_eq!(floats(&b.sub(&a)), [9.0, 19.0, 8.0, 18.0, 7.0, 17.0], "from either side");
    let deep = Tensor::ones(&device, &[2, 1, 1, 2]).unwrap();
    assert_eq!(deep.mul(&a).unwrap().shape(), [2, 1, 3, 2]);
    let none = Tensor::zeros(&device, &[0, 1]).unwrap();
    assert_eq!(none.add(&b).unwrap().shape(), [0, 2]);
    let one = Tensor::ones(&device, &[]).unwrap();
    assert_eq!(floats(&one.add(&a)), [2.0, 3.0, 4.0]);
}

#[test]
fn arithmetic_is_that_of_each_type() {
    let device = cpu::open().unwrap();
    let (a, b) = (of(&device, &[7.0, -7.0, 1.0], &[3]), of(&device, &[2.0, 2.0, 0.0], &[3]));
    assert_eq!(floats(&a.div(&b)), [3.5, -3.5, f32::INFINITY]);
    let whole = |t: &Tensor, dtype| t.to_dtype(dtype).unwrap();
    let (i, j) = (whole(&a, DType::I64), whole(&b, DType::I64));
    assert_eq!(i.div(&j).unwrap().to_vec::<i64>().unwrap(), [3, -3, 0], "truncated, and 0 where divided by 0");
    let bytes = Tensor::from_slice(&device, &[200u8, 3], &[2]).unwrap();
    assert_eq!(bytes.add(&bytes).unwrap().to_vec::<u8>().unwrap(), [144, 6], "wraps");
    let halves = whole(&a, DType::F16).div(&whole(&b, DType::F16).add(1.0).unwrap()).unwrap();
    let expected = [7.0f32 / 3.0, -7.0 / 3.0, 1.0].map(f16::from_f32);
    assert_eq!(halves.to_vec::<f16>().unwrap(), expected, "rounded once");
}

#[test]
fn numbers_take_the_type_of_the_tensor() {
    let device = cpu::open().unwrap();
    let a = of(&device, &[1.0, 2.0], &[2]);
    assert_eq!(floats(&a.mul(0.5).and_then(|t| t.add(1)).and_then(|t| t.sub(2.0f32))), [-0.5, 0.0]);
    assert_eq!(a.mul(0.1).unwrap().dtype(), DType::F32);
    assert_eq!(floats(&a.mul(0.1)), [0.1f32, 0.2]);
    let whole = a.to_dtype(DType::I64).unwrap();
    assert_eq!(whole.div(2).unwrap().to_vec::<i64>().unwrap(), [0, 1]);
    assert_eq!(whole.to_dtype(DType::U8).unwrap().add(254).unwrap().to_vec::<u8>().unwrap(), [255, 0]);
    assert_eq!(whole.gt(1).unwrap().eq(true).unwrap().to_vec::<bool>().unwrap(), [false, true]);
    assert_eq!(a.broadcast_to(&[2, 2]).unwrap().mul(f16::NEG_ONE).unwrap().shape(), [2, 2]);
}

#[test]
fn functions_of_one_operand() {
    let device = cpu::open().unwrap();
    let a = of(&device, &[-4.0, 0.0, 2.25, f32::NAN], &[4]);
    let same = |found: Vec<f32>, expected: [f32; 4]| {
        let close = |x: f32, y: f32| x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= 1e-6 * y.abs();
        assert!(found.iter().zip(expected).all(|(x, y)| close(*x, y)), "{found:?} {expected:?}");
    };
    let map = |f: fn(f32) -> f32| [-4.0, 0.0, 2.25, f32::NAN].map(f);
    same(floats(&a.neg()), map(|x| -x));
    same(floats(&a.abs()), map(f32::abs));
    same(floats(&a.exp()), map(f32::exp));
    same(floats(&a.log()), map(f32::ln));
    same(floats(&a.sqrt()), map(f32::sqrt));
    same(floats(&a.tanh()), map(f32::tanh));
    same(floats(&a.relu()), map(|x| if x > 0.0 || x.is_nan() { x } else { 0.0 }));
    same(floats(&a.erf()), [-1.0, 0.0, 0.998_537_3, f32::NAN]);
    // What is left of a difference from 1 is as exact as the operand.
    for (found, expected) in
        [(a.gelu(), [-1.266_85e-4, 0.0, 2.222_495]), (a.gelu_tanh(), [-7.024_6e-5, 0.0, 2.222_798_7])]
    {
        let found = floats(&found);
        assert!(found.iter().zip(expected).all(|(x, y)| (x - y).abs() <= 1e-6) && found[3].is_nan(), "{found:?}");
    }
    let whole = Tensor::from_slice(&device, &[i64::MIN, -3, 3], &[3]).unwrap();
    assert_eq!(whole.abs().unwrap().to_vec::<i64>().unwrap(), [i64::MIN, 3, 3]);
    assert_eq!(whole.neg().unwrap().relu().unwrap().to_vec::<i64>().unwrap(), [0, 3, 0]);
}

#[test]
fn comparisons_give_bools_and_a_nan_equals_nothing() {
    let device = cpu::open().unwrap();
    let a = of(&device, &[1.0, 2.0, 3.0, f32::NAN], &[4]);
    let b = of(&device, &[2.0, 2.0, 2.0, f32::NAN], &[4]);
    let is = |t: millstream::Result<Tensor>| t.unwrap().to_vec::<bool>().unwrap();
    assert_eq!(is(a.eq(&b)), [false, true, false, false]);
    assert_eq!(is(a.ne(&b)), [true, false, true, true]);
    assert_eq!(is(a.lt(&b)), [true, false, false, false]);
    assert_eq!(is(a.le(2.0)), [true, true, false, false]);
    assert_eq!(is(a.gt(&b)), [false, false, true, false]);
    assert_eq!(is(a.ge(2.0)), [false, true, true, false]);
    assert_eq!(is(a.eq(&b).and_then(|t| t.lt(true))), [true, false, true, true], "false lies below true");
}

#[test]
fn where_takes_from_either_side_and_broadcasts_all_three() {
    let device = cpu::open().unwrap();
    let cond = Tensor::from_slice(&device, &[true, false], &[2, 1]).unwrap();
    let a = of(&device, &[1.0, 2.0, 3.0], &[3]);
    let b = of(&device, &[-1.0, -2.0], &[2, 1, 1]);
    let picked = cond.where_cond(&a, &b).unwrap();
    assert_eq!(picked.shape(), [2, 2, 3]);
    let expected = [1.0, 2.0, 3.0, -1.0, -1.0, -1.0, 1.0, 2.0, 3.0, -2.0, -2.0, -2.0];
    assert_eq!(picked.to_vec::<f32>().unwrap(), expected);
    assert_eq!(floats(&a.gt(1.5).and_then(|mask| mask.where_cond(&a, 0.0))), [0.0, 2.0, 3.0]);
    for dtype in DType::ALL {
        let (one, none) =
            (Tensor::ones_of(&device, &[2], dtype).unwrap(), Tensor::zeros_of(&device, &[], dtype).unwrap());
        assert_eq!(floats(&cond.where_cond(&one, &none)), [1.0, 1.0, 0.0, 0.0], "{dtype}");
    }
}
