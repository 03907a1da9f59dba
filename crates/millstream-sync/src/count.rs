//! Counts of what was done: the proof that a path was driven.
//!
//! Plain statistics: relaxed, never read to decide anything.

use crate::atomic::{AtomicU64, Ordering};

/// One count.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// One more.
    #[inline]
    pub fn hit(&self) {
        self.add(1);
    }

    /// `n` more.
    #[inline]
    pub fn add(&self, n: u64) {
        // ORDER: Relaxed; a count publishes nothing.
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// How many there are. Exact once those who count have been waited for.
    pub fn get(&self) -> u64 {
        // ORDER: Relaxed; as above.
        self.0.load(Ordering::Relaxed)
    }
}

/// The counts of a backend, from a list of documented names: `Statistics`, public and plain numbers, and `Counters` of the crate's own, whose `read` makes them.
#[macro_export]
macro_rules! statistics {
    ($($(#[$meta:meta])* $name:ident,)*) => {
        /// What a backend has done so far.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Statistics {
            $($(#[$meta])* pub $name: u64,)*
        }

        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: $crate::Count,)*
        }

        impl Counters {
            pub(crate) fn read(&self) -> Statistics {
                Statistics { $($name: self.$name.get(),)* }
            }
        }
    };
}

#[cfg(all(test, not(any(millstream_loom, millstream_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_adds_up() {
        let count = Count::default();
        count.hit();
        count.add(2);
        assert_eq!(count.get(), 3);
    }
}
