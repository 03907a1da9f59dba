//! Counts of what the backend did: the proof that a path was driven.
//!
//! Plain statistics: relaxed, never read to decide anything, none on the way of a launch.

use millstream_sync::atomic::{AtomicU64, Ordering};

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
            $(pub(crate) $name: Count,)*
        }

        impl Counters {
            pub(crate) fn read(&self) -> Statistics {
                Statistics { $($name: self.$name.0.load(Ordering::Relaxed),)* }
            }
        }
    };
}

statistics! {
    /// Files of kernels that NVRTC compiled at opening; the others came from the cache.
    files_compiled,
    /// Marks taken by `record`.
    events_recorded,
    /// Waits that needed no driver call, because the mark was reached or of the same stream.
    waits_already_over,
    /// Waits enqueued.
    waits_enqueued,
    /// Native events made.
    events_made,
    /// Events asked for that were pooled ones.
    events_reused,
}

/// One count.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    #[inline]
    pub(crate) fn hit(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
}
