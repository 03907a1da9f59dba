//! What is reduced to what: sums in the type that they are kept in, and the greatest element by an integer key. In which order is the business of [`super::reduce`].

use std::marker::PhantomData;

use super::number::{Number, Stored};

/// How elements become one.
pub trait Fold: Send + Sync + 'static {
    /// Type of an element.
    type From: Stored;
    /// What a lane holds.
    type Lane: Copy + Send + Sync + std::fmt::Debug + PartialEq;
    /// A lane without an element.
    const START: Self::Lane;
    /// A lane with one element more.
    fn step(lane: Self::Lane, element: Self::From) -> Self::Lane;
    /// Two lanes as one.
    fn join(left: Self::Lane, right: Self::Lane) -> Self::Lane;
}

/// The sum, in the type that sums of `S` are kept in.
#[derive(Debug)]
pub struct Sum<S>(PhantomData<S>);

/// The type that sums of `S` are kept in.
pub type Total<S> = <<S as Stored>::Compute as Number>::Total;

/// A number with a zero that begins a sum.
pub trait Zero: Number + std::fmt::Debug {
    /// `+0`
    const ZERO: Self;
}

impl Zero for f32 {
    const ZERO: Self = 0.0;
}
impl Zero for f64 {
    const ZERO: Self = 0.0;
}
impl Zero for i64 {
    const ZERO: Self = 0;
}

impl<S: Stored> Fold for Sum<S>
where
    Total<S>: Zero,
{
    type From = S;
    type Lane = Total<S>;
    const START: Total<S> = Total::<S>::ZERO;

    #[inline(always)]
    fn step(lane: Total<S>, element: S) -> Total<S> {
        lane.add(element.widen().total())
    }

    #[inline(always)]
    fn join(left: Total<S>, right: Total<S>) -> Total<S> {
        left.add(right)
    }
}

/// The greatest element, as the key that orders it. No order of joining matters.
#[derive(Debug)]
pub struct Max<S>(PhantomData<S>);

/// Numbers with an integer key in their order: NaN above all, and `+0` above `-0`.
pub trait Ordered: Number {
    /// The key.
    type Key: Ord + Copy + Send + Sync + std::fmt::Debug;
    /// The least key.
    const LEAST: Self::Key;
    /// The number's key.
    fn key(self) -> Self::Key;
    /// The number of a key.
    fn of_key(key: Self::Key) -> Self;
}

macro_rules! ordered_floats {
    ($($float:ty, $key:ty, $bits:ty;)*) => {$(
        impl Ordered for $float {
            type Key = $key;
            const LEAST: $key = <$key>::MIN;

            #[inline(always)]
            fn key(self) -> $key {
                let bits = self.to_bits() as $key;
                let key = bits ^ (((bits >> (<$key>::BITS - 1)) as $bits) >> 1) as $key;
                if self.is_nan() { <$key>::MAX } else { key }
            }

            #[inline(always)]
            fn of_key(key: $key) -> Self {
                let bits = key ^ (((key >> (<$key>::BITS - 1)) as $bits) >> 1) as $key;
                if key == <$key>::MAX { Self::NAN } else { Self::from_bits(bits as $bits) }
            }
        }
    )*};
}

ordered_floats! {
    f32, i32, u32;
    f64, i64, u64;
}

macro_rules! ordered_integers {
    ($($int:ty),*) => {$(
        impl Ordered for $int {
            type Key = $int;
            const LEAST: $int = <$int>::MIN;

            #[inline(always)]
            fn key(self) -> $int {
                self
            }

            #[inline(always)]
            fn of_key(key: $int) -> Self {
                key
            }
        }
    )*};
}

ordered_integers!(i64, u8);

/// The key of an element of `S`.
pub type Key<S> = <<S as Stored>::Compute as Ordered>::Key;

impl<S: Stored<Compute: Ordered>> Fold for Max<S> {
    type From = S;
    type Lane = Key<S>;
    const START: Key<S> = <S::Compute as Ordered>::LEAST;

    #[inline(always)]
    fn step(lane: Key<S>, element: S) -> Key<S> {
        Self::join(lane, element.widen().key())
    }

    #[inline(always)]
    fn join(left: Key<S>, right: Key<S>) -> Key<S> {
        if right > left { right } else { left }
    }
}
