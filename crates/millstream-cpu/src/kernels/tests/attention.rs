//! Levels, parts and masks.

use half::f16;

use super::*;

fn number(i: usize) -> f64 {
    ((i * 2_654_435_761) % 1_000) as f64 / 250.0 - 2.0
}

/// The results of `[batch, tokens, heads, width]`, the tokens in parts of `part`.
fn run<S: Stored<Compute: Real>>(level: Level, shape: [usize; 4], part: usize, mask: Option<&[u8]>) -> Vec<S> {
    biased(level, shape, part, mask, None)
}

fn biased<S: Stored<Compute: Real>>(
    level: Level,
    shape: [usize; 4],
    part: usize,
    mask: Option<&[u8]>,
    bias: Option<&[S]>,
) -> Vec<S> {
    let elements = shape.iter().product();
    let [q, k, v]: [Vec<S>; 3] =
        std::array::from_fn(|n| (0..elements).map(|i| S::from_f64(number(i * 3 + n))).collect());
    let layout = Layout::contiguous(&shape).unwrap();
    let heads = |data| Heads::new(data, &layout);
    let with = Attention { q: heads(&q), k: heads(&k), v: heads(&v), mask, bias, scale: 0.3 };
    let mut out = vec![S::default(); elements];
    let each = shape[2] * shape[3];
    for (i, out) in out.chunks_mut(part * each).enumerate() {
        attention(level, out, i * part, &with);
    }
    out
}

const SHAPES: [[usize; 4]; 5] = [[1, 1, 1, 1], [2, 70, 2, 8], [1, 130, 1, 33], [3, 5, 2, 128], [1, 64, 3, 32]];

#[test]
fn every_level_gives_the_bits_of_the_scalar_one() {
    fn all<S: Stored<Compute: Real> + PartialEq + std::fmt::Debug>() {
        for shape in SHAPES {
            let whole = shape[0] * shape[1];
            let mask: Vec<u8> = (0..whole).map(|i| u8::from(i % 3 != 1)).collect();
            for mask in [None, Some(&mask[..])] {
                let wanted = run::<S>(Level::SCALAR, shape, whole, mask);
                for level in Level::available() {
                    assert_eq!(run::<S>(level, shape, whole, mask), wanted, "{} of {shape:?}", level.name());
                }
            }
        }
    }
    all::<f32>();
    all::<f64>();
    all::<f16>();
}

#[test]
fn a_query_has_the_same_bits_whatever_is_asked_for_with_it() {
    for shape in SHAPES {
        let wanted = run::<f32>(Level::best(), shape, shape[0] * shape[1], None);
        for part in [1, 3, 32, 50] {
            assert_eq!(run::<f32>(Level::best(), shape, part, None), wanted, "{shape:?} in parts of {part}");
        }
    }
}

#[test]
fn keys_that_do_not_count_change_nothing_and_without_any_there_are_zeros() {
    let shape = [1, 100, 1, 16];
    let mut mask = vec![1u8; 100];
    mask[70..].fill(0);
    let short = run::<f32>(Level::best(), [1, 70, 1, 16], 70, None);
    let masked = run::<f32>(Level::best(), shape, 100, Some(&mask));
    for (x, y) in short.iter().zip(&masked) {
        assert!((x - y).abs() < 1e-6, "{x} and {y}");
    }
    assert!(run::<f32>(Level::best(), shape, 100, Some(&[0; 100])).iter().all(|x| *x == 0.0));
    // The first block of keys has none that counts, the second has.
    mask.fill(0);
    mask[90] = 1;
    let one = run::<f32>(Level::best(), shape, 100, Some(&mask));
    assert!(one.chunks(16).all(|row| row == &one[..16]) && one.iter().any(|x| *x != 0.0));
}

#[test]
fn a_bias_of_minus_infinity_is_a_key_that_does_not_count() {
    for shape in SHAPES {
        let [batch, tokens, heads, _] = shape;
        let mask: Vec<u8> = (0..batch * tokens).map(|i| u8::from((i % tokens).is_multiple_of(3))).collect();
        let masked = run::<f32>(Level::best(), shape, batch * tokens, Some(&mask));
        // The same keys for every query and head, the others with one and the same number.
        let one = |i: usize| if (i % tokens).is_multiple_of(3) { 2.5 } else { f32::NEG_INFINITY };
        let bias: Vec<f32> = (0..heads * tokens * tokens).map(one).collect();
        for part in [batch * tokens, 3, 50] {
            let found = biased(Level::best(), shape, part, None, Some(&bias));
            let apart = found.iter().zip(&masked).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
            assert!(apart < 1e-5, "{shape:?} in parts of {part}: {apart}");
        }
    }
}

#[test]
fn a_bias_has_the_bits_of_the_scalar_level_whatever_is_asked_for_with_a_query() {
    for shape in SHAPES {
        let whole = shape[0] * shape[1];
        let bias: Vec<f32> = (0..shape[2] * shape[1] * shape[1]).map(|i| number(i * 7) as f32).collect();
        let mask: Vec<u8> = (0..whole).map(|i| u8::from(i % 3 != 1)).collect();
        let wanted = biased(Level::SCALAR, shape, whole, Some(&mask), Some(&bias));
        for (level, part) in Level::available().into_iter().zip([1, 3, 32, 50].into_iter().cycle()) {
            assert_eq!(biased(level, shape, part, Some(&mask), Some(&bias)), wanted, "{} of {shape:?}", level.name());
        }
    }
}
