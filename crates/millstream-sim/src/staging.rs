//! Staging memory: real host memory, since the host itself reads and writes it through its address.
//!
//! It is kept as atomic words, so that the device may look at what others wrote through the exposed address without a line of unsafe
//! code here. On a little-endian machine byte `i` is byte `i % 4` of word `i / 4`.

use millstream_hal::RawStaging;
use millstream_sync::atomic::{AtomicU32, Ordering};

const ALIGN: usize = 64;

/// One piece of staging memory.
#[derive(Debug)]
pub(crate) struct Staging {
    words: Vec<AtomicU32>,
    /// Words before the first aligned one.
    skip: usize,
    bytes: usize,
}

impl Staging {
    /// Zeroed memory, or `None` where the host has not so much.
    pub(crate) fn new(bytes: usize) -> Option<Self> {
        let count = (bytes.div_ceil(4)).checked_add(ALIGN / 4)?;
        let mut words = Vec::new();
        words.try_reserve_exact(count).ok()?;
        words.resize_with(count, || AtomicU32::new(0));
        let skip = words.as_ptr().expose_provenance().wrapping_neg() % ALIGN / 4;
        Some(Self { words, skip, bytes })
    }

    pub(crate) fn raw(&self) -> RawStaging {
        RawStaging { host: self.words[self.skip..].as_ptr().expose_provenance() as u64, bytes: self.bytes }
    }

    pub(crate) fn read(&self, from: usize, bytes: usize) -> Vec<u8> {
        let word = |at: usize| self.words[self.skip + at / 4].load(Ordering::Relaxed).to_ne_bytes()[at % 4];
        (from..from + bytes).map(word).collect()
    }

    pub(crate) fn write(&self, to: usize, bytes: &[u8]) {
        for (i, byte) in bytes.iter().enumerate() {
            let at = to + i;
            let word = &self.words[self.skip + at / 4];
            let mut all = word.load(Ordering::Relaxed).to_ne_bytes();
            all[at % 4] = *byte;
            word.store(u32::from_ne_bytes(all), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staging_is_aligned_and_keeps_bytes_at_any_position() {
        let staging = Staging::new(10).unwrap();
        assert_eq!(staging.raw().host % 64, 0);
        staging.write(3, &[1, 2, 3, 4, 5]);
        assert_eq!(staging.read(2, 7), [0, 1, 2, 3, 4, 5, 0]);
    }

    #[test]
    fn impossible_staging_is_refused() {
        assert!(Staging::new(usize::MAX).is_none());
    }
}
