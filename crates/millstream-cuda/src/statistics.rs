//! Counts of what the backend did: the proof that a path was driven.
//!
//! Plain statistics: relaxed, never read to decide anything, none on the way of a launch.

millstream_sync::statistics! {
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
