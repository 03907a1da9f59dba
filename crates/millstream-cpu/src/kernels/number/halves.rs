//! The halves: f16 and bf16 as they lie in memory, computed with as f32.
//!
//! **Checked by** the tests below, against the crate `half` for every bit pattern.

use half::{bf16, f16};

use super::Stored;

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
