//! The footprint: which bytes of each operand a kernel touches, from its shape alone.
//!
//! A strided view counts as the range from its first to its last element, holes included: the runtime orders whole blocks, so
//! nothing finer is promised to anybody.

use std::ops::Range;

use millstream_hal::{DType, Kernel, Layout, MAX_OPERANDS};

/// Byte ranges inside the operands, outputs first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footprint {
    ranges: [Range<usize>; MAX_OPERANDS],
    len: usize,
}

impl Footprint {
    fn of<const N: usize>(all: [Range<usize>; N]) -> Self {
        let mut ranges = [const { 0..0 }; MAX_OPERANDS];
        ranges[..N].clone_from_slice(&all);
        Self { ranges, len: N }
    }
}

impl std::ops::Deref for Footprint {
    type Target = [Range<usize>];

    fn deref(&self) -> &Self::Target {
        &self.ranges[..self.len]
    }
}

/// The bytes that `kernel` touches in each operand.
#[must_use]
pub fn footprint(kernel: &Kernel) -> Footprint {
    let bytes = |bytes: usize| 0..bytes;
    let out = bytes(kernel.output().map_or(0, |(dtype, elements)| elements.saturating_mul(dtype.bytes())));
    match kernel {
        Kernel::Spin { .. } => Footprint::of([]),
        Kernel::Fill { .. } | Kernel::Arange { .. } | Kernel::Uniform { .. } | Kernel::Randn { .. } => {
            Footprint::of([out])
        }
        Kernel::Poison { bytes: all } => Footprint::of([bytes(*all)]),
        Kernel::Unary { dtype, a, .. }
        | Kernel::Copy { dtype, a }
        | Kernel::Cast { from: dtype, a, .. }
        | Kernel::Reduce { dtype, a, .. } => Footprint::of([out, hull(*dtype, a)]),
        Kernel::Binary { dtype, views, .. } => {
            let [a, b] = views.all();
            Footprint::of([out, hull(*dtype, &a), hull(*dtype, &b)])
        }
        Kernel::Where { dtype, views } => {
            let [cond, a, b] = views.all();
            Footprint::of([out, hull(DType::Bool, &cond), hull(*dtype, &a), hull(*dtype, &b)])
        }
        Kernel::Matmul { dtype, a, b } => Footprint::of([out, hull(*dtype, a), hull(*dtype, b)]),
        Kernel::IndexSelect { dtype, rows, width, count } => {
            Footprint::of([out, of(*dtype, rows.saturating_mul(*width)), of(DType::I64, *count)])
        }
        Kernel::AddBias { dtype, a, width, .. } => Footprint::of([out, hull(*dtype, a), of(*dtype, *width)]),
        Kernel::LayerNorm { dtype, rows, width, residual, .. } => {
            let (a, each) = (of(*dtype, rows.saturating_mul(*width)), of(*dtype, *width));
            match residual {
                true => Footprint::of([out, a.clone(), a, each.clone(), each]),
                false => Footprint::of([out, a, each.clone(), each]),
            }
        }
        Kernel::Attention { dtype, views, masked, biased, .. } => {
            let [q, k, v] = views.all().map(|view| hull(*dtype, &view));
            let [batch, tokens, heads] = [0, 1, 2].map(|axis| views.view(0).size(axis));
            let any = usize::from(views.elements() > 0);
            let mask = of(DType::Bool, any * batch * tokens);
            let bias = of(*dtype, any * heads * tokens * tokens);
            match (masked, biased) {
                (true, true) => Footprint::of([out, q, k, v, mask, bias]),
                (true, false) => Footprint::of([out, q, k, v, mask]),
                (false, true) => Footprint::of([out, q, k, v, bias]),
                (false, false) => Footprint::of([out, q, k, v]),
            }
        }
        Kernel::Upload { bytes } => Footprint::of([0..*bytes, 0..*bytes]),
        Kernel::Download { bytes, from, to } => Footprint::of([*to..to + bytes, *from..from + bytes]),
        Kernel::Fingerprint { bytes } => Footprint::of([0..8, 0..*bytes]),
    }
}

fn of(dtype: DType, elements: usize) -> Range<usize> {
    0..elements.saturating_mul(dtype.bytes())
}

fn hull(dtype: DType, view: &Layout) -> Range<usize> {
    match view.extent() {
        0 => 0..0,
        end => view.offset().saturating_mul(dtype.bytes())..end.saturating_mul(dtype.bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(shape: &[usize]) -> Layout {
        Layout::contiguous(shape).unwrap()
    }

    #[test]
    fn a_transposed_view_touches_the_same_bytes() {
        let copy = footprint(&Kernel::Copy { dtype: DType::F32, a: layout(&[3, 5]).transposed(0, 1) });
        assert_eq!(&copy[..], [0..60, 0..60]);
    }

    #[test]
    fn a_narrowed_view_touches_from_its_first_to_its_last_element() {
        let a = layout(&[4, 6]).narrowed(0, 1, 2).unwrap().narrowed(1, 2, 3).unwrap();
        let cast = footprint(&Kernel::Cast { from: DType::F16, to: DType::F64, a });
        assert_eq!(&cast[..], [0..48, 16..34]);
    }

    #[test]
    fn an_empty_matmul_reads_nothing() {
        let kernel = Kernel::Matmul { dtype: DType::F32, a: layout(&[2, 0]), b: layout(&[0, 3]) };
        assert_eq!(&footprint(&kernel)[..], [0..24, 0..0, 0..0]);
    }
}
