//! Atomics as types of our own, so that a lint can tell them from bare ones and the seam can exchange them.

pub use std::sync::atomic::Ordering;

use crate::seam::atomic as imp;

/// A fence of the given ordering.
#[inline]
pub fn fence(order: Ordering) {
    imp::fence(order);
}

macro_rules! integer {
    ($($(#[$meta:meta])* $name:ident: $int:ty;)*) => {$(
        $(#[$meta])*
        #[derive(Debug)]
        #[repr(transparent)]
        pub struct $name(imp::$name);

        impl $name {
            /// A new atomic.
            #[cfg(not(millstream_loom))]
            #[must_use]
            pub const fn new(value: $int) -> Self {
                Self(imp::$name::new(value))
            }
            /// A new atomic.
            #[cfg(millstream_loom)]
            #[must_use]
            pub fn new(value: $int) -> Self {
                Self(imp::$name::new(value))
            }
            /// Loads the value.
            #[inline]
            pub fn load(&self, order: Ordering) -> $int {
                self.0.load(order)
            }
            /// Stores a value.
            #[inline]
            pub fn store(&self, value: $int, order: Ordering) {
                self.0.store(value, order);
            }
            /// Exchanges the value and returns the one before.
            #[inline]
            pub fn swap(&self, value: $int, order: Ordering) -> $int {
                self.0.swap(value, order)
            }
            /// Exchanges the value if it is `current`. Errors: the value that was found instead.
            #[inline]
            pub fn compare_exchange(&self, current: $int, new: $int, ok: Ordering, err: Ordering) -> Result<$int, $int> {
                self.0.compare_exchange(current, new, ok, err)
            }
            /// The same, but may fail without cause. Errors: the value that was found.
            #[inline]
            pub fn compare_exchange_weak(&self, current: $int, new: $int, ok: Ordering, err: Ordering) -> Result<$int, $int> {
                self.0.compare_exchange_weak(current, new, ok, err)
            }
            /// Adds and returns the value before.
            #[inline]
            pub fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                self.0.fetch_add(value, order)
            }
            /// Subtracts and returns the value before.
            #[inline]
            pub fn fetch_sub(&self, value: $int, order: Ordering) -> $int {
                self.0.fetch_sub(value, order)
            }
            /// Bitwise or; returns the value before.
            #[inline]
            pub fn fetch_or(&self, value: $int, order: Ordering) -> $int {
                self.0.fetch_or(value, order)
            }
            /// Bitwise and; returns the value before.
            #[inline]
            pub fn fetch_and(&self, value: $int, order: Ordering) -> $int {
                self.0.fetch_and(value, order)
            }
            /// Keeps the larger; returns the value before.
            #[inline]
            pub fn fetch_max(&self, value: $int, order: Ordering) -> $int {
                self.0.fetch_max(value, order)
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
    /// A new flag.
    #[cfg(not(millstream_loom))]
    #[must_use]
    pub const fn new(value: bool) -> Self {
        Self(imp::AtomicBool::new(value))
    }
    /// A new flag.
    #[cfg(millstream_loom)]
    #[must_use]
    pub fn new(value: bool) -> Self {
        Self(imp::AtomicBool::new(value))
    }
    /// Loads the flag.
    #[inline]
    pub fn load(&self, order: Ordering) -> bool {
        self.0.load(order)
    }
    /// Stores the flag.
    #[inline]
    pub fn store(&self, value: bool, order: Ordering) {
        self.0.store(value, order);
    }
    /// Exchanges the flag and returns the one before.
    #[inline]
    pub fn swap(&self, value: bool, order: Ordering) -> bool {
        self.0.swap(value, order)
    }
}

/// A pointer.
#[derive(Debug)]
#[repr(transparent)]
pub struct AtomicPtr<T>(imp::AtomicPtr<T>);

impl<T> AtomicPtr<T> {
    /// A new pointer.
    #[cfg(not(millstream_loom))]
    #[must_use]
    pub const fn new(value: *mut T) -> Self {
        Self(imp::AtomicPtr::new(value))
    }
    /// A new pointer.
    #[cfg(millstream_loom)]
    #[must_use]
    pub fn new(value: *mut T) -> Self {
        Self(imp::AtomicPtr::new(value))
    }
    /// Loads the pointer.
    #[inline]
    pub fn load(&self, order: Ordering) -> *mut T {
        self.0.load(order)
    }
    /// Exchanges the pointer and returns the one before.
    #[inline]
    pub fn swap(&self, value: *mut T, order: Ordering) -> *mut T {
        self.0.swap(value, order)
    }
    /// Exchanges the pointer if it is `current`. Errors: the one that was found instead.
    #[inline]
    pub fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        ok: Ordering,
        err: Ordering,
    ) -> Result<*mut T, *mut T> {
        self.0.compare_exchange(current, new, ok, err)
    }
}
