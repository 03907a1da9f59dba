//! Elements as they lie in memory, and as they are computed with.
//!
//! A stored type names the type it is computed in: itself, or f32 for the halves, or u8 for bools. Kernels are written once over
//! [`Stored`], widen an element where they read it and narrow it where they write it, in one loop. Every conversion is free of branches,
//! so that the loop stays a vector loop, and follows the table of hal's `dtype` module.
//!
//! **Checked by** the tests of `halves` and of the kernels.

use millstream_hal::Scalar;

mod halves;

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
