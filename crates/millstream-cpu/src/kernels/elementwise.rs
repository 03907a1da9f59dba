//! `out[i] = a[i] op b[i]` over a range of elements.
//!
//! One IEEE operation per element, so that every level and every partition gives the same bits; NaN and infinity follow IEEE 754.

use millstream_hal::BinaryOp;

use super::view::{PIECE, View};
use crate::Level;
use crate::simd::Work;

/// Elements `first .. first + out.len()` of `a op b`. Panics when a view has fewer.
pub fn binary(level: Level, op: BinaryOp, out: &mut [f32], first: usize, a: &View<'_>, b: &View<'_>) {
    if let (Some(a), Some(b)) = (a.slice(first, out.len()), b.slice(first, out.len())) {
        level.run(Three { op, out, a, b });
        return;
    }
    let mut buffer = [0f32; PIECE];
    for (i, piece) in out.chunks_mut(PIECE).enumerate() {
        let at = first + i * PIECE;
        a.gather(at, piece);
        let b = match b.slice(at, piece.len()) {
            Some(slice) => slice,
            None => {
                b.gather(at, &mut buffer[..piece.len()]);
                &buffer[..piece.len()]
            }
        };
        level.run(Two { op, out: piece, b });
    }
}

/// Elements `first ..` of `out op b`, in place: `out` is the first operand too. Panics when `b` has fewer.
pub fn binary_in_place(level: Level, op: BinaryOp, out: &mut [f32], first: usize, b: &View<'_>) {
    if let Some(b) = b.slice(first, out.len()) {
        level.run(Two { op, out, b });
        return;
    }
    b.pieces(first, out.len(), |at, b| level.run(Two { op, out: &mut out[at..at + b.len()], b }));
}

/// `out op out`, in place.
pub fn binary_with_itself(op: BinaryOp, out: &mut [f32]) {
    for x in out {
        *x = apply(op, *x, *x);
    }
}

#[inline(always)]
fn apply(op: BinaryOp, a: f32, b: f32) -> f32 {
    match op {
        BinaryOp::Add => a + b,
        BinaryOp::Mul => a * b,
    }
}

struct Three<'a> {
    op: BinaryOp,
    out: &'a mut [f32],
    a: &'a [f32],
    b: &'a [f32],
}

impl Work for Three<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let n = self.out.len();
        let (a, b) = (&self.a[..n], &self.b[..n]);
        match self.op {
            BinaryOp::Add => self.out.iter_mut().zip(a).zip(b).for_each(|((o, a), b)| *o = a + b),
            BinaryOp::Mul => self.out.iter_mut().zip(a).zip(b).for_each(|((o, a), b)| *o = a * b),
        }
    }
}

struct Two<'a> {
    op: BinaryOp,
    out: &'a mut [f32],
    b: &'a [f32],
}

impl Work for Two<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let b = &self.b[..self.out.len()];
        match self.op {
            BinaryOp::Add => self.out.iter_mut().zip(b).for_each(|(o, b)| *o += b),
            BinaryOp::Mul => self.out.iter_mut().zip(b).for_each(|(o, b)| *o *= b),
        }
    }
}

#[cfg(test)]
mod tests {
    use millstream_hal::Layout;

    use super::super::view::tests::numbered;
    use super::*;

    #[test]
    fn every_level_gives_the_bits_of_the_scalar_one() {
        for n in [0, 1, 2, 15, 16, 17, 63, 255, 1023, 1024, 1025, 4099] {
            let a: Vec<f32> = (0..n).map(|i| (i as f32 * 0.37).sin() * 1e3).collect();
            let b: Vec<f32> = (0..n).map(|i| (i as f32 * 1.7).cos() * 1e-3).collect();
            for op in [BinaryOp::Add, BinaryOp::Mul] {
                for level in Level::available() {
                    let mut out = vec![f32::NAN; n];
                    binary(level, op, &mut out, 0, &View::of(&a), &View::of(&b));
                    let mut in_place = a.clone();
                    binary_in_place(level, op, &mut in_place, 0, &View::of(&b));
                    for i in 0..n {
                        assert_eq!(out[i].to_bits(), apply(op, a[i], b[i]).to_bits(), "{} {op:?} {i}", level.name());
                        assert_eq!(in_place[i].to_bits(), out[i].to_bits());
                    }
                }
            }
        }
    }

    #[test]
    fn strided_operands_and_ranges_agree_with_indexing() {
        let (rows, cols) = (67, 41);
        let (a, b) = (numbered(rows * cols), numbered(rows * cols));
        let plain = Layout::contiguous(&[cols, rows]).unwrap();
        let turned = Layout::contiguous(&[rows, cols]).unwrap().transposed(0, 1);
        let at = |i: usize| b[(i % rows) * cols + i / rows];
        for (first, n) in [(0, rows * cols), (5, 1500), (rows * cols - 1, 1), (100, 0)] {
            let mut out = vec![0.0; n];
            binary(Level::best(), BinaryOp::Mul, &mut out, first, &View::new(&a, &plain), &View::new(&b, &turned));
            let mut swapped = vec![0.0; n];
            binary(Level::best(), BinaryOp::Mul, &mut swapped, first, &View::new(&b, &turned), &View::new(&a, &plain));
            let mut in_place = a[first..first + n].to_vec();
            binary_in_place(Level::best(), BinaryOp::Mul, &mut in_place, first, &View::new(&b, &turned));
            for i in 0..n {
                assert_eq!(out[i], a[first + i] * at(first + i));
            }
            assert_eq!(out, swapped);
            assert_eq!(out, in_place);
        }
    }

    #[test]
    fn nan_and_infinity_follow_ieee() {
        let a = [f32::INFINITY, f32::NAN, f32::INFINITY, -0.0, f32::MAX];
        let b = [f32::NEG_INFINITY, 1.0, 0.0, -0.0, f32::MAX];
        let mut sum = [0.0; 5];
        binary(Level::best(), BinaryOp::Add, &mut sum, 0, &View::of(&a), &View::of(&b));
        assert!(sum[0].is_nan() && sum[1].is_nan() && sum[2] == f32::INFINITY && sum[4] == f32::INFINITY);
        assert_eq!(sum[3].to_bits(), (-0.0f32).to_bits());
        let mut product = [0.0; 5];
        binary(Level::best(), BinaryOp::Mul, &mut product, 0, &View::of(&a), &View::of(&b));
        assert!(product[0] == f32::NEG_INFINITY && product[1].is_nan() && product[2].is_nan());
        let mut square = [3.0, -2.0];
        binary_with_itself(BinaryOp::Mul, &mut square);
        assert_eq!(square, [9.0, 4.0]);
    }
}
