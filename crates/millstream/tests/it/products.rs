//! Matrix products of batches, in every type that has them.

use millstream::{DType, Device, Tensor};

use crate::leaks::cpu;

/// Small whole numbers, exact in every type.
fn some(device: &Device, shape: &[usize], dtype: DType) -> Tensor {
    let data: Vec<i64> = (0..shape.iter().product::<usize>() as i64).map(|i| (i * 7 + 3) % 5 - 2).collect();
    Tensor::from_slice(device, &data, shape).and_then(|t| t.to_dtype(dtype)).expect("an operation")
}

fn product(a: &[i64], b: &[i64], [m, k, n]: [usize; 3]) -> Vec<i64> {
    (0..m * n).map(|i| (0..k).map(|j| a[i / n * k + j] * b[j * n + i % n]).sum()).collect()
}

fn whole(tensor: &Tensor) -> Vec<i64> {
    tensor.to_dtype(DType::I64).expect("an operation").to_vec().expect("an operation")
}

#[test]
fn batch_axes_broadcast_and_each_product_is_that_of_its_matrices() {
    let device = cpu::open().unwrap();
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16, DType::I64] {
        let (a, b) = (some(&device, &[2, 1, 3, 4], dtype), some(&device, &[5, 4, 2], dtype));
        let c = a.matmul(&b).unwrap();
        assert_eq!((c.shape(), c.dtype()), (vec![2, 5, 3, 2], dtype));
        let (left, right) = (whole(&a), whole(&b));
        let pairs = (0..10).flat_map(|i| product(&left[i / 5 * 12..][..12], &right[i % 5 * 8..][..8], [3, 4, 2]));
        assert_eq!(whole(&c), pairs.collect::<Vec<_>>(), "{dtype}");
    }
}

#[test]
fn the_values_do_not_depend_on_how_the_factors_lie() {
    let device = cpu::open().unwrap();
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16, DType::I64] {
        let a = some(&device, &[3, 6, 5], dtype).mul(some(&device, &[5], dtype).add(1).as_ref().unwrap()).unwrap();
        let b = some(&device, &[5, 7], dtype);
        let plain = a.matmul(&b).unwrap().fingerprint().unwrap();
        let turned = a.transpose(1, 2).unwrap().contiguous().unwrap().transpose(1, 2).unwrap();
        let wide = b.unsqueeze(0).unwrap().broadcast_to(&[3, 5, 7]).unwrap();
        let cut = Tensor::zeros_of(&device, &[3, 8, 5], dtype).unwrap().narrow(1, 1, 6).unwrap().add(&a).unwrap();
        for (left, right) in [(&turned, &b), (&a, &wide), (&cut, &wide.contiguous().unwrap())] {
            assert_eq!(left.matmul(right).unwrap().fingerprint().unwrap(), plain, "{dtype}");
        }
    }
}

#[test]
fn a_sum_of_no_products_is_zero() {
    let device = cpu::open().unwrap();
    let (a, b) = (Tensor::ones(&device, &[2, 3, 0]).unwrap(), Tensor::ones(&device, &[0, 4]).unwrap());
    assert_eq!(a.matmul(&b).unwrap().to_vec::<f32>().unwrap(), [0.0; 24]);
    let none = Tensor::ones(&device, &[0, 4, 2]).unwrap();
    assert_eq!(Tensor::ones(&device, &[3, 4]).unwrap().matmul(&none).unwrap().shape(), [0, 3, 2]);
}
