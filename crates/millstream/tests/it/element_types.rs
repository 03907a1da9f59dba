//! Element types: what the host writes it reads again, casts, and the error for another type than the tensor's.

use millstream::{DType, Element, Error, Tensor, bf16, f16, read_all};

use crate::leaks::cpu;

fn comes_back<T: Element>(device: &millstream::Device, data: &[T]) {
    let tensor = Tensor::from_slice(device, data, &[data.len()]).expect("an operation");
    assert_eq!((tensor.dtype(), tensor.shape()), (T::DTYPE, vec![data.len()]));
    assert_eq!(tensor.to_vec::<T>().expect("an operation"), data);
    let last = tensor.narrow(0, data.len() - 1, 1).expect("an operation");
    assert_eq!(last.item::<T>().expect("an operation"), data[data.len() - 1], "{}", T::DTYPE);
    assert_eq!(read_all::<T>(&[&last, &tensor]).expect("an operation").len(), data.len() + 1);
}

#[test]
fn what_the_host_writes_it_reads_again_in_each_type() {
    for device in [cpu::open().expect("an operation"), cpu::open_queued().expect("an operation")] {
        comes_back(&device, &[1.5f32, -0.0, f32::INFINITY, f32::MIN_POSITIVE]);
        comes_back(&device, &[1.0f64 / 3.0, -1e300, 5e-324]);
        comes_back(&device, &[f16::from_f32(0.1), f16::MAX, f16::NEG_INFINITY]);
        comes_back(&device, &[bf16::from_f32(0.1), bf16::MAX, bf16::NEG_ONE]);
        comes_back(&device, &[i64::MIN, -1, 0, i64::MAX]);
        comes_back(&device, &[0u8, 7, 255]);
        comes_back(&device, &[true, false, true]);
    }
}

#[test]
fn another_type_than_the_tensors_is_an_error_that_names_both() {
    let device = cpu::open().unwrap();
    let halves = Tensor::from_slice(&device, &[f16::ONE], &[1]).unwrap();
    let error = halves.to_vec::<bf16>().unwrap_err();
    assert!(matches!(error, Error::HostType { operation: "to_vec", dtype: DType::F16, asked: DType::BF16 }));
    assert_eq!(error.to_string(), "to_vec: the tensor holds f16, bf16 was asked for");
    assert_eq!(halves.item::<u8>().unwrap_err().to_string(), "item: the tensor holds f16, u8 was asked for");
    let floats = Tensor::zeros(&device, &[1]).unwrap();
    assert!(matches!(read_all::<f32>(&[&floats, &halves]), Err(Error::HostType { operation: "read_all", .. })));
}

#[test]
fn casts_round_truncate_and_wrap_by_the_rules_of_the_types() {
    let device = cpu::open().unwrap();
    let floats = [1.9f64, -1.9, 300.0, f64::NAN, 0.0, 1e30];
    let floats = Tensor::from_slice(&device, &floats, &[6]).unwrap();
    let to = |dtype| floats.to_dtype(dtype).unwrap();
    assert_eq!(to(DType::I64).to_vec::<i64>().unwrap(), [1, -1, 300, 0, 0, i64::MAX]);
    assert_eq!(to(DType::U8).to_vec::<u8>().unwrap(), [1, 0, 255, 0, 0, 255]);
    assert_eq!(to(DType::Bool).to_vec::<bool>().unwrap(), [true, true, true, true, false, true]);
    assert_eq!(to(DType::F16).to_vec::<f16>().unwrap()[5], f16::INFINITY);
    assert_eq!(to(DType::BF16).to_vec::<bf16>().unwrap()[2], bf16::from_f32(300.0));
    let whole = Tensor::from_slice(&device, &[-1i64, 256, 511], &[3]).unwrap();
    assert_eq!(whole.to_dtype(DType::U8).unwrap().to_vec::<u8>().unwrap(), [255, 0, 255], "the low bits stay");
    let truths = Tensor::from_slice(&device, &[true, false], &[2]).unwrap();
    assert_eq!(truths.to_dtype(DType::F32).unwrap().to_vec::<f32>().unwrap(), [1.0, 0.0]);
}

#[test]
fn a_cast_to_its_own_type_is_no_work_and_of_a_view_reads_the_view() {
    let device = cpu::open().unwrap();
    let a = Tensor::from_slice(&device, &[1i64, 2, 3, 4, 5, 6], &[2, 3]).unwrap();
    assert_eq!(a.to_dtype(DType::I64).unwrap().stamp(), a.stamp());
    let column = a.transpose(0, 1).unwrap().narrow(0, 1, 2).unwrap();
    let column = column.to_dtype(DType::F32).unwrap();
    assert_eq!((column.shape(), column.to_vec::<f32>().unwrap()), (vec![2, 2], vec![2.0, 5.0, 3.0, 6.0]));
}

#[test]
fn every_type_casts_to_every_other_and_small_numbers_stay() {
    let device = cpu::open().unwrap();
    let start = Tensor::from_slice(&device, &[0u8, 1, 1, 0], &[2, 2]).unwrap();
    for from in DType::ALL {
        for to in DType::ALL {
            let there = start.to_dtype(from).unwrap().to_dtype(to).unwrap();
            assert_eq!(there.dtype(), to);
            let back = there.to_dtype(DType::U8).unwrap();
            assert_eq!(back.to_vec::<u8>().unwrap(), [0, 1, 1, 0], "{from} to {to}");
        }
    }
}
