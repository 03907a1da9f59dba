//! Layers of networks: chosen rows, a bias with what follows it, normalised rows, attention; and tensors from files.

use std::io::Write;

use millstream::{DType, Device, Error, Tensor, UnaryOp};

use crate::leaks::cpu;

fn of(device: &Device, values: &[f32], shape: &[usize]) -> Tensor {
    Tensor::from_slice(device, values, shape).expect("a tensor")
}

/// Numbers that differ, between -2 and 2.
fn numbers(device: &Device, shape: &[usize], seed: usize) -> Tensor {
    let value = |i: usize| ((i * 37 + seed * 11) % 41) as f32 / 10.0 - 2.0;
    of(device, &(0..shape.iter().product()).map(value).collect::<Vec<_>>(), shape)
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.to_vec().expect("values")
}

#[track_caller]
fn near(found: &Tensor, wanted: &Tensor) {
    assert_eq!(found.shape(), wanted.shape());
    for (x, y) in values(found).into_iter().zip(values(wanted)) {
        assert!((x - y).abs() < 1e-5, "{x} is not {y}");
    }
}

#[test]
fn places_on_any_axis_are_chosen_and_those_that_are_not_there_are_zeros() {
    let device = cpu::open().unwrap();
    let a = of(&device, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]);
    let at = |indices: &[i64]| Tensor::from_slice(&device, indices, &[indices.len()]).unwrap();
    let rows = a.index_select(0, &at(&[1, 1, 0])).unwrap();
    assert_eq!((rows.shape(), values(&rows)), (vec![3, 3], vec![4.0, 5.0, 6.0, 4.0, 5.0, 6.0, 1.0, 2.0, 3.0]));
    let columns = a.index_select(1, &at(&[2, 0])).unwrap();
    assert_eq!((columns.shape(), values(&columns)), (vec![2, 2], vec![3.0, 1.0, 6.0, 4.0]));
    let turned = a.transpose(0, 1).unwrap().index_select(0, &at(&[0, 2])).unwrap();
    assert_eq!(values(&turned), [1.0, 4.0, 3.0, 6.0]);
    assert_eq!(values(&a.index_select(0, &at(&[2, -1])).unwrap()), [0.0; 6]);
    assert_eq!(a.index_select(0, &at(&[])).unwrap().shape(), [0, 3]);
    let deep = numbers(&device, &[2, 3, 2, 2], 1);
    assert_eq!(deep.index_select(2, &at(&[1])).unwrap().shape(), [2, 3, 1, 2]);
    near(&deep.index_select(2, &at(&[1])).unwrap(), &deep.narrow(2, 1, 1).unwrap());
}

#[test]
fn a_bias_and_an_activation_are_one_pass() {
    let device = cpu::open().unwrap();
    let (a, bias) = (numbers(&device, &[2, 3, 5], 1), numbers(&device, &[5], 2));
    let sum = a.add(&bias).unwrap();
    near(&a.add_bias(&bias, None).unwrap(), &sum);
    near(&a.add_bias(&bias, Some(UnaryOp::Gelu)).unwrap(), &sum.gelu().unwrap());
    near(&a.add_bias(&bias, Some(UnaryOp::GeluTanh)).unwrap(), &sum.gelu_tanh().unwrap());
    // A view, and a bias of two axes.
    let (turned, table) = (numbers(&device, &[5, 3, 2], 3).transpose(0, 2).unwrap(), numbers(&device, &[3, 5], 4));
    near(&turned.add_bias(&table, None).unwrap(), &turned.add(&table).unwrap());
    // Both forms of gelu, in the words of the other operations.
    let erf = sum.mul(std::f32::consts::FRAC_1_SQRT_2).and_then(|x| x.erf()).unwrap();
    near(&sum.gelu().unwrap(), &erf.add(1.0).and_then(|x| x.mul(&sum)).and_then(|x| x.mul(0.5)).unwrap());
    let apart = sum.gelu().and_then(|x| x.sub(&sum.gelu_tanh()?)).and_then(|x| x.abs()).and_then(|x| x.max()).unwrap();
    let apart: f32 = apart.item().unwrap();
    assert!(apart > 1e-5 && apart < 1e-3, "{apart}");
}

#[test]
fn rows_are_normalised_with_and_without_a_residual() {
    let device = cpu::open().unwrap();
    let (a, residual) = (numbers(&device, &[4, 70], 1), numbers(&device, &[4, 70], 5));
    let (weight, bias) = (numbers(&device, &[70], 2), numbers(&device, &[70], 3));
    let by_parts = |x: &Tensor| {
        let centred = x.sub(&x.mean_keepdim(&[1])?)?;
        let variance = centred.mul(&centred)?.mean_keepdim(&[1])?;
        centred.div(&variance.add(1e-5f32)?.sqrt()?)?.mul(&weight)?.add(&bias)
    };
    near(&a.layer_norm(&weight, &bias, 1e-5).unwrap(), &by_parts(&a).unwrap());
    let sum = a.add(&residual).unwrap();
    near(&a.add_layer_norm(&residual, &weight, &bias, 1e-5).unwrap(), &by_parts(&sum).unwrap());
    // A view and a repeated residual.
    let turned = numbers(&device, &[70, 4], 4).transpose(0, 1).unwrap();
    let row = numbers(&device, &[70], 6).broadcast_to(&[4, 70]).unwrap();
    near(&turned.add_layer_norm(&row, &weight, &bias, 1e-5).unwrap(), &by_parts(&turned.add(&row).unwrap()).unwrap());
}

#[test]
fn attention_is_a_softmax_of_products() {
    let device = cpu::open().unwrap();
    let [batch, tokens, heads, width] = [2, 37, 3, 8];
    let [q, k, v] = [1, 2, 3].map(|seed| numbers(&device, &[batch, tokens, heads, width], seed));
    let lengths = [37usize, 20];
    let counts: Vec<bool> = lengths.iter().flat_map(|n| (0..tokens).map(move |i| i < *n)).collect();
    let mask = Tensor::from_slice(&device, &counts, &[batch, tokens]).unwrap();
    let bias = numbers(&device, &[heads, tokens, tokens], 4);
    let by_parts = |mask: Option<&Tensor>, bias: Option<&Tensor>| {
        let before = |x: &Tensor| x.transpose(1, 2);
        let scores = before(&q)?.matmul(&before(&k)?.transpose(2, 3)?)?.mul(0.4)?;
        let scores = bias.map_or(Ok(scores.clone()), |bias| scores.add(bias))?;
        let scores = match mask {
            Some(mask) => mask.reshape(&[batch, 1, 1, tokens])?.where_cond(&scores, -1e30)?,
            None => scores,
        };
        let weights = scores.sub(&scores.max_keepdim(&[3])?)?.exp()?;
        weights.div(&weights.sum_keepdim(&[3])?)?.matmul(&before(&v)?)?.transpose(1, 2)?.contiguous()
    };
    near(&Tensor::attention(&q, &k, &v, None, None, 0.4).unwrap(), &by_parts(None, None).unwrap());
    near(&Tensor::attention(&q, &k, &v, Some(&mask), None, 0.4).unwrap(), &by_parts(Some(&mask), None).unwrap());
    for mask in [None, Some(&mask)] {
        let found = Tensor::attention(&q, &k, &v, mask, Some(&bias), 0.4).unwrap();
        near(&found, &by_parts(mask, Some(&bias)).unwrap());
        // Any view.
        let turned = bias.transpose(1, 2).unwrap().contiguous().unwrap().transpose(1, 2).unwrap();
        assert_eq!(values(&found), values(&Tensor::attention(&q, &k, &v, mask, Some(&turned), 0.4).unwrap()));
    }
    // Heads that do not lie side by side are copied.
    let turned = q.transpose(2, 3).unwrap().contiguous().unwrap().transpose(2, 3).unwrap();
    assert_eq!(
        values(&Tensor::attention(&turned, &k, &v, None, None, 0.4).unwrap()),
        values(&Tensor::attention(&q, &k, &v, None, None, 0.4).unwrap())
    );
}

#[test]
fn what_does_not_fit_is_refused_before_anything_runs() {
    let device = cpu::open().unwrap();
    let a = numbers(&device, &[2, 3], 1);
    let (row, short) = (numbers(&device, &[3], 1), numbers(&device, &[2], 1));
    let whole = a.to_dtype(DType::I64).unwrap();
    let shape = |result: millstream::Result<Tensor>| assert!(matches!(result, Err(Error::Shape { .. })), "{result:?}");
    let dtype = |result: millstream::Result<Tensor>| assert!(matches!(result, Err(Error::DType { .. })), "{result:?}");
    shape(a.add_bias(&short, None));
    shape(row.add_bias(&a, None));
    shape(a.layer_norm(&row, &short, 1e-5));
    shape(a.add_layer_norm(&row, &row, &row, 1e-5));
    dtype(whole.add_bias(&row, None));
    dtype(whole.gelu());
    assert!(matches!(a.add_bias(&row.to_dtype(DType::F16).unwrap(), None), Err(Error::MixedDTypes { .. })));
    dtype(a.index_select(0, &row));
    shape(a.index_select(0, &whole));
    assert!(matches!(a.index_select(2, &whole), Err(Error::Axis { axis: 2, .. })));
    let heads = numbers(&device, &[1, 2, 1, 3], 1);
    shape(Tensor::attention(&heads, &heads, &a, None, None, 1.0));
    let wide = Tensor::zeros(&device, &[1, 1, 1, 129]).unwrap();
    shape(Tensor::attention(&wide, &wide, &wide, None, None, 1.0));
    dtype(Tensor::attention(&heads, &heads, &heads, Some(&row), None, 1.0));
    shape(Tensor::attention(&heads, &heads, &heads, Some(&a.gt(0.0).unwrap()), None, 1.0));
    shape(Tensor::attention(&heads, &heads, &heads, None, Some(&a), 1.0));
    let half = Tensor::zeros(&device, &[1, 2, 2]).unwrap().to_dtype(DType::F16).unwrap();
    assert!(matches!(
        Tensor::attention(&heads, &heads, &heads, None, Some(&half), 1.0),
        Err(Error::MixedDTypes { .. })
    ));
    let other = cpu::open().unwrap();
    let there = numbers(&other, &[3], 1);
    assert!(matches!(a.add_bias(&there, None), Err(Error::Runtime(_))));
}

#[test]
fn elements_of_a_file_are_mapped_or_read() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let bytes: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    file.write_all(&[&bytes[..], &[9], &bytes[..]].concat()).unwrap();
    let device = cpu::open().unwrap();
    let mapped = Tensor::from_file(&device, file.path(), 4, &[3], DType::F32).unwrap();
    assert_eq!((values(&mapped), device.memory_stats().imports), (vec![2.0, 3.0, 4.0], 1));
    let read = Tensor::from_file(&device, file.path(), 17, &[2, 2], DType::F32).unwrap();
    assert_eq!((values(&read), device.memory_stats().imports), (vec![1.0, 2.0, 3.0, 4.0], 1));
    for offset in [21, 24] {
        let short = Tensor::from_file(&device, file.path(), offset, &[4], DType::F32).unwrap_err();
        assert!(short.to_string().contains(&format!("{} bytes are needed, it has 33", offset + 16)), "{short}");
    }
    assert!(Tensor::from_file(&device, "no/such/file", 0, &[1], DType::F32).is_err());
}
