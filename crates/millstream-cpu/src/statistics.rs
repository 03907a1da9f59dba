//! Counts of what the backend did: the proof that a path was driven.
//!
//! Plain statistics: relaxed, never read to decide anything.

millstream_sync::statistics! {
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
