//! Standard normal numbers: Philox words in pairs through Box-Muller (Box and Muller, 1958), in `f64`.
//!
//! Words `(w0, w1)` give `u = (w0 + 1) / 2^32` in (0, 1] and `v = w1 / 2^32` in [0, 1); the even element is
//! `sqrt(-2 ln u) cos(2 pi v)`, the odd one has the sine. No rejection: element `i` depends on its position alone.

use millstream_hal::PhiloxKey;

use super::philox::philox4x32_10;
use super::words::put_f32;

const SCALE: f64 = 1.0 / 4_294_967_296.0;

/// The two normals of one pair of words.
#[must_use]
pub fn normal_pair(w0: u32, w1: u32) -> [f64; 2] {
    let u = (f64::from(w0) + 1.0) * SCALE;
    let angle = std::f64::consts::TAU * f64::from(w1) * SCALE;
    let radius = (-2.0 * u.ln()).sqrt();
    [radius * angle.cos(), radius * angle.sin()]
}

pub(super) fn randn(elements: usize, key: PhiloxKey, out: &mut [u8]) {
    let halves = |x: u64| [x as u32, (x >> 32) as u32];
    for block in 0..elements.div_ceil(4) {
        let [c0, c1] = halves(key.offset.wrapping_add(block as u64));
        let [c2, c3] = halves(key.sequence);
        let words = philox4x32_10([c0, c1, c2, c3], halves(key.seed));
        let [a, b] = normal_pair(words[0], words[1]);
        let [c, d] = normal_pair(words[2], words[3]);
        for (i, value) in [a, b, c, d].into_iter().enumerate().take(elements - block * 4) {
            put_f32(out, block * 4 + i, value as f32);
        }
    }
}

#[cfg(test)]
mod tests {
    use millstream_hal::{Kernel, PhiloxKey};

    use crate::interpreter::interpret;
    use crate::testing::floats_of;

    fn randn(elements: usize, offset: u64) -> Vec<f32> {
        let mut out = vec![0; elements * 4];
        let key = PhiloxKey { seed: 7, sequence: 1, offset };
        interpret(&Kernel::Randn { elements, key }, &mut out, &[]).unwrap();
        floats_of(&out)
    }

    #[test]
    fn an_element_depends_on_its_position_alone() {
        assert_eq!(randn(64, 0)[40..], randn(24, 10));
        assert_eq!(randn(64, 0)[..5], randn(5, 0));
    }

    #[test]
    fn a_large_sample_has_mean_zero_and_variance_one() {
        let sample = randn(1 << 18, 0);
        let n = sample.len() as f64;
        let mean = sample.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
        let variance = sample.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n;
        assert!(mean.abs() < 5.0 / n.sqrt(), "mean {mean}");
        assert!((variance - 1.0).abs() < 8.0 / n.sqrt(), "variance {variance}");
    }

    #[test]
    fn the_extreme_words_are_finite() {
        for words in [(0, 0), (u32::MAX, u32::MAX), (0, u32::MAX)] {
            assert!(super::normal_pair(words.0, words.1).iter().all(|x| x.is_finite()));
        }
    }
}
