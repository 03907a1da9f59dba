//! The seam: one set of names over std and parking_lot, loom, or shuttle. Nothing above it knows which.
//!
//! Chosen by `--cfg millstream_loom` or `--cfg millstream_shuttle` (our own names, since `--cfg loom` changes dependencies too). Under
//! `--cfg millstream_tsan` the first set tells ThreadSanitizer what it does.

#[cfg(millstream_tsan)]
mod tsan;

#[cfg(not(any(millstream_loom, millstream_shuttle)))]
mod imp {
    #[cfg(millstream_tsan)]
    pub use super::tsan::OnceLock;
    #[cfg(millstream_tsan)]
    pub(crate) use super::tsan::{Condvar, Mutex, MutexGuard};
    #[cfg(not(millstream_tsan))]
    pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::cell::UnsafeCell as StdUnsafeCell;
    #[cfg(not(millstream_tsan))]
    pub use std::sync::OnceLock;
    pub(crate) use std::sync::atomic;
    pub use std::sync::{Arc, Weak};
    pub use std::thread;

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock()
    }

    pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
        mutex.try_lock()
    }

    pub(crate) fn wait<'a, T>(
        condvar: &Condvar,
        mut guard: MutexGuard<'a, T>,
        timeout: Option<std::time::Duration>,
    ) -> MutexGuard<'a, T> {
        match timeout {
            None => condvar.wait(&mut guard),
            Some(limit) => {
                condvar.wait_for(&mut guard, limit);
            }
        }
        guard
    }

    /// A cell whose accesses loom can check.
    #[derive(Debug, Default)]
    pub(crate) struct UnsafeCell<T>(StdUnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(StdUnsafeCell::new(value))
        }
        #[inline]
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }
        #[inline]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }

    /// How often to look again before sleeping.
    pub(crate) const SPINS: u32 = 64;

    /// Another thread is about to finish something.
    #[inline]
    pub(crate) fn spin() {
        std::hint::spin_loop();
    }
}

#[cfg(millstream_loom)]
mod imp {
    pub(crate) use loom::cell::UnsafeCell;
    pub use loom::sync::Arc;
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard, atomic};
    pub use loom::thread;
    pub use std::sync::{OnceLock, Weak};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
        mutex.try_lock().ok()
    }

    // loom has no time: a wait with a limit is a wait.
    pub(crate) fn wait<'a, T>(
        condvar: &Condvar,
        guard: MutexGuard<'a, T>,
        _limit: Option<std::time::Duration>,
    ) -> MutexGuard<'a, T> {
        condvar.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) const SPINS: u32 = 0;

    // It lets the others go on first: loom would look again for ever.
    pub(crate) fn spin() {
        thread::yield_now();
    }
}

#[cfg(millstream_shuttle)]
mod imp {
    pub use shuttle::sync::Arc;
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard, atomic};
    pub use shuttle::thread;
    pub(crate) use std::cell::UnsafeCell as StdUnsafeCell;
    pub use std::sync::{OnceLock, Weak};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
        mutex.try_lock().ok()
    }

    // shuttle has no time: a wait with a limit is a wait.
    pub(crate) fn wait<'a, T>(
        condvar: &Condvar,
        guard: MutexGuard<'a, T>,
        _limit: Option<std::time::Duration>,
    ) -> MutexGuard<'a, T> {
        condvar.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A cell, unchecked here.
    #[derive(Debug, Default)]
    pub(crate) struct UnsafeCell<T>(StdUnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(StdUnsafeCell::new(value))
        }
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }

    pub(crate) const SPINS: u32 = 0;

    pub(crate) fn spin() {
        thread::yield_now();
    }
}

pub use imp::{Arc, OnceLock, Weak, thread};
pub(crate) use imp::{Condvar, Mutex, MutexGuard, SPINS, UnsafeCell, atomic, lock, spin, try_lock, wait};

/// A thread-local of the workspace. `const` initialiser: no lazy registration on std.
#[cfg(not(any(millstream_loom, millstream_shuttle)))]
#[macro_export]
macro_rules! thread_state {
    ($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty = $init:expr) => {
        ::std::thread_local! {
            $(#[$meta])*
            #[allow(clippy::disallowed_methods, reason = "the one place where the ban of bare thread-locals does not hold")]
            $vis static $name: $type = const { $init }
        }
    };
}

/// A thread-local of the workspace, under the model checker.
#[cfg(millstream_loom)]
#[macro_export]
macro_rules! thread_state {
    ($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty = $init:expr) => {
        ::loom::thread_local! { $(#[$meta])* $vis static $name: $type = $init }
    };
}

/// A thread-local of the workspace, under the randomised scheduler.
#[cfg(millstream_shuttle)]
#[macro_export]
macro_rules! thread_state {
    ($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty = $init:expr) => {
        ::shuttle::thread_local! { $(#[$meta])* $vis static $name: $type = $init }
    };
}
