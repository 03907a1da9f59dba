//! Uniform numbers: the upper 24 bits of a Philox word, scaled.
//!
//! **Invariants**
//! * `element-knows-its-number`: the value of an element depends on key and index alone, never on where a range begins or ends.
//!
//! **Checked by** the tests below, and the conformance suite.

use millstream_hal::PhiloxKey;

use super::philox;
use crate::Level;
use crate::simd::Work;

/// Blocks per pass over the buffer on the stack.
const PASS: usize = 128;

/// Writes elements `first ..` of the sequence of `key`, from `low` up to but without `high`.
pub fn uniform(level: Level, key: PhiloxKey, [low, high]: [f32; 2], first: u64, out: &mut [f32]) {
    level.run(Numbers { key, low, span: high - low, last: high.next_down(), first, out });
}

struct Numbers<'a> {
    key: PhiloxKey,
    low: f32,
    span: f32,
    last: f32,
    first: u64,
    out: &'a mut [f32],
}

impl Work for Numbers<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        const SCALE: f32 = 1.0 / 16_777_216.0;
        let mut words = [[0u32; 4]; PASS];
        let mut block = self.first / 4;
        let mut skip = (self.first % 4) as usize;
        let mut out = self.out;
        while !out.is_empty() {
            let (left, right) = words.split_at_mut(PASS / 2);
            for (i, (left, right)) in left.iter_mut().zip(right).enumerate() {
                let at = block.wrapping_add(i as u64);
                let two = philox::packed_blocks(self.key, at, at.wrapping_add(PASS as u64 / 2));
                [*left, *right] =
                    two.map(|[even, odd]| [even as u32, odd as u32, (even >> 32) as u32, (odd >> 32) as u32]);
            }
            let all = &words.as_flattened()[skip..];
            let (part, rest) = out.split_at_mut(all.len().min(out.len()));
            for (out, word) in part.iter_mut().zip(all) {
                let u = (word >> 8) as f32 * SCALE;
                let value = u.mul_add(self.span, self.low);
                *out = if value > self.last { self.last } else { value };
            }
            out = rest;
            skip = 0;
            block = block.wrapping_add(PASS as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: PhiloxKey = PhiloxKey { seed: 3, sequence: 1 << 40, offset: u64::MAX - 5 };

    #[test]
    fn every_level_and_every_cut_gives_the_numbers_of_the_definition() {
        let wanted: Vec<f32> = (0..1500u64)
            .map(|i| {
                let word = philox::block(KEY, i / 4)[i as usize % 4];
                (word >> 8) as f32 / 16_777_216.0
            })
            .collect();
        for level in Level::available() {
            for cuts in [vec![], vec![1, 2, 7], vec![512, 513, 1499]] {
                let mut out = vec![-1.0; wanted.len()];
                let mut from = 0;
                for to in cuts.into_iter().chain([wanted.len()]) {
                    uniform(level, KEY, [0.0, 1.0], from as u64, &mut out[from..to]);
                    from = to;
                }
                assert_eq!(out, wanted, "{}", level.name());
            }
        }
    }

    #[test]
    fn the_end_of_a_narrow_range_is_never_reached() {
        for (low, high) in [(1.0f32, 1.0f32.next_up()), (-1e30, -0.999_999e30), (0.0, f32::MIN_POSITIVE)] {
            let mut out = [f32::NAN; 4096];
            uniform(Level::best(), KEY, [low, high], 0, &mut out);
            assert!(out.iter().all(|x| (low..high).contains(x)), "{low:e} {high:e}");
        }
    }
}
