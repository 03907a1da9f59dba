//! Normalised rows, with what is added to them before, in three passes over a row that the first-level cache holds.
//!
//! **The order** of the sums depends on the width alone: element `j` belongs to lane `j % 64`, a lane takes its elements in order, and the lanes are folded in halves.
//!
//! **Checked by** the conformance suite, and the test below.

use super::number::{Number, Stored};
use super::real::Real;
use crate::Level;
use crate::simd::Work;

const LANES: usize = 64;

/// Each row of `x`, `a` or `a + residual`, becomes `(x - mean) / sqrt(variance + epsilon) * weight + bias`. Rows have as many elements as `weight` and
/// `bias`; `out`, `a` and `residual` whole rows.
pub fn layer_norm<S: Stored<Compute: Real>>(
    level: Level,
    out: &mut [S],
    [a, weight, bias]: [&[S]; 3],
    residual: Option<&[S]>,
    epsilon: f32,
) {
    match residual {
        Some(residual) => level.run(Rows::<S, true> { out, a, residual, weight, bias, epsilon }),
        None => level.run(Rows::<S, false> { out, a, residual: a, weight, bias, epsilon }),
    }
}

struct Rows<'a, S, const RESIDUAL: bool> {
    out: &'a mut [S],
    a: &'a [S],
    residual: &'a [S],
    weight: &'a [S],
    bias: &'a [S],
    epsilon: f32,
}

impl<S: Stored<Compute: Real>, const RESIDUAL: bool> Work for Rows<'_, S, RESIDUAL> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let width = self.weight.len().max(1);
        let count = S::Compute::constant(width as f64);
        let epsilon = S::Compute::constant(f64::from(self.epsilon));
        let sum = |a: S, residual: S| if RESIDUAL { a.widen().add(residual.widen()) } else { a.widen() };
        let rows = self.out.chunks_exact_mut(width).zip(self.a.chunks_exact(width));
        for ((out, a), residual) in rows.zip(self.residual.chunks_exact(width)) {
            let mean = total(a, residual, sum).div(count);
            let square = |x: S::Compute| x.mul(x);
            let variance = total(a, residual, |a, residual| square(sum(a, residual).sub(mean))).div(count);
            let scale = S::Compute::constant(1.0).div(variance.add(epsilon).sqrt());
            let parts = out.iter_mut().zip(a.iter().zip(residual)).zip(self.weight.iter().zip(self.bias));
            for ((out, (a, residual)), (weight, bias)) in parts {
                let x = sum(*a, *residual).sub(mean).mul(scale);
                *out = S::narrow(x.mul_add(weight.widen(), bias.widen()));
            }
        }
    }
}

/// The sum of what `term` makes of a row.
#[inline(always)]
fn total<S: Stored>(a: &[S], residual: &[S], term: impl Fn(S, S) -> S::Compute) -> S::Compute {
    let mut lanes = [S::Compute::default(); LANES];
    let ((a, a_rest), (residual, residual_rest)) = (a.as_chunks::<LANES>(), residual.as_chunks::<LANES>());
    for (a, residual) in a.iter().zip(residual) {
        for l in 0..LANES {
            lanes[l] = lanes[l].add(term(a[l], residual[l]));
        }
    }
    for ((lane, a), residual) in lanes.iter_mut().zip(a_rest).zip(residual_rest) {
        *lane = lane.add(term(*a, *residual));
    }
    for half in [32, 16, 8, 4, 2, 1] {
        let (left, right) = lanes.split_at_mut(half);
        for (left, right) in left.iter_mut().zip(right) {
            *left = left.add(*right);
        }
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use half::bf16;

    use super::*;

    #[test]
    fn every_level_gives_the_bits_of_the_scalar_one() {
        fn all<S: Stored<Compute: Real> + PartialEq + std::fmt::Debug>(number: impl Fn(usize) -> S) {
            for width in [1, 63, 64, 65, 384, 1_000] {
                let x: Vec<S> = (0..3 * width).map(&number).collect();
                let y: Vec<S> = (0..3 * width).map(|i| number(i * 7 + 3)).collect();
                for residual in [None, Some(&y[..])] {
                    let run = |level| {
                        let mut out = vec![S::default(); x.len()];
                        layer_norm(level, &mut out, [&x, &y[..width], &x[..width]], residual, 1e-5);
                        out
                    };
                    let wanted = run(Level::SCALAR);
                    for level in Level::available() {
                        assert_eq!(run(level), wanted, "{} of width {width}", level.name());
                    }
                }
            }
        }
        let number = |i: usize| ((i * 2_654_435_761) % 1_000) as f64 / 250.0 - 2.0;
        all(|i| number(i) as f32);
        all(number);
        all(|i| bf16::from_f64(number(i)));
    }
}
