//! The queue of waiters: what is done under its lock.

use super::{At, Bug, Config, State};

/// What a sleeper was woken with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wake {
    /// Nothing yet.
    No,
    /// This slot, claimed for it.
    Permit(u8),
    /// The close.
    Closed,
}

impl Config {
    /// Claims free slots for those in the queue, oldest first. Under the lock.
    pub(super) fn grant(&self, s: &mut State) {
        while let (false, Some(slot)) = (s.queue.is_empty(), s.free_slot(self.slots)) {
            let at = if self.has(Bug::NewestFirst) { s.queue.len() - 1 } else { 0 };
            s.jumped |= at > 0;
            let waiter = s.queue.remove(at);
            s.forget(waiter);
            s.mask |= 1 << slot;
            s.wake[waiter] = Wake::Permit(slot);
            s.permits += 1;
        }
    }

    /// The second look, with the lock held: serve the queue, and leave it if there is reason to, else sleep.
    pub(super) fn recheck(&self, s: &mut State, t: usize) {
        s.locked = false;
        self.grant(s);
        if s.is_closed() {
            self.leave(s, t);
        } else {
            self.take(s, t);
        }
    }

    /// Uses the slot that was granted, or sleeps on. Under the lock.
    pub(super) fn take(&self, s: &mut State, t: usize) {
        s.at[t] = At::Asleep;
        if let Wake::Permit(slot) = s.wake[t] {
            s.permits -= 1;
            (s.wake[t], s.at[t]) = (Wake::No, At::Verifying(slot));
        }
    }

    /// A passed deadline or a closed pool, under the lock: a slot granted meanwhile goes to the next waiter.
    pub(super) fn leave(&self, s: &mut State, t: usize) {
        s.queue.retain(|waiter| *waiter != t);
        s.forget(t);
        if let Wake::Permit(slot) = std::mem::replace(&mut s.wake[t], Wake::No)
            && !self.has(Bug::PermitSwallowed)
        {
            s.permits -= 1;
            s.mask &= !(1 << slot);
            self.grant(s);
        }
        s.go_away(t);
    }
}
