//! Elements as they lie in memory, and as they are computed with.
//!
//! A stored type names the type it is computed in: itself, or f32 for the halves, or u8 for bools. Kernels are written once over
//! [`Stored`], widen an element where they read it and narrow it where they write it, in one loop. Every conversion is free of branches,
//! so that the loop stays a vector loop, and follows the table of hal's `dtype` module.
//!
//! **Checked by** the tests below, the halves against the crate `half` for every bit pattern.

use half::{bf16, f16};
use millstream_hal::Scalar;

/// Bits that may be copied.
pub trait Element: Copy + Default + Send + Sync + 'static {}

impl<T: Copy + Default + Send + Sync + 'static> Element for T {}

/// An element type of a kernel.
pub trait Stored: Element {
    /// What it is computed in.
    type Compute: Number;

    /// The element as a number. Exact.
    fn widen(self) -> Self::Compute;
    /// The number as an element, rounded to nearest even.
    fn narrow(value: Self::Compute) -> Self;
    /// Rounded, or truncated and saturated.
    fn from_f32(value: f32) -> Self;
    /// Rounded once, or truncated and saturated.
    fn from_f64(value: f64) -> Self;
    /// Rounded once, or the low bits.
    fn from_i64(value: i64) -> Self;
    /// Rounded; exact but for bools.
    fn from_u8(value: u8) -> Self;

    /// A number of no type yet.
    #[must_use]
    fn from_scalar(value: Scalar) -> Self {
        match value {
            Scalar::F64(x) => Self::from_f64(x),
            Scalar::I64(x) => Self::from_i64(x),
            Scalar::Bool(x) => Self::from_u8(u8::from(x)),
        }
    }
}

/// A type of arithmetic: IEEE floats, or integers that wrap.
pub trait Number: Element + PartialOrd + Stored<Compute = Self> {
    /// What a sum of it is kept in.
    type Total: Number;

    /// `self + b`
    fn add(self, b: Self) -> Self;
    /// `self - b`
    fn sub(self, b: Self) -> Self;
    /// `self * b`
    fn mul(self, b: Self) -> Self;
    /// `self / b`; integers: truncated, 0 for a divisor of 0.
    fn div(self, b: Self) -> Self;
    /// `-self`
    fn neg(self) -> Self;
    /// `|self|`
    fn abs(self) -> Self;
    /// `self` above zero, else 0; a NaN stays.
    fn relu(self) -> Self;
    /// As an element of another type, by the rules of a cast.
    fn store<R: Stored>(self) -> R;
    /// As a summand.
    fn total(self) -> Self::Total;
}

/// A bool: one byte, any but 0 is true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Truth(pub u8);

macro_rules! floats {
    ($($float:ty: $from_f32:expr, $from_f64:expr, $store:ident;)*) => {$(
        impl Stored for $float {
            type Compute = Self;

            #[inline(always)]
            fn widen(self) -> Self {
                self
            }
            #[inline(always)]
            fn narrow(value: Self) -> Self {
                value
            }
            #[inline(always)]
            fn from_f32(value: f32) -> Self {
                $from_f32(value)
            }
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                $from_f64(value)
            }
            #[inline(always)]
            fn from_i64(value: i64) -> Self {
                value as Self
            }
            #[inline(always)]
            fn from_u8(value: u8) -> Self {
                Self::from(value)
            }
        }

        impl Number for $float {
            type Total = Self;

            #[inline(always)]
            fn add(self, b: Self) -> Self {
                self + b
            }
            #[inline(always)]
            fn sub(self, b: Self) -> Self {
                self - b
            }
            #[inline(always)]
            fn mul(self, b: Self) -> Self {
                self * b
            }
            #[inline(always)]
            fn div(self, b: Self) -> Self {
                self / b
            }
            #[inline(always)]
            fn neg(self) -> Self {
                -self
            }
            #[inline(always)]
            fn abs(self) -> Self {
                Self::abs(self)
            }
            #[inline(always)]
            fn relu(self) -> Self {
                if self <= 0.0 { 0.0 } else { self }
            }
            #[inline(always)]
            fn store<R: Stored>(self) -> R {
                R::$store(self)
            }
            #[inline(always)]
            fn total(self) -> Self {
                self
            }
        }
    )*};
}

floats! {
    f32: |x| x, |x: f64| x as f32, from_f32;
    f64: f64::from, |x| x, from_f64;
}

macro_rules! integers {
    ($($int:ty: $store:ident, $abs:expr;)*) => {$(
        impl Stored for $int {
            type Compute = Self;

            #[inline(always)]
            fn widen(self) -> Self {
                self
            }
            #[inline(always)]
            fn narrow(value: Self) -> Self {
                value
            }
            // What `as` does is the rule.
            #[inline(always)]
            fn from_f32(value: f32) -> Self {
                value as Self
            }
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as Self
            }
            #[inline(always)]
            fn from_i64(value: i64) -> Self {
                value as Self
            }
            #[inline(always)]
            fn from_u8(value: u8) -> Self {
                Self::from(value)
            }
        }

        impl Number for $int {
            type Total = i64;

            #[inline(always)]
            fn add(self, b: Self) -> Self {
                self.wrapping_add(b)
            }
            #[inline(always)]
            fn sub(self, b: Self) -> Self {
                self.wrapping_sub(b)
            }
            #[inline(always)]
            fn mul(self, b: Self) -> Self {
                self.wrapping_mul(b)
            }
            #[inline(always)]
            fn div(self, b: Self) -> Self {
                if b == 0 { 0 } else { self.wrapping_div(b) }
            }
            #[inline(always)]
            fn neg(self) -> Self {
                self.wrapping_neg()
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $abs(self)
            }
            #[inline(always)]
            fn relu(self) -> Self {
                self.max(0)
            }
            #[inline(always)]
            fn store<R: Stored>(self) -> R {
                R::$store(self)
            }
            #[inline(always)]
            fn total(self) -> i64 {
                i64::from(self)
            }
        }
    )*};
}

integers! {
    i64: from_i64, i64::wrapping_abs;
    u8: from_u8, |x| x;
}

macro_rules! halves {
    ($($half:ty: $widen:ident, $narrow:ident;)*) => {$(
        impl Stored for $half {
            type Compute = f32;

            #[inline(always)]
            fn widen(self) -> f32 {
                $widen(self.to_bits())
            }
            #[inline(always)]
            fn narrow(value: f32) -> Self {
                Self::from_bits($narrow(value))
            }
            #[inline(always)]
            fn from_f32(value: f32) -> Self {
                Self::narrow(value)
            }
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                Self::narrow(odd_of_f64(value))
            }
            #[inline(always)]
            fn from_i64(value: i64) -> Self {
                Self::narrow(odd_of_i64(value))
            }
            #[inline(always)]
            fn from_u8(value: u8) -> Self {
                Self::narrow(f32::from(value))
            }
        }
    )*};
}

halves! {
    f16: widen_f16, narrow_f16;
    bf16: widen_bf16, narrow_bf16;
}

impl Stored for Truth {
    type Compute = u8;

    #[inline(always)]
    fn widen(self) -> u8 {
        u8::from(self.0 != 0)
    }
    #[inline(always)]
    fn narrow(value: u8) -> Self {
        Self(u8::from(value != 0))
    }
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        Self(u8::from(value != 0.0))
    }
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        Self(u8::from(value != 0.0))
    }
    #[inline(always)]
    fn from_i64(value: i64) -> Self {
        Self(u8::from(value != 0))
    }
    #[inline(always)]
    fn from_u8(value: u8) -> Self {
        Self::narrow(value)
    }
}

/// Exponent and mantissa are moved to their place in f32, and the product with 2^112 moves the exponent, subnormals included.
#[inline(always)]
fn widen_f16(bits: u16) -> f32 {
    const TWO_112: f32 = f32::from_bits((112 + 127) << 23);
    let (sign, rest) = (u32::from(bits & 0x8000) << 16, u32::from(bits & 0x7fff));
    let scaled = (f32::from_bits(rest << 13) * TWO_112).to_bits();
    let special = if rest >= 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(scaled | special | sign)
}

/// Below 2^-14 the sum with 1/2 rounds to a multiple of 2^-24, and its mantissa is the result; above it half of the last place is added,
/// the exponent is moved, and the rest is cut off.
#[inline(always)]
fn narrow_f16(value: f32) -> u16 {
    let (sign, rest) = ((value.to_bits() >> 16) & 0x8000, value.to_bits() & 0x7fff_ffff);
    let small = (f32::from_bits(rest) + 0.5).to_bits().wrapping_sub(0.5f32.to_bits());
    let odd = (rest >> 13) & 1;
    let normal = rest.wrapping_add(0xc800_0fff).wrapping_add(odd) >> 13;
    let finite = if rest < 0x3880_0000 { small } else { normal };
    let large = if rest > 0x7f80_0000 { 0x7e00 } else { 0x7c00 };
    let magnitude = if rest >= 0x4780_0000 { large } else { finite };
    (magnitude | sign) as u16
}

#[inline(always)]
fn widen_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[inline(always)]
fn narrow_bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff).wrapping_add((bits >> 16) & 1) >> 16;
    // A NaN stays one, whatever its low bits were.
    let nan = (bits >> 16) | 0x40;
    (if bits & 0x7fff_ffff > 0x7f80_0000 { nan } else { rounded }) as u16
}

/// Rounded to f32 towards the neighbour whose last bit is 1, so that a second rounding is as good as one (Boldo, Melquiond 2005).
#[inline(always)]
fn odd_of_f64(value: f64) -> f32 {
    let near = value as f32;
    let (back, bits) = (f64::from(near), near.to_bits());
    let exact = back == value || back.is_nan() || back.is_infinite() || bits & 1 == 1;
    let odd = if back.abs() > value.abs() { bits.wrapping_sub(1) } else { bits.wrapping_add(1) };
    f32::from_bits(if exact { bits } else { odd })
}

/// The upper 24 bits, the last of them 1 if anything was lost.
#[inline(always)]
fn odd_of_i64(value: i64) -> f32 {
    let magnitude = value.unsigned_abs();
    let lost = 40u32.saturating_sub(magnitude.leading_zeros());
    let kept = magnitude >> lost << lost;
    let odd = kept | u64::from(kept != magnitude) << lost;
    let float = odd as f32;
    if value < 0 { -float } else { float }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_widens_and_comes_back() {
        for bits in 0..=u16::MAX {
            let (x, y) = (f16::from_bits(bits), bf16::from_bits(bits));
            assert!(x.is_nan() && x.widen().is_nan() || x.widen().to_bits() == x.to_f32().to_bits(), "{bits:#x}");
            assert!(y.is_nan() && y.widen().is_nan() || y.widen().to_bits() == y.to_f32().to_bits(), "{bits:#x}");
            assert!(x.is_nan() && f16::narrow(x.widen()).is_nan() || f16::narrow(x.widen()) == x, "{bits:#x}");
            assert!(y.is_nan() && bf16::narrow(y.widen()).is_nan() || bf16::narrow(y.widen()) == y, "{bits:#x}");
        }
    }

    #[test]
    fn floats_are_narrowed_as_the_crate_half_does_between_and_at_all_halves() {
        for bits in 0..=u16::MAX {
            for base in [f16::from_bits(bits).to_f32(), bf16::from_bits(bits).to_f32()] {
                for step in [-4097i32, -4096, -4095, -1, 0, 1, 4095, 4096, 4097, 0x7fff, 0x8000, 0x8001] {
                    let x = f32::from_bits(base.to_bits().wrapping_add_signed(step));
                    let (h, b) = (f16::from_f32(x), bf16::from_f32(x));
                    assert!(x.is_nan() && f16::narrow(x).is_nan() || f16::narrow(x).to_bits() == h.to_bits(), "{x:e}");
                    assert!(
                        x.is_nan() && bf16::narrow(x).is_nan() || bf16::narrow(x).to_bits() == b.to_bits(),
                        "{x:e}"
                    );
                }
            }
        }
    }

    #[test]
    fn wide_numbers_are_rounded_to_a_half_once() {
        let above = 1.0 + 2f64.powi(-11) + 1e-12;
        assert_eq!(<f16 as Stored>::from_f64(above).to_f32(), 1.0 + 2f32.powi(-10));
        assert_eq!(<f16 as Stored>::from_f64(-above).to_f32(), -1.0 - 2f32.powi(-10));
        assert_eq!(<f16 as Stored>::from_f64(1.0 + 2f64.powi(-11)).to_f32(), 1.0);
        assert_eq!(<f16 as Stored>::from_f64(1.0 + 3.0 * 2f64.powi(-11) - 1e-12).to_f32(), 1.0 + 2f32.powi(-10));
        assert_eq!(<f16 as Stored>::from_f64(1e300), f16::INFINITY);
        assert!(<bf16 as Stored>::from_f64(f64::NAN).is_nan());
        let tie = (1i64 << 60) + (1 << 52);
        assert_eq!(<bf16 as Stored>::from_i64(tie).to_f32(), (1i64 << 60) as f32);
        assert_eq!(<bf16 as Stored>::from_i64(tie + 1).to_f32(), ((1i64 << 60) + (1 << 53)) as f32);
        assert_eq!(<bf16 as Stored>::from_i64(-tie - 1).to_f32(), -(((1i64 << 60) + (1 << 53)) as f32));
        assert_eq!(<bf16 as Stored>::from_i64(i64::MIN).to_f32(), i64::MIN as f32);
        assert_eq!(<f16 as Stored>::from_i64(65_519).to_f32(), 65_504.0);
        assert_eq!(<f16 as Stored>::from_i64(0).to_bits(), 0);
    }
}
