//! Sum and mean over a view, accumulated in `f64` in row-major order.

use millstream_hal::Layout;

use super::words::{f32_at, positions, put_f32};

pub(super) fn reduce(mean: bool, a: &Layout, out: &mut [u8], input: &[u8]) {
    let sum: f64 = positions(a).map(|at| f64::from(f32_at(input, at))).sum();
    let sum = if a.elements() == 0 { 0.0 } else { sum };
    put_f32(out, 0, if mean { sum / a.elements() as f64 } else { sum } as f32);
}

#[cfg(test)]
mod tests {
    use millstream_hal::{Kernel, Layout, ReduceOp};

    use crate::interpreter::interpret;
    use crate::testing::{bytes_of, floats_of};

    fn reduced(op: ReduceOp, values: &[f32]) -> f32 {
        let mut out = vec![0; 4];
        let a = Layout::contiguous(&[values.len()]).unwrap();
        interpret(&Kernel::Reduce { op, a }, &mut out, &[&bytes_of(values)]).unwrap();
        floats_of(&out)[0]
    }

    #[test]
    fn a_sum_keeps_what_single_precision_would_lose() {
        assert_eq!(reduced(ReduceOp::Sum, &[1e8, 1.0, -1e8]), 1.0);
        assert_eq!(reduced(ReduceOp::Mean, &[1.0, 2.0, 6.0]), 3.0);
    }

    #[test]
    fn nothing_sums_to_zero_and_has_no_mean() {
        assert_eq!(reduced(ReduceOp::Sum, &[]).to_bits(), 0);
        assert!(reduced(ReduceOp::Mean, &[]).is_nan());
    }
}
