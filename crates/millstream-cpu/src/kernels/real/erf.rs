//! The error function of an f32, free of branches.
//!
//! Up to 1 it is `x + x P(x^2)`; above, `1 - e^-Q(|x|)`, where `Q` follows `-ln erfc` on [1, 4]: there is nothing left of `erfc` in an f32 beyond. Both
//! polynomials were fitted by weighted least squares for the least greatest relative error of `erf`, 0.02 units of the last place before rounding.

use super::Real;

const P: [f32; 7] =
    [7.853_858e-5, -8.010_192_5e-4, 5.188_327_7e-3, -2.685_381_1e-2, 1.128_358_54e-1, -3.761_262_6e-1, 1.283_791_7e-1];
const Q: [f32; 7] =
    [-1.863_800_9e-4, 2.947_667e-3, -2.183_809_7e-2, 1.031_068_2e-1, 6.381_447_3e-1, 1.127_089_3, 3.415_125_8e-4];

#[inline(always)]
fn polynomial(coefficients: [f32; 7], x: f32) -> f32 {
    let [mut y, rest @ ..] = coefficients;
    for coefficient in rest {
        y = y.mul_add(x, coefficient);
    }
    y
}

#[inline(always)]
pub(super) fn single(x: f32) -> f32 {
    let a = f32::abs(x);
    let near = x.mul_add(polynomial(P, x * x), x);
    // A NaN is not above and stays.
    let t = if a > 4.0 { 4.0 } else { a };
    let far = (1.0 - Real::exp(-polynomial(Q, t))).copysign(x);
    if a > 1.0 { far } else { near }
}
