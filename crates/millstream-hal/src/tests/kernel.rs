//! Kernels: size, output, what is refused, fingerprints.

use super::*;
use crate::Launch;

fn layout(shape: &[usize]) -> Layout {
    Layout::contiguous(shape).unwrap()
}

fn attention(dtype: DType, view: Layout) -> Kernel {
    Kernel::Attention { dtype, views: Views::new([view; 3]).unwrap(), scale: 1.0, masked: false, biased: false }
}

#[test]
fn a_kernel_stays_small_enough_to_be_copied_with_every_launch() {
    assert!(size_of::<Layout>() <= 80, "layout: {} bytes", size_of::<Layout>());
    assert!(size_of::<Kernel>() <= 176, "kernel: {} bytes", size_of::<Kernel>());
    assert!(size_of::<Launch>() <= 328, "launch: {} bytes", size_of::<Launch>());
}

#[test]
fn a_kernel_says_what_it_writes() {
    let a = layout(&[2, 3, 4]);
    let views = Views::new([a, a]).unwrap();
    let dtype = DType::F16;
    assert_eq!(Kernel::Binary { op: BinaryOp::Add, dtype, views }.output(), Some((DType::F16, 24)));
    assert_eq!(Kernel::Binary { op: BinaryOp::Lt, dtype, views }.output(), Some((DType::Bool, 24)));
    let product = Kernel::Matmul { dtype, a, b: layout(&[2, 4, 5]) };
    assert_eq!((product.output(), product.defect()), (Some((DType::F16, 30)), None));
    let reduce = |op, dtype, kept| Kernel::Reduce { op, dtype, a, kept };
    assert_eq!(reduce(ReduceOp::Sum, DType::U8, 2).output(), Some((DType::I64, 6)));
    assert_eq!(reduce(ReduceOp::Sum, DType::BF16, 0).output(), Some((DType::BF16, 1)));
    assert_eq!(reduce(ReduceOp::ArgMax, DType::F64, 3).output(), Some((DType::I64, 24)));
    assert_eq!(Kernel::Spin { micros: 1 }.output(), None);
}

#[test]
fn what_is_not_defined_has_a_reason() {
    let (a, b) = (layout(&[2, 3]), layout(&[3, 2]));
    let dtype = DType::F32;
    let key = PhiloxKey { seed: 0, sequence: 0, offset: 0 };
    let wrong = [
        Kernel::Unary { op: UnaryOp::Exp, dtype: DType::I64, a },
        Kernel::Unary { op: UnaryOp::Neg, dtype: DType::Bool, a },
        Kernel::Binary { op: BinaryOp::Add, dtype: DType::Bool, views: Views::new([a, a]).unwrap() },
        Kernel::Matmul { dtype: DType::U8, a, b },
        Kernel::Matmul { dtype, a, b: a },
        Kernel::Matmul { dtype, a: layout(&[3]), b: layout(&[3]) },
        Kernel::Matmul { dtype, a: layout(&[2, 1, 2]), b: layout(&[3, 2, 1]) },
        Kernel::Reduce { op: ReduceOp::Mean, dtype: DType::I64, a, kept: 0 },
        Kernel::Reduce { op: ReduceOp::Sum, dtype, a, kept: 3 },
        Kernel::Reduce { op: ReduceOp::Max, dtype, a: layout(&[2, 0]), kept: 1 },
        Kernel::Arange { elements: 1, dtype: DType::Bool, start: 0i64.into(), step: 1i64.into() },
        Kernel::Uniform { elements: 1, low: 1.0, high: 1.0, key },
        Kernel::Uniform { elements: 1, low: f32::MIN, high: f32::MAX, key },
        Kernel::Poison { bytes: 6 },
        Kernel::Unary { op: UnaryOp::Gelu, dtype: DType::I64, a },
        Kernel::AddBias { dtype: DType::I64, a, width: 3, activation: None },
        Kernel::AddBias { dtype, a, width: 4, activation: None },
        Kernel::LayerNorm { dtype: DType::U8, rows: 1, width: 1, epsilon: 0.0, residual: false },
        attention(DType::I64, layout(&[1, 2, 3, 4])),
        attention(dtype, layout(&[2, 3, 4])),
        attention(dtype, layout(&[1, 1, 1, Kernel::HEAD_MAX + 1])),
        attention(dtype, layout(&[1, 2, 3, 4]).transposed(2, 3)),
    ];
    for kernel in wrong {
        assert!(kernel.defect().is_some(), "{kernel:?}");
    }
    let right = [
        Kernel::Binary { op: BinaryOp::Ge, dtype: DType::Bool, views: Views::new([a, a]).unwrap() },
        Kernel::Matmul { dtype: DType::I64, a, b },
        Kernel::Reduce { op: ReduceOp::Max, dtype, a: layout(&[0, 0]), kept: 1 },
        Kernel::Reduce { op: ReduceOp::Sum, dtype, a: layout(&[2, 0]), kept: 1 },
        attention(dtype, layout(&[1, 3, 2, 4]).transposed(1, 2)),
        Kernel::AddBias { dtype: DType::BF16, a, width: 3, activation: Some(UnaryOp::Neg) },
    ];
    for kernel in right {
        assert_eq!(kernel.defect(), None, "{kernel:?}");
    }
}

#[test]
fn a_fingerprint_sees_the_position_of_a_word() {
    let of = |words: &[u32]| Kernel::fingerprint_of(&words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>());
    assert_ne!(of(&[1, 2, 3]), of(&[2, 1, 3]));
    assert_ne!(of(&[1, 2, 3]), of(&[1, 2, 3, 0]));
    assert_eq!(of(&[]), 0);
}

#[test]
fn a_fingerprint_sees_every_byte_of_a_tail_and_its_length() {
    let base = [9u8, 8, 7, 6, 5, 4, 3];
    let mut seen = std::collections::HashSet::new();
    for len in 0..=7 {
        assert!(seen.insert(Kernel::fingerprint_of(&base[..len])), "{len} bytes");
    }
    for at in 0..7 {
        let mut other = base;
        other[at] ^= 0x10;
        assert!(seen.insert(Kernel::fingerprint_of(&other)), "byte {at}");
    }
    // Zeros that fill the tail up are not the same as zeros that are there.
    for longer in [[9, 8, 0, 0], [9, 8, 0, 2]] {
        assert_ne!(Kernel::fingerprint_of(&[9, 8]), Kernel::fingerprint_of(&longer));
    }
    assert_ne!(Kernel::fingerprint_of(&[9, 8]), Kernel::fingerprint_of(&[9, 8, 0]));
}
