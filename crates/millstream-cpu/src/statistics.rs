//! Counts of what the backend did: the proof that a path was driven.
//!
//! Plain statistics: relaxed, never read to decide anything.

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
    /// Kernels that ran.
    kernels_run,
    /// Kernels that were passed over because their stream was faulty before them.
    kernels_skipped,
    /// Waits between streams that found their mark reached when they were enqueued, and cost nothing.
    waits_already_over,
    /// Waits between streams that found their mark not reached when their turn came.
    waits_blocked,
    /// Enqueues that waited for room.
    queue_full_waits,
    /// Calls of `drive` that left the work to the thread already driving.
    drives_left_to_another,
    /// Streams driven by a thread that had to wait for them.
    drives_for_a_wait,
    /// Large operations offered to helpers.
    operations_shared,
    /// Chunks of large operations that a helper did.
    helpers_joined,
    /// Items that were delayed on purpose.
    items_delayed,
    /// Marks taken by `record`.
    events_recorded,
}

/// One count.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    #[inline]
    pub(crate) fn hit(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
