//! A position in a stream.

/// A position in a stream of a device: the work up to it, or the value that it defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Which opened device.
    pub device: u16,
    /// Slot of the stream in its pool.
    pub stream: u16,
    /// How often the slot had been leased when the stamp was made.
    pub generation: u32,
    /// Position: the first operation of a slot is 1.
    pub seq: u64,
}
