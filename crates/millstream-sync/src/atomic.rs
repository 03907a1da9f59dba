//! Atomics as types of our own, so that a lint can tell them from bare ones and the seam can exchange them.
//!
//! Under loom and under ThreadSanitizer operations can also be made weaker by `mutant`, to show that the tests would notice.

#[cfg(any(millstream_loom, millstream_tsan))]
pub mod mutant;
#[cfg(not(any(millstream_loom, millstream_tsan)))]
mod mutant;

pub use std::sync::atomic::Ordering;

use crate::seam::atomic as imp;

/// A fence of the given ordering.
#[inline]
#[cfg_attr(any(millstream_loom, millstream_tsan), track_caller)]
pub fn fence(order: Ordering) {
    if let Some(order) = mutant::fence(order) {
        imp::fence(order);
    }
}

/// What all atomics have, whatever they hold.
macro_rules! word {
    ($inner:ident: $value:ty) => {
        /// A new atomic.
        #[cfg(not(millstream_loom))]
        #[must_use]
        pub const fn new(value: $value) -> Self {
            Self(imp::$inner::new(value))
        }
        /// A new atomic.
        #[cfg(millstream_loom)]
        #[must_use]
        pub fn new(value: $value) -> Self {
            Self(imp::$inner::new(value))
        }
        /// Loads the value.
        #[inline]
        #[cfg_attr(any(millstream_loom, millstream_tsan), track_caller)]
        pub fn load(&self, order: Ordering) -> $value {
            self.0.load(mutant::order(order))
        }
        /// Stores a value.
        #[inline]
        #[cfg_attr(any(millstream_loom, millstream_tsan), track_caller)]
        pub fn store(&self, value: $value, order: Ordering) {
            self.0.store(value, mutant::order(order));
        }
        /// Exchanges the value and returns the one before.
        #[inline]
        #[cfg_attr(any(millstream_loom, millstream_tsan), track_caller)]
        pub fn swap(&self, value: $value, order: Ordering) -> $value {
            if mutant::torn() {
                return self.torn(|_| value);
            }
            self.0.swap(value, mutant::order(order))
        }
        /// Exchanges the value if it is `current`. Errors: the value that was found instead.
        #[inline]
        #[cfg_attr(any(millstream_loom, millstream_tsan), track_caller)]
        pub fn compare_exchange(
            &self,
            current: $value,
            new: $value,
            ok: Ordering,
            err: Ordering,
        ) -> Result<$value, $value> {
            if mutant::torn() {
                let found = self.torn(|now| if now == current { new } else { now });
                return if found == current { Ok(found) } else { Err(found) };
            }
            self.0.compare_exchange(current, new, mutant::order(ok), mutant::order(err))
        }
        /// The same, but may fail without cause. Errors: the value that was found.
        #[inline]
        #[cfg_attr(any(millstream_loom, millstream_tsan), track_caller)]
        pub fn compare_exchange_weak(
            &self,
            current: $value,
            new: $value,
            ok: Ordering,
            err: Ordering,
        ) -> Result<$value, $value> {
            if mutant::torn() {
                let found = self.torn(|now| if now == current { new } else { now });
                return if found == current { Ok(found) } else { Err(found) };
            }
            self.0.compare_exchange_weak(current, new, mutant::order(ok), mutant::order(err))
        }
        /// An Acquire fence for what was read from this word before. ThreadSanitizer follows no fence: it gets a load.
        #[inline]
        #[cfg_attr(any(millstream_loom, millstream_tsan), track_caller)]
        pub fn fence_acquire(&self) {
            if cfg!(millstream_tsan) {
                // ORDER: Acquire in place of the fence; pairs with what the fence pairs with.
                self.load(Ordering::Acquire);
            } else {
                // ORDER: Acquire: who calls says what it pairs with.
                fence(Ordering::Acquire);
            }
        }
        /// A load and a store where there should be one step: a mutant.
        fn torn(&self, change: impl FnOnce($value) -> $value) -> $value {
            // ORDER: as strong as the whole could be: only that it is two steps is the mutation.
            let before = self.0.load(Ordering::Acquire);
            self.0.store(change(before), Ordering::Release);
            before
        }
    };
}

/// What integers have besides.
macro_rules! fetch {
    ($($(#[$meta:meta])* $name:ident: $int:ty, |$before:ident, $value:ident| $torn:expr;)*) => {$(
        $(#[$meta])*
        #[inline]
        #[cfg_attr(any(millstream_loom, millstream_tsan), track_caller)]
        pub fn $name(&self, $value: $int, order: Ordering) -> $int {
            if mutant::torn() {
                return self.torn(|$before| $torn);
            }
            self.0.$name($value, mutant::order(order))
        }
    )*};
}

macro_rules! integer {
    ($($(#[$meta:meta])* $name:ident: $int:ty;)*) => {$(
        $(#[$meta])*
        #[derive(Debug)]
        #[repr(transparent)]
        pub struct $name(imp::$name);

        impl $name {
            word!($name: $int);
            fetch! {
                /// Adds and returns the value before.
                fetch_add: $int, |before, value| before.wrapping_add(value);
                /// Subtracts and returns the value before.
                fetch_sub: $int, |before, value| before.wrapping_sub(value);
                /// Bitwise or; returns the value before.
                fetch_or: $int, |before, value| before | value;
                /// Bitwise and; returns the value before.
                fetch_and: $int, |before, value| before & value;
                /// Keeps the larger; returns the value before.
                fetch_max: $int, |before, value| before.max(value);
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new(0)
            }
        }
    )*};
}

integer! {
    /// 32 bits.
    AtomicU32: u32;
    /// 64 bits.
    AtomicU64: u64;
    /// The size of a pointer.
    AtomicUsize: usize;
}

/// A flag.
#[derive(Debug)]
#[repr(transparent)]
pub struct AtomicBool(imp::AtomicBool);

impl AtomicBool {
    word!(AtomicBool: bool);
}

/// A pointer.
#[derive(Debug)]
#[repr(transparent)]
pub struct AtomicPtr<T>(imp::AtomicPtr<T>);

impl<T> AtomicPtr<T> {
    word!(AtomicPtr: *mut T);
}

impl Default for AtomicBool {
    fn default() -> Self {
        Self::new(false)
    }
}
