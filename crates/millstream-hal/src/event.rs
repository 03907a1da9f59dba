//! A raw event: a mark in a stream that can be asked for, waited for and reused.

/// A backend's event. Recording it again overwrites its mark; a wait that was enqueued before keeps the mark that it saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RawEvent(pub u32);

/// What a query or a wait of the host found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventStatus {
    /// All work before the mark has completed.
    Done,
    /// Some work before the mark has not completed.
    Pending,
}
