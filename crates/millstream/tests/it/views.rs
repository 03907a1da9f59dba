//! Views of every kind: what they hold, that they copy nothing, and that operations on them give the values of their copies.

use millstream::{DType, Device, Tensor};

use crate::leaks::cpu;

/// 0, 1, 2, .. as i64.
fn counting(device: &Device, shape: &[usize]) -> Tensor {
    let end = shape.iter().product::<usize>() as i64;
    Tensor::arange(device, 0, end, 1, DType::I64).and_then(|t| t.reshape(shape)).expect("an operation")
}

fn values(tensor: &Tensor) -> Vec<i64> {
    tensor.to_vec().expect("an operation")
}

#[test]
fn a_view_copies_nothing_and_shows_its_part() {
    let device = cpu::open().unwrap();
    let a = counting(&device, &[2, 3, 4]);
    let views = [
        (a.permute(&[2, 0, 1]).unwrap(), vec![4, 2, 3]),
        (a.narrow(1, 1, 2).unwrap(), vec![2, 2, 4]),
        (a.unsqueeze(1).unwrap(), vec![2, 1, 3, 4]),
        (a.unsqueeze(3).unwrap().squeeze(3).unwrap(), vec![2, 3, 4]),
        (a.narrow(0, 1, 1).unwrap().broadcast_to(&[5, 3, 4]).unwrap(), vec![5, 3, 4]),
        (a.broadcast_to(&[2, 2, 3, 4]).unwrap(), vec![2, 2, 3, 4]),
        (a.narrow(2, 4, 0).unwrap(), vec![2, 3, 0]),
    ];
    for (view, shape) in &views {
        assert_eq!((view.shape(), view.stamp()), (shape.clone(), a.stamp()), "a view is no new work");
    }
    let at = |i: usize, j: usize, k: usize| (i * 12 + j * 4 + k) as i64;
    let turned: Vec<i64> = (0..24).map(|n| at(n / 3 % 2, n % 3, n / 6)).collect();
    assert_eq!(values(&views[0].0), turned);
    assert_eq!(values(&views[1].0), [4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23]);
    assert_eq!(values(&views[4].0), (0..60).map(|n| 12 + n % 12).collect::<Vec<i64>>());
    assert_eq!(values(&views[5].0), (0..48).map(|n| n % 24).collect::<Vec<i64>>());
    assert_eq!(values(&views[6].0), [0i64; 0]);
}

#[test]
fn views_of_views_show_what_their_copies_show() {
    let device = cpu::open().unwrap();
    let mut view = counting(&device, &[4, 5, 6]);
    type Step = fn(&Tensor) -> millstream::Result<Tensor>;
    let steps: [Step; 8] = [
        |t| t.transpose(0, 2),
        |t| t.narrow(0, 1, 4),
        |t| t.unsqueeze(0),
        |t| t.broadcast_to(&[3, 4, 5, 4]),
        |t| t.permute(&[3, 1, 0, 2]),
        |t| t.narrow(3, 2, 3),
        |t| t.reshape(&[16, 3, 3]),
        |t| t.narrow(0, 3, 12)?.flatten(),
    ];
    for (i, step) in steps.into_iter().enumerate() {
        // The same step over a copy that lies in order.
        let copied = step(&view.contiguous().unwrap()).unwrap();
        view = step(&view).unwrap();
        assert_eq!((view.shape(), values(&view)), (copied.shape(), values(&copied)), "step {i}");
    }
    assert_eq!(view.shape(), [108]);
}

#[test]
fn a_reshape_copies_only_where_strides_cannot_say_it() {
    let device = cpu::open().unwrap();
    let a = counting(&device, &[4, 6]);
    let seen = |t: &Tensor| t.stamp() == a.stamp();
    let rows = a.narrow(0, 1, 2).unwrap();
    assert!(
        seen(&rows.reshape(&[3, 4]).unwrap()) && seen(&rows.flatten().unwrap()),
        "rows lie in order, if not from the start"
    );
    assert_eq!(values(&rows.flatten().unwrap()), (6..18).collect::<Vec<i64>>());
    let columns = a.narrow(1, 2, 2).unwrap();
    assert!(seen(&columns.reshape(&[2, 2, 2, 1]).unwrap()), "the outer axis alone is cut");
    assert!(!seen(&columns.flatten().unwrap()) && !seen(&a.transpose(0, 1).unwrap().flatten().unwrap()));
    assert_eq!(values(&columns.flatten().unwrap()), [2, 3, 8, 9, 14, 15, 20, 21]);
    let repeated = a.narrow(0, 0, 1).unwrap().broadcast_to(&[4, 6]).unwrap();
    assert!(seen(&repeated.reshape(&[2, 2, 6]).unwrap()) && !seen(&repeated.reshape(&[24]).unwrap()));
    assert_eq!(values(&repeated.reshape(&[24]).unwrap()), (0..24).map(|n| n % 6).collect::<Vec<i64>>());
}

#[test]
fn every_type_is_read_through_every_view() {
    let device = cpu::open().unwrap();
    let plain = counting(&device, &[3, 4]);
    for dtype in DType::ALL {
        let a = plain.to_dtype(dtype).unwrap();
        let view = a.transpose(0, 1).unwrap().narrow(0, 1, 2).unwrap().unsqueeze(1).unwrap();
        let view = view.broadcast_to(&[2, 2, 3]).unwrap();
        let expected: Vec<i64> =
            [1, 5, 9, 1, 5, 9, 2, 6, 10, 2, 6, 10].map(|x| if dtype == DType::Bool { 1 } else { x }).into();
        assert_eq!(values(&view.to_dtype(DType::I64).unwrap()), expected, "{dtype}");
        assert_eq!(values(&view.contiguous().unwrap().to_dtype(DType::I64).unwrap()), expected, "{dtype}");
        assert_eq!(view.fingerprint().unwrap(), view.contiguous().unwrap().fingerprint().unwrap(), "{dtype}");
    }
}
