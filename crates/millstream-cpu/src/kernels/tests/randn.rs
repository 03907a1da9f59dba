//! Normal numbers against `f64`, over ranges, moments and levels.

use super::*;

const KEY: PhiloxKey = PhiloxKey { seed: 0x0123_4567_89ab_cdef, sequence: 7, offset: 1 << 40 };

fn reference(w: u32, v: u32) -> (f64, f64) {
    let radius = (-2.0 * ((f64::from(w) + 1.0) / 4_294_967_296.0).ln()).sqrt();
    let (sin, cos) = (f64::from(v) / 4_294_967_296.0 * std::f64::consts::TAU).sin_cos();
    (radius * cos, radius * sin)
}

/// Words that are hard: ends, powers of two, their neighbours, the border of the two logarithms, and many ordinary ones.
fn hard_words() -> Vec<u32> {
    let mut words = vec![0, 1, 2, u32::MAX, u32::MAX - 1, 0xb504_f3ff, 0xb504_f400, 0xb504_f401];
    for shift in 0..32 {
        for near in [-1i64, 0, 1] {
            words.push(((1i64 << shift) + near) as u32);
            words.push((-(1i64 << shift) + near) as u32);
        }
    }
    for i in 0..2000u32 {
        words.extend(philox::philox4x32_10([i, 0, 0, 0], [3, 4]));
    }
    words
}

#[test]
fn logarithm_and_sine_are_within_three_units_of_the_last_place() {
    let ulp = |x: f64| f64::from((x as f32).abs().next_up() - (x as f32).abs());
    let (mut log_worst, mut turn_worst) = (0f64, 0f64);
    for w in hard_words() {
        let exact: f64 = if w > 1 << 31 {
            (-f64::from(!w) / 4_294_967_296.0).ln_1p()
        } else {
            ((f64::from(w) + 1.0) / 4_294_967_296.0).ln()
        };
        log_worst = log_worst.max((f64::from(ln_uniform(w)) - exact).abs() / ulp(exact));
        let (sin, cos) = sin_cos_turn(w);
        let (exact_sin, exact_cos) = (f64::from(w) / 4_294_967_296.0 * std::f64::consts::TAU).sin_cos();
        // Near a zero of one of them the f64 reference itself has lost the last places: an absolute measure there.
        turn_worst = turn_worst.max((f64::from(sin) - exact_sin).abs() / ulp(exact_sin).max(1e-14));
        turn_worst = turn_worst.max((f64::from(cos) - exact_cos).abs() / ulp(exact_cos).max(1e-14));
    }
    assert!(log_worst < 3.0, "ln: {log_worst} ulp");
    assert!(turn_worst < 3.0, "sin, cos: {turn_worst} ulp");
}

#[test]
fn normals_agree_with_double_precision_also_in_the_tails() {
    let words = hard_words();
    let mut worst = 0f64;
    for (i, w) in words.iter().enumerate() {
        for v in [words[(i * 7 + 1) % words.len()], 0, 1 << 30, u32::MAX] {
            let (x, y) = box_muller(*w, v);
            assert!(
                x.is_finite() && y.is_finite() && x.abs() <= LARGEST && y.abs() <= LARGEST,
                "{w:#x} {v:#x}: {x} {y}"
            );
            let (ex, ey) = reference(*w, v);
            let radius = ex.hypot(ey);
            worst = worst.max((f64::from(x) - ex).abs().max((f64::from(y) - ey).abs()) / radius);
        }
    }
    assert!(worst < 3.0 * f64::from(f32::EPSILON), "error relative to the radius: {worst:e}");
}

#[test]
fn moments_are_those_of_the_standard_normal_distribution() {
    let mut x = vec![0f32; 1 << 21];
    randn(Level::best(), KEY, 0, &mut x);
    let n = x.len() as f64;
    let moment = |p: i32| x.iter().map(|v| f64::from(*v).powi(p)).sum::<f64>() / n;
    // Five standard errors of each moment.
    let bound = |variance: f64| 5.0 * (variance / n).sqrt();
    assert!(moment(1).abs() < bound(1.0));
    assert!((moment(2) - 1.0).abs() < bound(2.0));
    assert!(moment(3).abs() < bound(15.0));
    assert!((moment(4) - 3.0).abs() < bound(96.0));
    let beyond_two = x.iter().filter(|v| v.abs() > 2.0).count() as f64 / n;
    assert!((beyond_two - 0.045_500_26).abs() < bound(0.0434));
    let neighbours = x.windows(2).map(|w| f64::from(w[0]) * f64::from(w[1])).sum::<f64>() / n;
    assert!(neighbours.abs() < bound(1.0));
}

#[test]
fn an_element_does_not_depend_on_how_the_range_is_cut() {
    let mut whole = vec![0f32; 2111];
    randn(Level::best(), KEY, 0, &mut whole);
    for cuts in [vec![1usize], vec![3, 5, 6, 1024], vec![511, 512, 513, 2110], (1..2111).step_by(37).collect()] {
        let mut parts = vec![0f32; whole.len()];
        let mut from = 0;
        for to in cuts.into_iter().chain([whole.len()]) {
            randn(Level::best(), KEY, from as u64, &mut parts[from..to]);
            from = to;
        }
        assert_eq!(bits(&parts), bits(&whole));
    }
}

#[test]
fn every_level_gives_the_bits_of_the_scalar_one() {
    for n in [0, 1, 2, 3, 4, 5, 15, 63, 64, 65, 511, 512, 513, 1027] {
        for first in [0u64, 1, 6, (1 << 33) + 3] {
            let mut scalar = vec![0f32; n];
            randn(Level::SCALAR, KEY, first, &mut scalar);
            for level in Level::available() {
                let mut x = vec![f32::NAN; n];
                randn(level, KEY, first, &mut x);
                assert_eq!(bits(&x), bits(&scalar), "{} n {n} first {first}", level.name());
            }
        }
    }
}

#[test]
fn elements_follow_the_documented_order_of_words() {
    let mut x = vec![0f32; 9];
    randn(Level::best(), KEY, 2, &mut x);
    for (i, value) in x.iter().enumerate() {
        let element = i as u64 + 2;
        let w = philox::block(KEY, element / 4);
        let pair = if element % 4 < 2 { (w[0], w[1]) } else { (w[2], w[3]) };
        let (cos, sin) = reference(pair.0, pair.1);
        let expected = if element.is_multiple_of(2) { cos } else { sin };
        assert!((f64::from(*value) - expected).abs() < 1e-5);
    }
}

#[test]
fn the_counter_wraps_at_the_end_of_its_low_half() {
    let last = PhiloxKey { offset: u64::MAX, ..KEY };
    let mut x = vec![0f32; 8];
    randn(Level::best(), last, 0, &mut x);
    let mut y = vec![0f32; 4];
    randn(Level::best(), PhiloxKey { offset: 0, ..KEY }, 0, &mut y);
    assert_eq!(bits(&x[4..]), bits(&y));
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|v| v.to_bits()).collect()
}
