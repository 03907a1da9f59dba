//! The footprint: which bytes of each operand a kernel touches, from its shape alone.
//!
//! A strided view counts as the range from its first to its last element, holes included: the runtime orders whole blocks, so
//! nothing finer is promised to anybody.

use std::ops::Range;

use millstream_hal::{Kernel, Layout, MAX_OPERANDS, MatrixView};

use crate::Error;

/// Byte ranges inside the operands, outputs first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footprint {
    ranges: [Range<usize>; MAX_OPERANDS],
    len: usize,
}

impl std::ops::Deref for Footprint {
    type Target = [Range<usize>];

    fn deref(&self) -> &Self::Target {
        &self.ranges[..self.len]
    }
}

/// The bytes that `kernel` touches in each operand. Errors: a kernel that the interpreter does not know.
pub fn footprint(kernel: &Kernel) -> Result<Footprint, Error> {
    let words = |n: usize| 0..n * 4;
    let mut ranges = [const { 0..0 }; MAX_OPERANDS];
    let len = match kernel {
        Kernel::Spin { .. } => 0,
        Kernel::Fill { elements, .. } | Kernel::Randn { elements, .. } => {
            ranges[0] = words(*elements);
            1
        }
        Kernel::Poison { bytes } => {
            ranges[0] = 0..bytes / 4 * 4;
            1
        }
        Kernel::Binary { a, b, .. } => {
            ranges[..3].clone_from_slice(&[words(a.elements()), hull(a), hull(b)]);
            3
        }
        Kernel::Copy { a } => {
            ranges[..2].clone_from_slice(&[words(a.elements()), hull(a)]);
            2
        }
        Kernel::Matmul { m, n, k, a, b } => {
            ranges[..3].clone_from_slice(&[words(m * n), matrix_hull(a, *m, *k), matrix_hull(b, *k, *n)]);
            3
        }
        Kernel::Reduce { a, .. } => {
            ranges[..2].clone_from_slice(&[words(1), hull(a)]);
            2
        }
        Kernel::Upload { bytes } => {
            ranges[..2].clone_from_slice(&[0..*bytes, 0..*bytes]);
            2
        }
        Kernel::Download { bytes, from, to } => {
            ranges[..2].clone_from_slice(&[*to..to + bytes, *from..from + bytes]);
            2
        }
        Kernel::Fingerprint { words: n } => {
            ranges[..2].clone_from_slice(&[0..8, words(*n)]);
            2
        }
        other => return Err(Error::UnknownKernel(other.name())),
    };
    Ok(Footprint { ranges, len })
}

fn hull(view: &Layout) -> Range<usize> {
    strided(view.offset(), (0..view.dims()).map(|axis| (view.size(axis), view.stride(axis))))
}

fn matrix_hull(view: &MatrixView, rows: usize, columns: usize) -> Range<usize> {
    strided(view.offset, [(rows, view.row_stride), (columns, view.col_stride)].into_iter())
}

fn strided(offset: usize, axes: impl Iterator<Item = (usize, i64)>) -> Range<usize> {
    let (mut first, mut last) = (offset as i64, offset as i64);
    for (size, stride) in axes {
        if size == 0 {
            return 0..0;
        }
        let reach = (size as i64 - 1) * stride;
        first += reach.min(0);
        last += reach.max(0);
    }
    first as usize * 4..(last as usize + 1) * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposed_view_touches_the_same_bytes() {
        let view = Layout::contiguous(&[3, 5]).unwrap();
        let copy = footprint(&Kernel::Copy { a: view.transposed(0, 1) }).unwrap();
        assert_eq!(&copy[..], [0..60, 0..60]);
    }

    #[test]
    fn an_empty_matmul_reads_nothing() {
        let view = MatrixView { offset: 0, row_stride: 0, col_stride: 1 };
        let kernel = Kernel::Matmul { m: 2, n: 3, k: 0, a: view, b: view };
        assert_eq!(&footprint(&kernel).unwrap()[..], [0..24, 0..0, 0..0]);
    }
}
