//! A mutex of a level, its guard, and the signal to wait for with it.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use super::levels::{Level, MayTake, Nothing, Reentrant};
use super::record;
use super::token::Held;
use crate::schedule::{self, Point};
use crate::seam;

/// A mutex that is taken through a token.
pub struct Lock<L: Level, T> {
    inner: seam::Mutex<T>,
    _level: PhantomData<fn() -> L>,
}

impl<L: Level, T> Lock<L, T> {
    /// A new lock around `value`.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { inner: seam::Mutex::new(value), _level: PhantomData }
    }

    /// The value, when nobody else can see the lock.
    #[cfg(not(any(millstream_loom, millstream_shuttle)))]
    pub fn value_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }

    fn take(&self) -> seam::MutexGuard<'_, T> {
        if cfg!(any(millstream_loom, millstream_shuttle, millstream_tsan)) {
            // The checkers schedule by themselves, and a look before the lock would only double their branches; to the sanitizer a try says nothing
            // about the order of two locks.
            return seam::lock(&self.inner);
        }
        schedule::point(Point::Lock);
        if let Some(guard) = seam::try_lock(&self.inner) {
            return guard;
        }
        while schedule::blocked(Point::Lock) {
            if let Some(guard) = seam::try_lock(&self.inner) {
                return guard;
            }
        }
        seam::lock(&self.inner)
    }
}

impl<L: Level, T> std::fmt::Debug for Lock<L, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lock").field("level", &L::INFO.name).finish_non_exhaustive()
    }
}

/// A held lock: the value and the token of its level. Released on drop.
pub struct Locked<'a, P: Level, L: Level, T> {
    // Before `guard`, so that the recorder forgets it first.
    mark: record::Mark,
    guard: seam::MutexGuard<'a, T>,
    lock: &'a Lock<L, T>,
    held: Held<'a, L>,
    _parent: PhantomData<&'a mut P>,
}

impl<'t, P: Level> Held<'t, P> {
    /// Takes `lock`, waiting for its owner. Does not compile when the table does not allow it here.
    #[track_caller]
    pub fn lock<'a, L: Level, T>(&'a mut self, lock: &'a Lock<L, T>) -> Locked<'a, P, L, T>
    where
        P: MayTake<L>,
    {
        let guard = lock.take();
        Locked { mark: record::taken(L::INFO), guard, lock, held: Held::new(), _parent: PhantomData }
    }

    /// Takes `lock` if it is free.
    #[track_caller]
    pub fn try_lock<'a, L: Level, T>(&'a mut self, lock: &'a Lock<L, T>) -> Option<Locked<'a, P, L, T>>
    where
        P: MayTake<L>,
    {
        schedule::point(Point::Lock);
        let guard = seam::try_lock(&lock.inner)?;
        Some(Locked { mark: record::taken(L::INFO), guard, lock, held: Held::new(), _parent: PhantomData })
    }

    /// Takes `lock` whatever is held: what the types forbid. It exists so that a round can show that its recorder sees it.
    #[cfg(feature = "seeded-bugs")]
    #[track_caller]
    pub fn lock_against_the_table<'a, L: Level, T>(&'a mut self, lock: &'a Lock<L, T>) -> Locked<'a, P, L, T> {
        let guard = lock.take();
        Locked { mark: record::taken(L::INFO), guard, lock, held: Held::new(), _parent: PhantomData }
    }
}

impl<'a, P: Level, L: Level, T> Locked<'a, P, L, T> {
    /// The value and the token, both at once, to take an inner lock while using the value.
    pub fn split(&mut self) -> (&mut T, &mut Held<'a, L>) {
        (&mut self.guard, &mut self.held)
    }

    /// Enters again as the owner: the same lock, one deeper. Errors: [`OtherLock`] when `lock` is not the one that is held.
    pub fn again<'b>(&'b mut self, lock: &Lock<L, T>) -> Result<Again<'b, T>, OtherLock>
    where
        L: Reentrant,
    {
        if !std::ptr::eq(lock, self.lock) {
            return Err(OtherLock);
        }
        record::again(&self.mark);
        Ok(Again { value: &mut self.guard })
    }
}

impl<'a, L: Level, T> Locked<'a, Nothing, L, T> {
    /// Releases the lock, waits for `signal` or until `timeout` has passed, and takes the lock again. May wake without cause. Only a
    /// guard that was taken with nothing held can do it.
    #[must_use]
    pub fn wait(self, signal: &Signal, timeout: Option<Duration>) -> Self {
        let Self { mark, guard, lock, held, _parent } = self;
        let mark = mark.suspended();
        let guard = if schedule::scheduled() {
            drop(guard);
            schedule::blocked(Point::Wait);
            lock.take()
        } else {
            seam::wait(&signal.inner, guard, timeout)
        };
        Self { mark: mark.resumed(), guard, lock, held, _parent }
    }
}

impl<P: Level, L: Level, T> Deref for Locked<'_, P, L, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<P: Level, L: Level, T> DerefMut for Locked<'_, P, L, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// A lock entered again by its owner.
#[derive(Debug)]
pub struct Again<'b, T> {
    value: &'b mut T,
}

impl<T> Deref for Again<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.value
    }
}

impl<T> DerefMut for Again<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value
    }
}

/// Entering again was asked for another lock than the one held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherLock;

/// What a guard waits for.
#[derive(Default)]
pub struct Signal {
    inner: seam::Condvar,
}

impl Signal {
    /// A new signal.
    #[must_use]
    pub fn new() -> Self {
        Self { inner: seam::Condvar::new() }
    }

    /// Wakes one that waits, if any does.
    pub fn notify_one(&self) {
        self.inner.notify_one();
    }

    /// Wakes all that wait.
    pub fn notify_all(&self) {
        self.inner.notify_all();
    }
}

impl std::fmt::Debug for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signal")
    }
}
