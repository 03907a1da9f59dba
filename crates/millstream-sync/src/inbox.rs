//! A list that anyone may push to and anyone may take whole.
//!
//! Entries are numbers below `u32::MAX`; the link of each entry is an atomic word that its owner provides, so pushing allocates nothing. Taking is one
//! swap, so there is no pop and no ABA.
//!
//! **Invariants**
//! * `nothing-lost`: every pushed entry is in exactly one taken chain.
//!
//! **Checked by** tests/loom/protocols/inbox.rs, specs/inbox_thread_exit.

use crate::atomic::{AtomicU32, Ordering};

const END: u32 = u32::MAX;

/// Head of a chain of entries.
#[derive(Debug)]
pub struct Inbox {
    head: AtomicU32,
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Inbox {
    /// An empty inbox.
    #[must_use]
    pub fn new() -> Self {
        Self { head: AtomicU32::new(END) }
    }

    /// Whether it is empty just now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed) == END
    }

    /// Pushes `entry`, whose link word is `link`. The caller owns the entry and gives it away.
    pub fn push(&self, entry: u32, link: &AtomicU32) {
        debug_assert_ne!(entry, END);
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // ORDER: Relaxed: published by the exchange below.
            link.store(head, Ordering::Relaxed);
            // ORDER: Release so that the link and all that was done to the entry are visible; pairs with the swap in `take_all`.
            match self.head.compare_exchange_weak(head, entry, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(found) => head = found,
            }
        }
    }

    /// Takes everything; `each` gets the entries, newest first. `link` gives an entry's link word; it is read before `each` is called, so
    /// `each` may give the entry away.
    pub fn take_all<'a>(&self, link: impl Fn(u32) -> &'a AtomicU32, mut each: impl FnMut(u32)) {
        if self.is_empty() {
            return;
        }
        // ORDER: Acquire so that the links and the entries are visible; pairs with the Release in every `push` of the chain (each
        // later push continues the release sequence by its read-modify-write).
        let mut entry = self.head.swap(END, Ordering::Acquire);
        while entry != END {
            // ORDER: Relaxed: visible since the swap above.
            let next = link(entry).load(Ordering::Relaxed);
            each(entry);
            entry = next;
        }
    }
}
