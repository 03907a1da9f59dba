//! Device memory as the runtime sees it: segments with an address, cut up by the runtime alone.

/// Alignment of every segment's first byte. Blocks inside a segment are cut at multiples of it.
pub const SEGMENT_ALIGN: usize = 256;

/// An address in the device's memory. On the CPU it is a host address; elsewhere it means nothing to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DevicePtr(pub u64);

impl DevicePtr {
    /// The address `bytes` further on.
    #[must_use]
    pub fn offset(self, bytes: usize) -> Self {
        Self(self.0 + bytes as u64)
    }
}

/// A piece of device memory as the backend handed it out. No life of its own: the runtime says when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawSegment {
    /// First byte, aligned to [`SEGMENT_ALIGN`].
    pub base: DevicePtr,
    /// Size in bytes.
    pub bytes: usize,
}
