//! Tensors out of nothing.

use millstream::{DType, Generator, Tensor, f16};

use crate::leaks::cpu;

#[test]
fn zeros_ones_and_full_exist_in_every_type() {
    let device = cpu::open().unwrap();
    for dtype in DType::ALL {
        let zeros = Tensor::zeros_of(&device, &[2, 3], dtype).unwrap();
        let ones = Tensor::ones_of(&device, &[3], dtype).unwrap();
        assert_eq!((zeros.dtype(), ones.dtype(), zeros.shape()), (dtype, dtype, vec![2, 3]));
        let both = ones.eq(&zeros).unwrap().sum().unwrap().item::<i64>().unwrap();
        let as_bytes = ones.to_dtype(DType::U8).unwrap().to_vec::<u8>().unwrap();
        assert_eq!((both, as_bytes), (0, vec![1, 1, 1]), "{dtype}");
    }
    let thirds = Tensor::full(&device, &[2], 1.0 / 3.0, DType::F16).unwrap();
    assert_eq!(thirds.to_vec::<f16>().unwrap(), [f16::from_f64(1.0 / 3.0); 2]);
    assert_eq!(Tensor::full(&device, &[2], i64::MIN, DType::I64).unwrap().to_vec::<i64>().unwrap(), [i64::MIN; 2]);
    assert!(Tensor::full(&device, &[], true, DType::Bool).unwrap().item::<bool>().unwrap());
}

#[test]
fn a_range_stops_before_its_end_and_builds_up_no_error() {
    let device = cpu::open().unwrap();
    let range = Tensor::arange(&device, 5, -5, -3, DType::I64).unwrap();
    assert_eq!(range.to_vec::<i64>().unwrap(), [5, 2, -1, -4]);
    let bytes = Tensor::arange(&device, 250, 256, 1, DType::U8).unwrap();
    assert_eq!(bytes.to_vec::<u8>().unwrap(), [250, 251, 252, 253, 254, 255]);
    let tenths = Tensor::arange(&device, 0.0, 1000.0, 0.1, DType::F32).unwrap();
    assert_eq!(tenths.shape(), [10_000]);
    let values = tenths.to_vec::<f32>().unwrap();
    assert!(values.iter().enumerate().all(|(i, x)| *x == (i as f64 * 0.1) as f32), "a product, not a running sum");
    assert_eq!(Tensor::arange(&device, 0, 3, 1, DType::BF16).unwrap().dtype(), DType::BF16);
    assert_eq!(Tensor::arange(&device, 3.0, 0.0, 1.0, DType::F64).unwrap().shape(), [0]);
}

#[test]
fn uniform_numbers_lie_where_they_should_and_move_the_generator() {
    let device = cpu::open().unwrap();
    let mut generator = Generator::new(3);
    let a = Tensor::uniform(&device, &[100, 100], -2.0, 6.0, &mut generator).unwrap();
    let values = a.to_vec::<f32>().unwrap();
    assert!(values.iter().all(|x| (-2.0..6.0).contains(x)));
    let mean = a.mean().unwrap().item::<f32>().unwrap();
    // Five standard errors.
    assert!((mean - 2.0).abs() < 5.0 * 8.0 / 12f32.sqrt() / 100.0, "mean {mean}");
    let b = Tensor::uniform(&device, &[100, 100], -2.0, 6.0, &mut generator).unwrap();
    assert_ne!(b.to_vec::<f32>().unwrap(), values);
    let again = Tensor::uniform(&device, &[100, 100], -2.0, 6.0, &mut Generator::new(3)).unwrap();
    assert_eq!(again.to_vec::<f32>().unwrap(), values);
}
