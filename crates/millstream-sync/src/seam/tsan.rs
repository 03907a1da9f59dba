//! Locks and a cell that tell ThreadSanitizer what they do.
//!
//! parking_lot orders memory by atomics, which ThreadSanitizer follows; but only a lock that is named as one is in its reports, and only for those it looks
//! for two that are taken in both orders. The standard library is not built with it, so a value that `std::sync::OnceLock` hands over would look like a
//! race: here a flag beside it shows the order. Built by `--cfg millstream_tsan` alone, which `cargo xtask sanitize thread` sets.
#![expect(unsafe_code, reason = "names of the sanitizer's runtime")]

use std::ffi::{c_int, c_uint};
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::atomic::{AtomicBool, Ordering};

/// A lock that is known by its address.
type Address = *const ();

const EXCLUSIVE: c_uint = 0;
const TRY: c_uint = 1 << 4;
const TRY_FAILED: c_uint = 1 << 5;

// SAFETY: as in the interface header of the runtime (tsan_interface.h). An address is looked up there and never read.
unsafe extern "C" {
    safe fn __tsan_mutex_destroy(mutex: Address, flags: c_uint);
    safe fn __tsan_mutex_pre_lock(mutex: Address, flags: c_uint);
    safe fn __tsan_mutex_post_lock(mutex: Address, flags: c_uint, recursion: c_int);
    safe fn __tsan_mutex_pre_unlock(mutex: Address, flags: c_uint) -> c_int;
    safe fn __tsan_mutex_post_unlock(mutex: Address, flags: c_uint);
    safe fn __tsan_mutex_pre_signal(condvar: Address, flags: c_uint);
    safe fn __tsan_mutex_post_signal(condvar: Address, flags: c_uint);
}

/// A mutex.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(parking_lot::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(parking_lot::Mutex::new(value))
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    fn address(&self) -> Address {
        (&raw const self.0).cast()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let at = self.address();
        __tsan_mutex_pre_lock(at, EXCLUSIVE);
        let guard = self.0.lock();
        __tsan_mutex_post_lock(at, EXCLUSIVE, 0);
        MutexGuard { before: Unlocking(at), guard, _after: Unlocked(at) }
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let at = self.address();
        __tsan_mutex_pre_lock(at, TRY);
        let guard = self.0.try_lock();
        __tsan_mutex_post_lock(at, if guard.is_some() { TRY } else { TRY | TRY_FAILED }, 0);
        guard.map(|guard| MutexGuard { before: Unlocking(at), guard, _after: Unlocked(at) })
    }
}

impl<T> Drop for Mutex<T> {
    fn drop(&mut self) {
        // Another lock may come to this address.
        __tsan_mutex_destroy(self.address(), EXCLUSIVE);
    }
}

/// Its guard. The fields drop in their order: the runtime is told before the lock is free and after.
pub(crate) struct MutexGuard<'a, T> {
    before: Unlocking,
    guard: parking_lot::MutexGuard<'a, T>,
    _after: Unlocked,
}

struct Unlocking(Address);

impl Drop for Unlocking {
    fn drop(&mut self) {
        __tsan_mutex_pre_unlock(self.0, EXCLUSIVE);
    }
}

struct Unlocked(Address);

impl Drop for Unlocked {
    fn drop(&mut self) {
        __tsan_mutex_post_unlock(self.0, EXCLUSIVE);
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// A condition variable.
#[derive(Default)]
pub(crate) struct Condvar(parking_lot::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(parking_lot::Condvar::new())
    }

    pub(crate) fn notify_all(&self) {
        let at = (&raw const self.0).cast();
        __tsan_mutex_pre_signal(at, EXCLUSIVE);
        self.0.notify_all();
        __tsan_mutex_post_signal(at, EXCLUSIVE);
    }

    /// A wait without a limit.
    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        guard.set_free(|guard| self.0.wait(guard));
    }

    /// A wait with a limit.
    pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, limit: Duration) {
        guard.set_free(|guard| {
            self.0.wait_for(guard, limit);
        });
    }
}

impl<'a, T> MutexGuard<'a, T> {
    /// To the sanitizer a wait is an unlock that takes long, and a lock. What parking_lot does inside of its calls it never sees: half of it would look wrong.
    fn set_free(&mut self, wait: impl FnOnce(&mut parking_lot::MutexGuard<'a, T>)) {
        let at = self.before.0;
        __tsan_mutex_pre_unlock(at, EXCLUSIVE);
        wait(&mut self.guard);
        __tsan_mutex_post_unlock(at, EXCLUSIVE);
        __tsan_mutex_pre_lock(at, EXCLUSIVE);
        __tsan_mutex_post_lock(at, EXCLUSIVE, 0);
    }
}

/// A cell that is written once. The standard library's decides who writes; the flag beside it is an order that the sanitizer sees.
#[derive(Debug)]
pub struct OnceLock<T> {
    cell: std::sync::OnceLock<T>,
    written: AtomicBool,
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> OnceLock<T> {
    /// An empty cell.
    #[must_use]
    pub const fn new() -> Self {
        Self { cell: std::sync::OnceLock::new(), written: AtomicBool::new(false) }
    }

    /// The value, when it was written.
    pub fn get(&self) -> Option<&T> {
        self.cell.get().inspect(|_| self.follow())
    }

    /// Writes the value. Errors: the value, when there is one already.
    pub fn set(&self, value: T) -> Result<(), T> {
        self.cell.set(value).inspect(|()| self.publish())
    }

    /// The value, written by `f` if nobody has.
    pub fn get_or_init(&self, f: impl FnOnce() -> T) -> &T {
        let mut mine = false;
        let value = self.cell.get_or_init(|| {
            mine = true;
            f()
        });
        if mine {
            self.publish()
        } else {
            self.follow()
        }
        value
    }

    fn publish(&self) {
        // ORDER: Release so that the value is visible; pairs with `follow`.
        self.written.store(true, Ordering::Release);
    }

    /// Waits the moment between the value and its flag.
    fn follow(&self) {
        // ORDER: Acquire so that the value is visible; pairs with `publish`.
        while !self.written.load(Ordering::Acquire) {
            std::hint::spin_loop();
        }
    }
}
