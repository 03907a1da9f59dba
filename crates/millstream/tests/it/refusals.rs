//! Every bad input is a typed error, and nothing was enqueued for it.

use millstream::{DType, Device, Error, Generator, Operand, Result, RuntimeError, Tensor, read_all};

use crate::leaks::cpu;

/// The error of `work`, during which the stream of this thread did not move.
fn refused(device: &Device, work: impl FnOnce() -> Result<Tensor>) -> Error {
    let position = || Tensor::zeros(device, &[1]).expect("room for one").stamp().seq;
    let before = position();
    let error = work().map(|t| format!("{t:?}")).expect_err("bad input");
    assert_eq!(position(), before + 1, "enqueued before it was refused: {error}");
    error
}

fn zeros(device: &Device, shape: &[usize], dtype: DType) -> Tensor {
    Tensor::zeros_of(device, shape, dtype).expect("an operation")
}

#[test]
fn sizes_that_cannot_be_addressed_and_too_many_axes() {
    let device = cpu::open().unwrap();
    let one = zeros(&device, &[1], DType::F32);
    for shape in [vec![usize::MAX, 2], vec![1 << 31, 1 << 31], vec![1 << 33], vec![1; 9], vec![u32::MAX as usize; 8]] {
        let mut generator = Generator::new(1);
        let made: [(&str, Result<Tensor>); 6] = [
            ("zeros", Tensor::zeros(&device, &shape)),
            ("ones", Tensor::ones_of(&device, &shape, DType::I64)),
            ("full", Tensor::full(&device, &shape, 1.5, DType::F64)),
            ("uniform", Tensor::uniform(&device, &shape, 0.0, 1.0, &mut generator)),
            ("randn", Tensor::randn(&device, &shape, &mut generator)),
            ("from_slice", Tensor::from_slice::<u8>(&device, &[], &shape)),
        ];
        for (name, made) in made {
            assert!(matches!(&made, Err(Error::Layout { operation, .. }) if *operation == name), "{shape:?}: {made:?}");
        }
        assert_eq!(generator, Generator::new(1), "a refused draw moves nothing");
        let error = refused(&device, || one.reshape(&shape));
        assert!(matches!(error, Error::Layout { .. }), "{error:?}");
    }
    let wide = one.broadcast_to(&[1 << 31, 1 << 31]).unwrap();
    for error in [
        refused(&device, || wide.neg()),
        refused(&device, || wide.add(1.0)),
        refused(&device, || wide.add(&wide)),
        refused(&device, || wide.gt(&one)),
        refused(&device, || wide.sum()),
        refused(&device, || wide.max_over(&[0])),
        refused(&device, || wide.contiguous()),
        refused(&device, || wide.to_dtype(DType::F64)),
        refused(&device, || wide.matmul(&wide)),
        refused(&device, || wide.flatten()),
        refused(&device, || wide.eq(&one)?.where_cond(&one, 0.0)),
    ] {
        assert!(matches!(error, Error::Layout { .. }), "{error:?}");
    }
    assert!(matches!(wide.to_vec::<f32>(), Err(Error::Layout { .. })));
    // A size that memory could be addressed with, and that no device has.
    let much = one.broadcast_to(&[1 << 20, 1 << 19]).unwrap();
    assert!(matches!(refused(&device, || much.sum()), Error::Layout { operation: "sum", .. }));
    assert!(matches!(refused(&device, || much.argmax_keepdim(&[0])), Error::Layout { operation: "argmax", .. }));
    let much = zeros(&device, &[1], DType::I64).broadcast_to(&[1 << 22, 1 << 22]).unwrap();
    let (row, column) = (much.narrow(0, 0, 1).unwrap(), much.narrow(1, 0, 1).unwrap());
    let error = row.matmul(&much).unwrap_err();
    assert!(matches!(error, Error::Runtime(RuntimeError::OutOfMemory { .. })), "{error:?}");
    let error = much.matmul(&column).unwrap_err();
    assert!(matches!(error, Error::Runtime(RuntimeError::OutOfMemory { .. })), "{error:?}");
    let deep = zeros(&device, &[1; 8], DType::F32);
    assert!(matches!(refused(&device, || deep.unsqueeze(0)), Error::Layout { operation: "unsqueeze", .. }));
    assert!(matches!(refused(&device, || one.broadcast_to(&[1; 9])), Error::Layout { operation: "broadcast_to", .. }));
}

#[test]
fn views_out_of_range() {
    let device = cpu::open().unwrap();
    let a = zeros(&device, &[2, 3], DType::F32);
    let error = refused(&device, || a.narrow(1, 2, 2));
    assert_eq!(error.to_string(), "narrow: 2 elements from 2 on of axis 1, which has 3");
    assert!(matches!(refused(&device, || a.narrow(0, usize::MAX, 2)), Error::Range { .. }));
    assert!(matches!(refused(&device, || a.narrow(2, 0, 1)), Error::Axis { operation: "narrow", axis: 2, dims: 2 }));
    assert!(matches!(refused(&device, || a.unsqueeze(3)), Error::Axis { operation: "unsqueeze", axis: 3, .. }));
    assert!(matches!(refused(&device, || a.squeeze(2)), Error::Axis { operation: "squeeze", axis: 2, .. }));
    let error = refused(&device, || a.squeeze(1));
    assert_eq!(error.to_string(), "squeeze: axes [1] of a tensor of 2 dimensions: the axis must have one element");
    for order in [&[0, 0][..], &[0], &[0, 1, 2], &[1, 2]] {
        let error = refused(&device, || a.permute(order));
        assert!(matches!(&error, Error::Axes { axes, dims: 2, .. } if axes == order), "{error:?}");
    }
    for shape in [&[4, 3][..], &[2, 6], &[3], &[2, 3, 1]] {
        let error = refused(&device, || a.broadcast_to(shape));
        assert!(matches!(&error, Error::Shape { operation: "broadcast_to", right, .. } if right == shape), "{error:?}");
    }
    assert!(matches!(refused(&device, || a.reshape(&[5])), Error::Shape { operation: "reshape", .. }));
}

#[test]
fn different_types_are_named_and_nothing_is_promoted() {
    let device = cpu::open().unwrap();
    let (a, b) = (zeros(&device, &[2, 2], DType::F32), zeros(&device, &[2, 2], DType::F64));
    let errors = [refused(&device, || a.add(&b)), refused(&device, || a.lt(&b)), refused(&device, || a.matmul(&b))];
    for error in errors {
        assert!(matches!(error, Error::MixedDTypes { left: DType::F32, right: DType::F64, .. }), "{error:?}");
    }
    let cond = zeros(&device, &[2], DType::Bool);
    let error = refused(&device, || cond.where_cond(&a, &b));
    assert_eq!(error.to_string(), "where_cond: f32 and f64 do not go together: cast one of them");
}

#[test]
fn numbers_of_another_kind_than_the_tensor() {
    let device = cpu::open().unwrap();
    let of = |dtype| zeros(&device, &[2], dtype);
    let cases: [(DType, Operand<'_>, &str); 6] = [
        (DType::I64, 0.5.into(), "add: scalar is 0.5: an integer is needed"),
        (DType::U8, 2.0.into(), "add: scalar is 2.0: an integer is needed"),
        (DType::U8, 256.into(), "add: scalar is 256: u8 goes from 0 to 255"),
        (DType::U8, (-1).into(), "add: scalar is -1: u8 goes from 0 to 255"),
        (DType::F32, true.into(), "add: scalar is true: a number is needed"),
        (DType::I64, f64::NAN.into(), "add: scalar is NaN: an integer is needed"),
    ];
    for (dtype, value, text) in cases {
        let tensor = of(dtype);
        assert_eq!(refused(&device, || tensor.add(value)).to_string(), text);
    }
    let error = refused(&device, || Tensor::full(&device, &[2], 1, DType::Bool));
    assert_eq!(error.to_string(), "full: value is 1: a bool is needed");
    let (mask, bytes) = (of(DType::Bool), of(DType::U8));
    assert!(matches!(refused(&device, || mask.where_cond(&bytes, 256)), Error::Argument { .. }));
}

#[test]
fn operations_that_a_type_does_not_have() {
    let device = cpu::open().unwrap();
    let square = |dtype| zeros(&device, &[2, 2], dtype);
    let refuses = |dtype: DType, operation: &str, result: Result<Tensor>| {
        let found =
            matches!(&result, Err(Error::DType { operation: o, dtype: d, .. }) if *o == operation && *d == dtype);
        assert!(found, "{operation} of {dtype}: {result:?}");
    };
    let before = square(DType::F32).stamp().seq;
    let made = [DType::Bool, DType::U8, DType::I64].map(square);
    let [truths, bytes, whole] = &made;
    refuses(DType::Bool, "add", truths.add(truths));
    refuses(DType::Bool, "div", truths.div(true));
    refuses(DType::Bool, "neg", truths.neg());
    refuses(DType::Bool, "relu", truths.relu());
    for (dtype, t) in [(DType::Bool, truths), (DType::U8, bytes), (DType::I64, whole)] {
        refuses(dtype, "exp", t.exp());
        refuses(dtype, "log", t.log());
        refuses(dtype, "sqrt", t.sqrt());
        refuses(dtype, "tanh", t.tanh());
        refuses(dtype, "mean", t.mean());
        refuses(dtype, "mean", t.mean_over(&[0]));
    }
    refuses(DType::Bool, "matmul", truths.matmul(truths));
    refuses(DType::U8, "matmul", bytes.matmul(bytes));
    refuses(DType::I64, "where_cond", whole.where_cond(whole, whole));
    refuses(DType::Bool, "arange", Tensor::arange(&device, 0, 1, 1, DType::Bool));
    assert_eq!(square(DType::F32).stamp().seq, before + 4, "three tensors were made and nothing else");
    assert_eq!(whole.exp().unwrap_err().to_string(), "exp: i64 is not possible: floats alone");
}

#[test]
fn factors_that_are_no_matrices_or_do_not_fit() {
    let device = cpu::open().unwrap();
    let of = |shape: &[usize]| zeros(&device, shape, DType::F32);
    let (vector, matrix, batch) = (of(&[3]), of(&[3, 3]), of(&[2, 3, 3]));
    let (wide, other_batch) = (of(&[2, 3]), of(&[3, 3, 3]));
    let error = refused(&device, || matrix.matmul(&vector));
    let text = "matmul: shapes [3, 3] and [3] do not go together: both need two axes or more; unsqueeze a vector";
    assert_eq!(error.to_string(), text);
    assert!(matches!(refused(&device, || vector.matmul(&matrix)), Error::Shape { operation: "matmul", .. }));
    assert!(matches!(refused(&device, || matrix.matmul(&wide)), Error::Shape { .. }));
    let error = refused(&device, || batch.matmul(&other_batch));
    assert!(error.to_string().ends_with("batch axes must be equal or 1"), "{error}");
}

#[test]
fn axes_that_are_not_there_or_named_twice_and_a_greatest_of_nothing() {
    let device = cpu::open().unwrap();
    let a = zeros(&device, &[2, 3], DType::F32);
    assert!(matches!(refused(&device, || a.sum_over(&[2])), Error::Axis { operation: "sum", axis: 2, dims: 2 }));
    let error = refused(&device, || a.max_keepdim(&[1, 0, 1]));
    assert_eq!(error.to_string(), "max: axes [1, 0, 1] of a tensor of 2 dimensions: an axis is named twice");
    let none = zeros(&device, &[2, 0], DType::F32);
    for error in [
        refused(&device, || none.max()),
        refused(&device, || none.argmax()),
        refused(&device, || none.argmax_over(&[1])),
        refused(&device, || none.max_keepdim(&[1])),
    ] {
        assert!(matches!(&error, Error::Empty { shape, .. } if *shape == [2, 0]), "{error:?}");
    }
}

#[test]
fn ranges_that_make_no_sense() {
    let device = cpu::open().unwrap();
    let range =
        |start: f64, end: f64, step: f64| refused(&device, || Tensor::arange(&device, start, end, step, DType::F32));
    assert_eq!(range(0.0, 1.0, 0.0).to_string(), "arange: step is 0.0: it must not be 0");
    assert_eq!(range(f64::NAN, 1.0, 1.0).to_string(), "arange: start is NaN: it must be finite");
    assert_eq!(range(0.0, f64::INFINITY, 1.0).to_string(), "arange: end is inf: it must be finite");
    assert_eq!(range(0.0, 1.0, f64::NAN).to_string(), "arange: step is NaN: it must be finite");
    assert!(matches!(range(-1e308, 1e308, 1e300), Error::Argument { name: "end", .. }));
    assert!(matches!(range(0.0, 1.0, 1e-300), Error::Argument { name: "end", .. }));
    let whole =
        |start: i64, end: i64, step: i64, dtype| refused(&device, || Tensor::arange(&device, start, end, step, dtype));
    assert!(matches!(whole(i64::MIN, i64::MAX, 1, DType::I64), Error::Argument { name: "end", .. }));
    assert!(matches!(whole(0, 1, 0, DType::I64), Error::Argument { name: "step", .. }));
    assert!(matches!(whole(0, 300, 1, DType::U8), Error::Argument { name: "last element", .. }));
    assert!(matches!(whole(-3, 3, 1, DType::U8), Error::Argument { name: "start", .. }));
    let error = refused(&device, || Tensor::arange(&device, 0, 1.5, 1, DType::I64));
    assert_eq!(error.to_string(), "arange: end is 1.5: an integer is needed");
}

#[test]
fn bounds_of_random_numbers_that_are_no_interval() {
    let device = cpu::open().unwrap();
    let mut generator = Generator::new(1);
    for (low, high) in
        [(1.0, 1.0), (2.0, 1.0), (f32::NAN, 1.0), (0.0, f32::NAN), (f32::MIN, f32::MAX), (0.0, f32::INFINITY)]
    {
        let error = refused(&device, || Tensor::uniform(&device, &[4], low, high, &mut generator));
        assert!(matches!(error, Error::Argument { operation: "uniform", .. }), "{low} {high}: {error:?}");
    }
    assert_eq!(generator, Generator::new(1));
}

#[test]
fn different_devices() {
    let (here, there) = (cpu::open().unwrap(), cpu::open().unwrap());
    let (a, b) = (zeros(&here, &[2, 2], DType::F32), zeros(&there, &[2, 2], DType::F32));
    let mask = zeros(&here, &[2, 2], DType::Bool);
    let errors = [
        refused(&here, || a.add(&b)),
        refused(&here, || a.matmul(&b)),
        refused(&here, || mask.where_cond(&a, &b)),
        refused(&here, || mask.where_cond(&b, &a)),
        refused(&there, || mask.where_cond(&b, 1.0)),
        refused(&here, || mask.where_cond(&b, 1.0)),
    ];
    for error in errors {
        assert!(matches!(error, Error::Runtime(RuntimeError::MixedDevices { .. })), "{error:?}");
    }
    let turned = a.transpose(0, 1).unwrap();
    let read = || read_all::<f32>(&[&turned, &b]).map(|values| panic!("{values:?}"));
    assert!(matches!(refused(&here, read), Error::Runtime(RuntimeError::MixedDevices { .. })));
}

#[test]
fn a_budget_of_nothing() {
    let device = cpu::open_with(cpu::CpuOptions::inline(), |options| options.budget_bytes = 0).unwrap();
    let mut generator = Generator::new(1);
    let made = [
        Tensor::zeros(&device, &[4]),
        Tensor::from_slice(&device, &[1u8, 2], &[2]),
        Tensor::arange(&device, 0, 4, 1, DType::I64),
        Tensor::randn(&device, &[4], &mut generator),
    ];
    for made in made {
        assert!(matches!(&made, Err(Error::Runtime(RuntimeError::OutOfMemory { .. }))), "{made:?}");
    }
    assert_eq!(generator, Generator::new(1));
}
