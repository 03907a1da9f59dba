//! Exponential, logarithm, square root, hyperbolic tangent and error function as plain arithmetic, free of branches, for f32 and f64.
//!
//! A vector loop cannot call libm, and two machines must agree on every bit: so these are polynomials after an exact reduction, made of
//! `+ - * /`, `mul_add`, `sqrt` and integer operations, each correctly rounded at every level.
//!
//! * **exp**: `x = k ln 2 + r` with `|r| <= ln 2 / 2` and `ln 2` in two parts (Cody, Waite 1980), `e^r - 1` by its Taylor series, and `2^k` by
//!   the exponent bits in two steps, so that results may be subnormal.
//! * **tanh**: `t = e^(2|x|) - 1` from the same parts, `t / (t + 2)`: no cancellation near 0.
//! * **log**: `x = m 2^e` with `m` in [sqrt(1/2), sqrt(2)); `ln m` by the polynomial of Cephes `logf` (Moshier) for f32, and by
//!   `2 artanh((m - 1) / (m + 1))` as a series for f64.
//! * **erf**: for f32 in the module of that name; for f64 the library `libm`'s, plain arithmetic too, one number after the other.
//!
//! **Checked by** the tests below, f32 against `f64`: at most 1.0 unit of the last place for exp, 0.8 for log, 2.1 for tanh, 1.1 for erf; f64 against libm, which has an
//! error of its own: 1, 1 and 4.

use super::number::Number;

/// A float with its elementary functions.
pub trait Real: Number {
    /// `e^self`
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Error function.
    fn erf(self) -> Self;
    /// `self * b + c`, rounded once.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// Of two numbers the greater one, and `self` if they cannot be compared.
    fn at_least(self, b: Self) -> Self;
    /// A constant, rounded.
    fn constant(value: f64) -> Self;

    /// `self / 2 * (1 + erf(self / sqrt(2)))`
    #[inline(always)]
    fn gelu(self) -> Self {
        let erf = self.mul(Self::constant(std::f64::consts::FRAC_1_SQRT_2)).erf();
        self.mul(Self::constant(0.5)).mul(erf.add(Self::constant(1.0)))
    }

    /// `self / 2 * (1 + tanh(sqrt(2 / pi) * (self + 0.044715 self^3)))`
    #[inline(always)]
    fn gelu_tanh(self) -> Self {
        let root = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
        let square = self.mul(self);
        let inner = self.mul(square.mul_add(Self::constant(root * 0.044_715), Self::constant(root)));
        self.mul(Self::constant(0.5)).mul(inner.tanh().add(Self::constant(1.0)))
    }
}

mod erf;

/// What the two types have in common.
macro_rules! shared {
    ($float:ty) => {
        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self {
            <$float>::mul_add(self, b, c)
        }

        #[inline(always)]
        fn at_least(self, b: Self) -> Self {
            if b > self { b } else { self }
        }

        #[inline(always)]
        fn constant(value: f64) -> Self {
            value as Self
        }
    };
}

/// `(k, e^r - 1)` with `x = k ln 2 + r`, for `|x|` below 2^22.
#[inline(always)]
fn reduced_f32(x: f32) -> (i32, f32) {
    // The sum with 1.5 * 2^23 has the nearest whole number in its low bits.
    const SHIFT: f32 = 12_582_912.0;
    let shifted = x.mul_add(std::f32::consts::LOG2_E, SHIFT);
    let k = shifted - SHIFT;
    let r = k.mul_add(-0.693_145_75, x);
    let r = k.mul_add(-1.428_606_8e-6, r);
    let mut p = 1.0 / 5040.0;
    p = r.mul_add(p, 1.0 / 720.0);
    p = r.mul_add(p, 1.0 / 120.0);
    p = r.mul_add(p, 1.0 / 24.0);
    p = r.mul_add(p, 1.0 / 6.0);
    p = r.mul_add(p, 0.5);
    (shifted.to_bits().wrapping_sub(SHIFT.to_bits()) as i32, (r * r).mul_add(p, r))
}

/// `2^k` for a normal result.
#[inline(always)]
fn power_f32(k: i32) -> f32 {
    f32::from_bits((k.wrapping_add(127) as u32) << 23)
}

impl Real for f32 {
    #[inline(always)]
    fn exp(self) -> f32 {
        // Beyond these the result is 0 or infinite anyway. A NaN is neither above nor below and stays.
        let x = if self > 89.0 { 89.0 } else { self };
        let x = if x < -104.0 { -104.0 } else { x };
        let (k, less_one) = reduced_f32(x);
        let half = k >> 1;
        (less_one + 1.0) * power_f32(half) * power_f32(k - half)
    }

    #[inline(always)]
    fn ln(self) -> f32 {
        const SQRT_HALF_BITS: u32 = 0x3f35_04f3;
        let tiny = self < f32::MIN_POSITIVE;
        let x = if tiny { self * 8_388_608.0 } else { self };
        let shifted = x.to_bits().wrapping_sub(SQRT_HALF_BITS);
        let e = ((shifted as i32) >> 23) as f32 - if tiny { 23.0 } else { 0.0 };
        let f = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(SQRT_HALF_BITS)) - 1.0;
        let y = ln_1p_f32(f, e);
        let y = if self == f32::INFINITY { self } else { y };
        let y = if self == 0.0 { f32::NEG_INFINITY } else { y };
        if self >= 0.0 { y } else { f32::NAN }
    }

    #[inline(always)]
    fn sqrt(self) -> f32 {
        f32::sqrt(self)
    }

    #[inline(always)]
    fn erf(self) -> f32 {
        erf::single(self)
    }

    shared!(f32);

    #[inline(always)]
    fn tanh(self) -> f32 {
        let a = f32::abs(self);
        let x = if a > 10.0 { 20.0 } else { a + a };
        let (k, p) = reduced_f32(x);
        let power = power_f32(k);
        let t = p.mul_add(power, power - 1.0);
        (t / (t + 2.0)).copysign(self)
    }
}

/// `e ln 2 + ln(1 + f)` for `1 + f` in [sqrt(1/2), sqrt(2)).
#[inline(always)]
pub(super) fn ln_1p_f32(f: f32, e: f32) -> f32 {
    let mut p = 7.037_683_6e-2_f32;
    p = p.mul_add(f, -1.151_461e-1);
    p = p.mul_add(f, 1.167_699_9e-1);
    p = p.mul_add(f, -1.242_014_1e-1);
    p = p.mul_add(f, 1.424_932_3e-1);
    p = p.mul_add(f, -1.666_805_8e-1);
    p = p.mul_add(f, 2.000_071_5e-1);
    p = p.mul_add(f, -2.499_999_4e-1);
    p = p.mul_add(f, 3.333_333e-1);
    let square = f * f;
    let mut y = p * f * square;
    y = e.mul_add(-2.121_944_4e-4, y);
    y = square.mul_add(-0.5, y);
    e.mul_add(0.693_359_4, f + y)
}

/// As [`reduced_f32`].
#[inline(always)]
fn reduced_f64(x: f64) -> (i64, f64) {
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    // 1 / n! from n = 13 down to 2; the next term is below 2^-57 of the first.
    const SERIES: [f64; 12] = [
        1.0 / 6_227_020_800.0,
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
    ];
    // ln 2 in two parts, the first with 20 zeros at its end, so that its product with k is exact.
    const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let shifted = x.mul_add(std::f64::consts::LOG2_E, SHIFT);
    let k = shifted - SHIFT;
    let r = k.mul_add(-LN_2_HIGH, x);
    let r = k.mul_add(-LN_2_LOW, r);
    let mut p = 0.0;
    for term in SERIES {
        p = r.mul_add(p, term);
    }
    (shifted.to_bits().wrapping_sub(SHIFT.to_bits()) as i64, (r * r).mul_add(p, r))
}

#[inline(always)]
fn power_f64(k: i64) -> f64 {
    f64::from_bits((k.wrapping_add(1023) as u64) << 52)
}

impl Real for f64 {
    #[inline(always)]
    fn exp(self) -> f64 {
        let x = if self > 710.0 { 710.0 } else { self };
        let x = if x < -746.0 { -746.0 } else { x };
        let (k, less_one) = reduced_f64(x);
        // Half of k by a logical shift of a number made positive: vectors have no arithmetic shift of 64 bits before AVX-512.
        let half = (k.wrapping_add(2048) as u64 >> 1) as i64 - 1024;
        (less_one + 1.0) * power_f64(half) * power_f64(k - half)
    }

    #[inline(always)]
    fn ln(self) -> f64 {
        const SQRT_HALF_BITS: u64 = 0x3fe6_a09e_667f_3bcd;
        const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
        const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
        let tiny = self < f64::MIN_POSITIVE;
        let x = if tiny { self * 18_014_398_509_481_984.0 } else { self };
        // 2048 more keeps the exponent positive, so that a logical shift takes it out.
        let shifted = x.to_bits().wrapping_sub(SQRT_HALF_BITS);
        let biased = shifted.wrapping_add(2048 << 52) >> 52;
        // A whole number below 2^52 becomes a float by its bits.
        let e = f64::from_bits(biased | 0x4330_0000_0000_0000) - (4_503_599_627_370_496.0 + 2048.0);
        let e = e - if tiny { 54.0 } else { 0.0 };
        let f = f64::from_bits((shifted & 0x000f_ffff_ffff_ffff).wrapping_add(SQRT_HALF_BITS)) - 1.0;
        // ln(1 + f) = f - f^2/2 + s (f^2/2 + R) with s = f / (2 + f) and R = 2 s^2 (1/3 + s^2/5 + ...).
        let s = f / (f + 2.0);
        let z = s * s;
        let mut p = 2.0 / 23.0;
        for n in [21.0, 19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
            p = z.mul_add(p, 2.0 / n);
        }
        let half = 0.5 * f * f;
        let rest = s.mul_add(z.mul_add(p, half), e * LN_2_LOW);
        let y = e.mul_add(LN_2_HIGH, f - (half - rest));
        let y = if self == f64::INFINITY { self } else { y };
        let y = if self == 0.0 { f64::NEG_INFINITY } else { y };
        if self >= 0.0 { y } else { f64::NAN }
    }

    #[inline(always)]
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }

    #[inline(always)]
    fn erf(self) -> f64 {
        libm::erf(self)
    }

    shared!(f64);

    #[inline(always)]
    fn tanh(self) -> f64 {
        let a = f64::abs(self);
        let x = if a > 20.0 { 40.0 } else { a + a };
        let (k, p) = reduced_f64(x);
        let power = power_f64(k);
        let t = p.mul_add(power, power - 1.0);
        (t / (t + 2.0)).copysign(self)
    }
}

#[cfg(test)]
#[path = "tests/real.rs"]
mod tests;
