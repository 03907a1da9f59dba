//! Uniform and standard normal numbers: Philox words, in pairs through Box-Muller (Box and Muller, 1958) for normals, in `f64`.
//!
//! Words `(w0, w1)` give `u = (w0 + 1) / 2^32` in (0, 1] and `v = w1 / 2^32` in [0, 1); the even element is
//! `sqrt(-2 ln u) cos(2 pi v)`, the odd one has the sine. No rejection: element `i` depends on its position alone.

use millstream_hal::{DType, PhiloxKey};

use super::number::{Number, write};
use super::philox::philox4x32_10;

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
    for i in 0..elements {
        let words = block(key, i / 4);
        let pair = i % 4 / 2 * 2;
        let value = normal_pair(words[pair], words[pair + 1])[i % 2];
        write(DType::F32, out, i, Number::Float(value));
    }
}

pub(super) fn uniform(elements: usize, low: f32, high: f32, key: PhiloxKey, out: &mut [u8]) {
    for i in 0..elements {
        let u = f64::from(block(key, i / 4)[i % 4] >> 8) / f64::from(1 << 24);
        let value = (u * f64::from(high - low) + f64::from(low)) as f32;
        write(DType::F32, out, i, Number::Float(f64::from(value.min(high.next_down()))));
    }
}

/// The four words of a block.
fn block(key: PhiloxKey, index: usize) -> [u32; 4] {
    let halves = |x: u64| [x as u32, (x >> 32) as u32];
    let ([c0, c1], [c2, c3]) = (halves(key.offset.wrapping_add(index as u64)), halves(key.sequence));
    philox4x32_10([c0, c1, c2, c3], halves(key.seed))
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
    fn uniform_numbers_fill_their_range_and_never_reach_its_end() {
        let key = PhiloxKey { seed: 7, sequence: 1, offset: 0 };
        for (low, high) in [(0.0f32, 1.0f32), (-3.0, 5.0), (1.0, 1.0f32.next_up()), (1e30, 1.000_001e30)] {
            let mut out = vec![0; 4 << 16];
            interpret(&Kernel::Uniform { elements: 1 << 16, low, high, key }, &mut out, &[]).unwrap();
            let sample = floats_of(&out);
            assert!(sample.iter().all(|x| (low..high).contains(x)), "{low}..{high}");
            let mean = sample.iter().map(|x| f64::from(*x)).sum::<f64>() / sample.len() as f64;
            let (middle, width) = ((f64::from(low) + f64::from(high)) / 2.0, f64::from(high) - f64::from(low));
            // Where the range has few numbers, all round the same way.
            assert!(
                (mean - middle).abs() < 0.01 * width + f64::from(high.abs() * f32::EPSILON),
                "{mean} in {low}..{high}"
            );
        }
    }

    #[test]
    fn the_extreme_words_are_finite() {
        for words in [(0, 0), (u32::MAX, u32::MAX), (0, u32::MAX)] {
            assert!(super::normal_pair(words.0, words.1).iter().all(|x| x.is_finite()));
        }
    }
}
