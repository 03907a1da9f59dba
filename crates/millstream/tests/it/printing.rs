//! How tensors print.

use millstream::{DType, Kernel, Tensor, bf16};

use crate::leaks::cpu;

#[test]
fn small_tensors_print_whole() {
    let device = cpu::open().unwrap();
    let a = Tensor::from_slice(&device, &[1.0f32, 2.0, -3.5, f32::NAN], &[2, 2]).unwrap();
    let expected = "tensor([[ 1.0000,  2.0000],\n        [-3.5000,     NaN]], shape=[2, 2], dtype=f32, device=cpu)";
    assert_eq!(a.to_string(), expected);
    let deep = Tensor::arange(&device, 0, 8, 1, DType::U8).unwrap().reshape(&[2, 2, 2]).unwrap();
    let expected = "tensor([[[0, 1],\n         [2, 3]],\n\n        [[4, 5],\n         [6, 7]]], shape=[2, 2, 2], dtype=u8, device=cpu)";
    assert_eq!(deep.to_string(), expected);
    let column = deep.narrow(2, 1, 1).unwrap().narrow(0, 0, 1).unwrap().transpose(1, 2).unwrap();
    assert_eq!(column.to_string(), "tensor([[[1, 3]]], shape=[1, 1, 2], dtype=u8, device=cpu)", "a view");
    let scalar = Tensor::full(&device, &[], true, DType::Bool).unwrap();
    assert_eq!(scalar.to_string(), "tensor(true, shape=[], dtype=bool, device=cpu)");
    let none = Tensor::zeros_of(&device, &[0, 3], DType::I64).unwrap();
    assert_eq!(none.to_string(), "tensor([], shape=[0, 3], dtype=i64, device=cpu)");
}

#[test]
fn numbers_that_four_decimals_do_not_show_have_an_exponent() {
    let device = cpu::open().unwrap();
    let a = Tensor::from_slice(&device, &[bf16::from_f32(1e-6), bf16::from_f32(2.0)], &[2]).unwrap();
    assert_eq!(a.to_string(), "tensor([9.9838e-7,  2.0000e0], shape=[2], dtype=bf16, device=cpu)");
}

#[test]
fn large_tensors_print_their_edges_and_only_these_are_read() {
    let device = cpu::open().unwrap();
    let line = Tensor::arange(&device, 0, 2000, 1, DType::I64).unwrap();
    let expected = "tensor([   0,    1,    2, ..., 1997, 1998, 1999], shape=[2000], dtype=i64, device=cpu)";
    assert_eq!(line.to_string(), expected);
    let plane = line.reshape(&[2, 1000]).unwrap();
    let expected = "tensor([[   0,    1,    2, ...,  997,  998,  999],\n        [1000, 1001, 1002, ..., 1997, 1998, 1999]], shape=[2, 1000], dtype=i64, device=cpu)";
    assert_eq!(plane.to_string(), expected);
    let rows = line.reshape(&[1000, 2]).unwrap().to_string();
    assert_eq!(rows.lines().map(str::trim).nth(3), Some("...,"), "{rows}");
    assert_eq!(rows.lines().count(), 7, "{rows}");
    let all = Tensor::arange(&device, 0, 8 * 9 * 20, 1, DType::I64).unwrap().reshape(&[8, 9, 20]).unwrap();
    let text = all.to_string();
    let digits: Vec<i64> = text
        .split("shape")
        .next()
        .unwrap_or("")
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse().ok())
        .collect();
    let edge = |size: usize| (0..size).filter(move |i| *i < 3 || *i + 3 >= size);
    let expected: Vec<i64> =
        edge(8).flat_map(|i| edge(9).flat_map(move |j| edge(20).map(move |k| ((i * 9 + j) * 20 + k) as i64))).collect();
    assert_eq!(digits, expected, "{text}");
    // More than fits in memory, of which the edges are a few numbers.
    let wide = line.narrow(0, 7, 1).unwrap().broadcast_to(&[1 << 20, 1 << 20]).unwrap();
    assert!(wide.to_string().starts_with("tensor([[7, 7, 7, ..., 7, 7, 7],\n"));
}

#[test]
fn debug_names_the_tensor_without_waiting_for_it() {
    let device = cpu::open_queued().unwrap();
    device.enqueue(Kernel::Spin { micros: 300_000 }).unwrap();
    let a = Tensor::zeros(&device, &[2, 3]).unwrap();
    let started = std::time::Instant::now();
    let text = format!("{a:?}");
    assert!(started.elapsed().as_millis() < 200, "it waited");
    assert!(text.starts_with("tensor(shape=[2, 3], dtype=f32, device=cpu"), "{text}");
}

#[test]
fn what_cannot_be_read_prints_why() {
    let device = cpu::open().unwrap();
    let a = Tensor::zeros(&device, &[2]).unwrap();
    device.shutdown(std::time::Duration::from_secs(5));
    assert_eq!(a.to_string(), "tensor(<the device is shutting down or closed>, shape=[2], dtype=f32, device=cpu)");
}
