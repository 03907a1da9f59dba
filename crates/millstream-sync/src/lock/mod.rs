//! Locks whose order is a type.
//!
//! [`enter`] gives the one token of a thread, [`Held`]`<Nothing>`. [`Held::lock`] takes a [`Lock`] and gives a guard that carries the
//! token of its level; a lock of a level that the table does not allow there does not compile. A call that may block the
//! host asks for `&mut Held<'_, Nothing>` and so cannot be reached while a lock is held. Tokens cost nothing at run time; the root costs
//! one thread-local flag.
//!
//! It does not find a deadlock between a lock and something that is not a lock (a queue, a device): those waits take the root
//! token and are recorded as boundaries.
//!
//! **Invariants**
//! * `one-root`: a thread has at most one root token ([`enter`] panics, [`try_enter`] says no).
//! * `listed-nestings`: every nesting that runs is in [`levels::NESTINGS`]; what the types cannot see, the recorder does.
//!
//! **Checked by** tests/compile_fail.rs (trybuild), the lock-order attempt of a round, lock/tests.

pub mod levels;
mod mutex;
pub mod record;
#[cfg(all(test, not(any(millstream_loom, millstream_shuttle))))]
mod tests;
mod token;

pub use levels::{Level, LevelInfo, MayTake, Nothing, Reentrant};
pub use mutex::{Again, Lock, Locked, OtherLock, Signal};
pub use token::{Held, enter, try_enter};
