//! The token that says which lock a thread holds.

use std::cell::Cell;
use std::marker::PhantomData;

use super::levels::{Level, Nothing};

/// Deepest nesting that the recorder follows.
pub(super) const DEPTH_MAX: usize = 4;

/// What a thread holds, for the root check and, while recording, for the recorder. No destructor.
pub(super) struct Root {
    pub(super) entered: Cell<bool>,
    pub(super) depth: Cell<usize>,
    /// (address of the level's info, address of the caller's location)
    pub(super) stack: [Cell<(usize, usize)>; DEPTH_MAX],
}

crate::thread_state! {
    /// Mechanism: plain cells, read and set through `try_with` only; no destructor.
    pub(super) static ROOT: Root = Root {
        entered: Cell::new(false),
        depth: Cell::new(0),
        stack: [Cell::new((0, 0)), Cell::new((0, 0)), Cell::new((0, 0)), Cell::new((0, 0))],
    }
}

/// Proof that this thread holds a lock of level `L` and, through its borrow, all that it was taken inside. `!Send`, not `Clone`, made only
/// by [`enter`] and by taking locks.
pub struct Held<'t, L: Level> {
    _parent: PhantomData<&'t mut L>,
    _not_send: PhantomData<*mut ()>,
}

impl<L: Level> Held<'_, L> {
    pub(super) fn new() -> Self {
        Self { _parent: PhantomData, _not_send: PhantomData }
    }
}

/// Clears the flag, also on unwind.
struct Leave;

impl Drop for Leave {
    fn drop(&mut self) {
        // A thread whose thread-locals are gone has no flag to clear.
        let _ = ROOT.try_with(|root| root.entered.set(false));
    }
}

/// Runs `f` with the thread's token. May block the host as `f` does.
///
/// # Panics
/// When this thread is already inside: a second root would hide what is held.
pub fn enter<R>(f: impl FnOnce(&mut Held<'_, Nothing>) -> R) -> R {
    match try_enter(f) {
        Some(result) => result,
        None => panic!("this thread is already inside millstream_sync::lock::enter: pass its token on instead"),
    }
}

/// Runs `f` with the thread's token, or returns `None` when the thread is already inside. For drop paths, which must not take
/// the root by force.
pub fn try_enter<R>(f: impl FnOnce(&mut Held<'_, Nothing>) -> R) -> Option<R> {
    let first = ROOT.try_with(|root| !root.entered.replace(true)).unwrap_or(false);
    if !first {
        return None;
    }
    let _leave = Leave;
    Some(f(&mut Held::new()))
}
