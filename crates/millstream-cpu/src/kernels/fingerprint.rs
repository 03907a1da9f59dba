//! A 64-bit hash over the bits of every element, by position.
//!
//! The definition is [`Kernel::fingerprint_of`]; being a wrapping sum, any partition gives the same value.

use millstream_hal::Kernel;

use crate::Level;
use crate::simd::Work;

/// The share of `words` in the hash of a buffer in which they begin at word `first`. The hash is the wrapping sum of all shares.
#[must_use]
pub fn fingerprint(level: Level, first: u64, words: &[u32]) -> u64 {
    level.run(Hash { first, words })
}

struct Hash<'a> {
    first: u64,
    words: &'a [u32],
}

impl Work for Hash<'_> {
    type Output = u64;

    #[inline(always)]
    fn run(self) -> u64 {
        let mut sum = 0u64;
        for (i, word) in self.words.iter().enumerate() {
            sum = sum.wrapping_add(Kernel::fingerprint_word(self.first.wrapping_add(i as u64), *word));
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_and_every_cut_gives_the_hash_of_the_definition() {
        for n in [0usize, 1, 7, 8, 9, 1000, 4097] {
            let words: Vec<u32> = (0..n).map(|i| (i as u32).wrapping_mul(0x9e37_79b9)).collect();
            let expected = Kernel::fingerprint_of(&words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>());
            for level in Level::available() {
                assert_eq!(fingerprint(level, 0, &words), expected, "{} {n}", level.name());
                let (a, b) = words.split_at(n / 3);
                let parts = fingerprint(level, 0, a).wrapping_add(fingerprint(level, a.len() as u64, b));
                assert_eq!(parts, expected, "{} {n}", level.name());
            }
        }
    }

    #[test]
    fn positions_beyond_32_bits_count() {
        let far = (1u64 << 32) + 5;
        assert_eq!(fingerprint(Level::best(), far, &[9]), Kernel::fingerprint_word(far, 9));
        assert_ne!(fingerprint(Level::best(), far, &[9]), fingerprint(Level::best(), 5, &[9]));
    }
}
