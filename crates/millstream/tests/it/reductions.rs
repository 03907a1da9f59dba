//! Reductions over any axes, with and without what is left of them.

use millstream::{DType, Device, Generator, Tensor, f16};

use crate::leaks::cpu;

/// The numbers below 24, so that neither the first nor the last of a row is always its greatest.
fn jumping(i: i64) -> i64 {
    (i * 7 + 5) % 24
}

fn counting(device: &Device, shape: &[usize], dtype: DType) -> Tensor {
    let end = shape.iter().product::<usize>() as i64;
    Tensor::arange(device, 0, end, 1, DType::I64).and_then(|t| t.reshape(shape)?.to_dtype(dtype)).expect("an operation")
}

/// Every set of axes of a tensor of three, reduced by hand.
fn by_hand(shape: [usize; 3], reduced: &[usize], fold: impl Fn(&[i64]) -> i64) -> Vec<i64> {
    let size = |axis: usize, inside: bool| if reduced.contains(&axis) == inside { shape[axis] } else { 1 };
    let walk = |inside: bool| {
        let sizes: [usize; 3] = std::array::from_fn(|axis| size(axis, inside));
        (0..sizes.iter().product::<usize>()).map(move |n| {
            let (i, j, k) = (n / (sizes[1] * sizes[2]), n / sizes[2] % sizes[1], n % sizes[2]);
            (i * shape[1] + j) * shape[2] + k
        })
    };
    walk(false).map(|at| fold(&walk(true).map(|from| jumping((at + from) as i64)).collect::<Vec<_>>())).collect()
}

#[test]
fn every_set_of_axes_reduces_to_what_is_counted_by_hand() {
    let device = cpu::open().unwrap();
    let shape = [2, 3, 4];
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16, DType::I64, DType::U8] {
        let jumping: Vec<i64> = (0..24).map(jumping).collect();
        let a = Tensor::from_slice(&device, &jumping, &shape).unwrap().to_dtype(dtype).unwrap();
        let first_greatest = |x: &[i64]| x.iter().position(|y| y == x.iter().max().unwrap()).unwrap() as i64;
        for axes in [&[][..], &[0], &[1], &[2], &[0, 2], &[2, 1], &[1, 0], &[0, 1, 2]] {
            let same = |found: Tensor, expected: Vec<i64>, what: &str| {
                let left: Vec<usize> = (0..3).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect();
                assert_eq!(found.shape(), left, "{what} {dtype} {axes:?}");
                let values = found.to_dtype(DType::I64).unwrap().to_vec::<i64>().unwrap();
                assert_eq!(values, expected, "{what} {dtype} {axes:?}");
            };
            same(a.sum_over(axes).unwrap(), by_hand(shape, axes, |x| x.iter().sum()), "sum");
            same(a.max_over(axes).unwrap(), by_hand(shape, axes, |x| *x.iter().max().unwrap()), "max");
            same(a.argmax_over(axes).unwrap(), by_hand(shape, axes, first_greatest), "argmax");
            let kept: Vec<usize> = (0..3).map(|axis| if axes.contains(&axis) { 1 } else { shape[axis] }).collect();
            let same_values = |x: Tensor, y: Tensor| {
                assert_eq!((x.shape(), x.fingerprint().unwrap()), (kept.clone(), y.fingerprint().unwrap()), "{axes:?}");
            };
            same_values(a.sum_keepdim(axes).unwrap(), a.sum_over(axes).unwrap());
            same_values(a.max_keepdim(axes).unwrap(), a.max_over(axes).unwrap());
            same_values(a.argmax_keepdim(axes).unwrap(), a.argmax_over(axes).unwrap());
        }
    }
}

#[test]
fn means_divide_sums_and_types_are_those_of_the_table() {
    let device = cpu::open().unwrap();
    let a = counting(&device, &[2, 3], DType::F32);
    assert_eq!(a.mean_over(&[0]).unwrap().to_vec::<f32>().unwrap(), [1.5, 2.5, 3.5]);
    let rows = a.mean_keepdim(&[1]).unwrap();
    assert_eq!((rows.shape(), rows.to_vec::<f32>().unwrap()), (vec![2, 1], vec![1.0, 4.0]));
    assert_eq!(a.sub(&rows).unwrap().to_vec::<f32>().unwrap(), [-1.0, 0.0, 1.0, -1.0, 0.0, 1.0]);
    let halves = a.to_dtype(DType::F16).unwrap();
    assert_eq!(halves.mean().unwrap().item::<f16>().unwrap(), f16::from_f32(2.5));
    let truths = a.gt(1.5).unwrap();
    assert_eq!(truths.sum().unwrap().item::<i64>().unwrap(), 4, "how many are true");
    assert!(truths.max().unwrap().item::<bool>().unwrap());
    assert_eq!(truths.argmax().unwrap().item::<i64>().unwrap(), 2, "the first of equals");
    let bytes = Tensor::full(&device, &[300], 255, DType::U8).unwrap();
    assert_eq!(bytes.sum().unwrap().item::<i64>().unwrap(), 300 * 255, "summed in i64");
}

#[test]
fn nothing_sums_to_zero_along_an_axis_and_a_greatest_of_no_rows_is_no_row() {
    let device = cpu::open().unwrap();
    let none = Tensor::zeros(&device, &[3, 0]).unwrap();
    assert_eq!(none.sum_over(&[1]).unwrap().to_vec::<f32>().unwrap(), [0.0; 3]);
    assert!(none.mean_over(&[1]).unwrap().to_vec::<f32>().unwrap().iter().all(|x| x.is_nan()));
    assert_eq!(none.max_over(&[0]).unwrap().shape(), [0]);
    assert_eq!(none.argmax_keepdim(&[0]).unwrap().shape(), [1, 0]);
}

#[test]
fn the_bits_of_a_sum_do_not_depend_on_threads_or_on_how_the_tensor_lies() {
    let one = cpu::CpuOptions { threads: Some(1), ..cpu::CpuOptions::inline() };
    let devices = [cpu::open().unwrap(), cpu::open_queued().unwrap(), cpu::open_with(one, |_| {}).unwrap()];
    let bits: Vec<[u64; 5]> = devices
        .iter()
        .map(|device| {
            let a = Tensor::randn(device, &[70, 500, 11], &mut Generator::new(11)).unwrap();
            let turned = a.permute(&[2, 0, 1]).unwrap().contiguous().unwrap().permute(&[1, 2, 0]).unwrap();
            let over = |t: &Tensor| t.sum_over(&[1]).unwrap().fingerprint().unwrap();
            assert_eq!(over(&a), over(&turned), "another order in memory");
            assert_eq!(a.sum().unwrap().item::<f32>().unwrap(), turned.sum().unwrap().item::<f32>().unwrap());
            [
                over(&a),
                a.sum().unwrap().fingerprint().unwrap(),
                a.mean_over(&[0, 2]).unwrap().fingerprint().unwrap(),
                a.to_dtype(DType::F16).unwrap().sum_over(&[0]).unwrap().fingerprint().unwrap(),
                a.argmax_over(&[1, 2]).unwrap().fingerprint().unwrap(),
            ]
        })
        .collect();
    assert!(bits.iter().all(|found| *found == bits[0]), "{bits:?}");
}
