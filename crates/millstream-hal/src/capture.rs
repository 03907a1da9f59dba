//! A captured sequence of launches that can be launched again as one.

/// A backend's captured graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RawGraph(pub u32);
