//! Shapes, views, and the typed errors of operations that do not go together.

use millstream::{Device, Error, Tensor};

use crate::leaks::cpu;

fn counting(device: &Device, shape: &[usize]) -> Tensor {
    let data: Vec<f32> = (0..shape.iter().product::<usize>()).map(|i| i as f32).collect();
    Tensor::from_slice(device, &data, shape).expect("data of this shape")
}

#[test]
fn shapes_that_do_not_go_together_are_named_in_the_error() {
    let device = cpu::open().unwrap();
    let a = counting(&device, &[2, 3]);
    let error = a.matmul(&a).unwrap_err();
    assert!(matches!(&error, Error::Shape { operation: "matmul", left, .. } if *left == [2, 3]), "{error:?}");
    assert_eq!(
        error.to_string(),
        "matmul: shapes [2, 3] and [2, 3] do not go together: [.., m, k] x [.., k, n] is needed"
    );
    let error = a.add(&a.transpose(0, 1).unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "add: shapes [2, 3] and [3, 2] do not go together: counted from the last axis, sizes must be equal or 1"
    );
    let error = a.reshape(&[4, 2]).unwrap_err();
    assert!(matches!(&error, Error::Shape { operation: "reshape", right, .. } if *right == [4, 2]), "{error:?}");
}

#[test]
fn a_refused_operation_leaves_its_operands_as_they_were() {
    let device = cpu::open().unwrap();
    let a = counting(&device, &[2, 3]);
    assert!(a.matmul(&a).is_err());
    assert_eq!(a.to_vec::<f32>().unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn a_transposed_view_reads_the_same_memory_in_the_other_order() {
    let device = cpu::open().unwrap();
    let a = counting(&device, &[2, 3]);
    let t = a.transpose(0, 1).unwrap();
    assert_eq!((t.shape(), t.stamp()), (vec![3, 2], a.stamp()), "a view is no new work");
    assert_eq!(t.to_vec::<f32>().unwrap(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    assert_eq!(t.transpose(0, 1).unwrap().to_vec::<f32>().unwrap(), a.to_vec::<f32>().unwrap());
    let error = a.transpose(0, 2).unwrap_err();
    assert!(matches!(error, Error::Axis { operation: "transpose", axis: 2, dims: 2 }), "{error:?}");
}

#[test]
fn a_reshaped_view_keeps_row_major_order_even_of_a_transposed_tensor() {
    let device = cpu::open().unwrap();
    let a = counting(&device, &[2, 3]);
    assert_eq!(a.reshape(&[3, 2]).unwrap().to_vec::<f32>().unwrap(), a.to_vec::<f32>().unwrap());
    let flat = a.transpose(0, 1).unwrap().reshape(&[6]).unwrap();
    assert_eq!(flat.to_vec::<f32>().unwrap(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    assert_eq!(a.reshape(&[1, 6, 1]).unwrap().shape(), [1, 6, 1]);
}

#[test]
fn operations_on_views_give_the_values_of_their_copies() {
    let device = cpu::open().unwrap();
    let a = counting(&device, &[2, 3]);
    let t = a.transpose(0, 1).unwrap();
    // [0 1 2; 3 4 5] x its transpose.
    assert_eq!(a.matmul(&t).unwrap().to_vec::<f32>().unwrap(), [5.0, 14.0, 14.0, 50.0]);
    let copy = t.contiguous().unwrap();
    assert_eq!(t.add(&copy).unwrap().to_vec::<f32>().unwrap(), [0.0, 6.0, 2.0, 8.0, 4.0, 10.0]);
    assert_eq!(t.mul(&t).unwrap().to_vec::<f32>().unwrap(), copy.mul(&copy).unwrap().to_vec::<f32>().unwrap());
    assert_eq!(t.fingerprint().unwrap(), copy.fingerprint().unwrap());
    assert_ne!(t.fingerprint().unwrap(), a.fingerprint().unwrap());
}

#[test]
fn a_slice_of_another_length_than_its_shape_is_refused() {
    let device = cpu::open().unwrap();
    let error = Tensor::from_slice(&device, &[1.0f32, 2.0, 3.0], &[2, 2]).unwrap_err();
    assert!(matches!(error, Error::Length { operation: "from_slice", expected: 4, found: 3, .. }), "{error:?}");
    assert_eq!(error.to_string(), "from_slice: 3 elements for shape [2, 2], which has 4");
}

#[test]
fn item_wants_exactly_one_element() {
    let device = cpu::open().unwrap();
    let a = counting(&device, &[2, 2]);
    assert!(matches!(a.item::<f32>().unwrap_err(), Error::NotOne { operation: "item", found: 4, .. }));
    assert_eq!(a.sum().unwrap().item::<f32>().unwrap(), 6.0);
    assert_eq!(counting(&device, &[1, 1, 1]).item::<f32>().unwrap(), 0.0);
}

#[test]
fn shapes_that_cannot_be_addressed_or_have_too_many_axes_are_refused_before_any_work() {
    let (device, other) = (cpu::open().unwrap(), cpu::open().unwrap());
    for shape in [vec![usize::MAX, 2], vec![1 << 31, 1 << 31], vec![1; 9]] {
        let error = Tensor::zeros(&device, &shape).unwrap_err();
        assert!(matches!(error, Error::Layout { operation: "zeros", .. }), "{shape:?}: {error:?}");
        let error = counting(&other, &[1]).reshape(&shape).unwrap_err();
        assert!(matches!(error, Error::Layout { operation: "reshape", .. } | Error::Shape { .. }), "{error:?}");
    }
    assert_eq!(device.memory_stats().reserved_bytes, 0);
}

#[test]
fn no_elements_sum_to_zero_and_have_no_mean() {
    let device = cpu::open().unwrap();
    let none = counting(&device, &[0, 3]);
    assert_eq!(none.elements(), 0);
    assert_eq!(none.to_vec::<f32>().unwrap(), [0.0; 0]);
    assert_eq!(none.sum().unwrap().item::<f32>().unwrap(), 0.0);
    assert!(none.mean().unwrap().item::<f32>().unwrap().is_nan());
    // [2, 0] x [0, 3]: sums of nothing.
    let left = none.transpose(0, 1).unwrap().reshape(&[2, 0]).unwrap();
    assert_eq!(left.matmul(&none).unwrap().to_vec::<f32>().unwrap(), [0.0; 6]);
}
