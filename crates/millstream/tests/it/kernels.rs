//! Kernels of f32 for tests that launch without tensors.

use millstream::{DType, Kernel, Layout, ReduceOp};

fn line(elements: usize) -> Layout {
    Layout::contiguous(&[elements]).expect("one dimension")
}

pub fn fill(elements: usize, value: f32) -> Kernel {
    Kernel::Fill { elements, dtype: DType::F32, value: value.into() }
}

/// The first `elements` elements of a buffer.
pub fn copy(elements: usize) -> Kernel {
    Kernel::Copy { dtype: DType::F32, a: line(elements) }
}

/// All of `elements` elements to one.
pub fn sum(elements: usize) -> Kernel {
    Kernel::Reduce { op: ReduceOp::Sum, dtype: DType::F32, a: line(elements), kept: 0 }
}
