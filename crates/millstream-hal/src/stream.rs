//! A raw stream: an in-order queue of the backend.

/// A backend's stream. The number means something to its backend alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RawStream(pub u32);
