//! Counter-based random numbers: the same whatever the thread, stream, backend or schedule.

use millstream_hal::PhiloxKey;

/// A position in the stream of Philox4x32-10 (Salmon et al., SC11): seed, sequence, offset. Drawing needs `&mut`, so two threads cannot draw the same numbers by accident: give each
/// a [`Generator::split`] of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generator {
    seed: u64,
    sequence: u64,
    offset: u64,
}

impl Generator {
    /// Sequence 0 of `seed`, from its start.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, sequence: 0, offset: 0 }
    }

    /// An independent sequence of the same seed, from its start. `split(i)` of equal generators are equal.
    #[must_use]
    pub fn split(&self, i: u64) -> Self {
        // SplitMix64's finaliser spreads (sequence, i) over all sequences.
        let mut z = self.sequence.wrapping_add(i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self { seed: self.seed, sequence: z ^ (z >> 31), offset: 0 }
    }

    /// The position of the next `elements` numbers; later calls come after them.
    pub(crate) fn advance(&mut self, elements: usize) -> PhiloxKey {
        let key = PhiloxKey { seed: self.seed, sequence: self.sequence, offset: self.offset };
        self.offset = self.offset.wrapping_add(elements.div_ceil(4) as u64);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_each_other_and_splits_are_apart() {
        let mut g = Generator::new(7);
        assert_eq!(g.advance(5), PhiloxKey { seed: 7, sequence: 0, offset: 0 });
        assert_eq!(g.advance(1).offset, 2);
        let sequences: std::collections::HashSet<u64> =
            (0..1000).map(|i| Generator::new(7).split(i).advance(1).sequence).collect();
        assert_eq!(sequences.len(), 1000);
        assert_eq!(Generator::new(7).split(3), g.split(3));
    }
}
