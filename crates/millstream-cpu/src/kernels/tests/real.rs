//! The functions against `f64`, and `f64` against libm.

use super::*;

/// Floats of all sizes, both signs, and what is special.
fn points() -> Vec<f32> {
    let mut all =
        vec![0.0, -0.0, 1.0, -1.0, f32::MIN_POSITIVE, f32::MAX, f32::from_bits(1), 88.722_84, 88.8, -103.9, -104.1];
    all.extend((0..1 << 16).map(|i| f32::from_bits((i << 15) + 0x1234)));
    all.extend((0..1 << 16).map(|i| f32::from_bits(0x8000_0000 | ((i << 15) + 0x0987))));
    all.extend((0..40_000).map(|i| (i as f32 - 20_000.0) * 0.005_3));
    all.retain(|x| x.is_finite());
    all
}

fn ulp(x: f64) -> f64 {
    let near = (x as f32).abs();
    f64::from(near.next_up() - near)
}

#[track_caller]
fn worst_of(name: &str, most: f64, function: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64) {
    let (mut worst, mut at) = (0.0, 0.0);
    for x in points() {
        let (got, wanted) = (function(x), exact(f64::from(x)));
        if wanted.is_nan() || (wanted as f32).is_infinite() {
            assert!(
                got.is_nan() == wanted.is_nan() && (got.is_nan() || got == wanted as f32),
                "{name}({x:e}) is {got:e}"
            );
            continue;
        }
        let error = (f64::from(got) - wanted).abs() / ulp(wanted);
        if error > worst {
            (worst, at) = (error, x);
        }
    }
    assert!(worst <= most, "{name}: {worst} units of the last place at {at:e}");
    println!("{name}: {worst:.3} at {at:e}");
}

#[test]
fn single_precision_is_within_its_units_of_the_last_place() {
    worst_of("exp", 1.5, Real::exp, f64::exp);
    worst_of("ln", 2.0, Real::ln, f64::ln);
    worst_of("tanh", 2.5, Real::tanh, f64::tanh);
    worst_of("sqrt", 0.5, Real::sqrt, f64::sqrt);
    worst_of("erf", 1.5, Real::erf, libm::erf);
}

#[track_caller]
fn worst_of_doubles(name: &str, most: f64, function: impl Fn(f64) -> f64, libm: impl Fn(f64) -> f64) {
    let (mut worst, mut at) = (0.0f64, 0.0);
    for x in points() {
        // Not an f32: the low bits count too. Near the ends of exp also beyond the range of f32.
        for x in [f64::from(x) * 1.000_000_123_456_7, f64::from(x) * 7.987_654_321] {
            let (got, wanted) = (function(x), libm(x));
            if !wanted.is_finite() {
                assert!(got == wanted || got.is_nan() && wanted.is_nan(), "{name}({x:e}) is {got:e}");
                continue;
            }
            let error = (got - wanted).abs() / (wanted.abs().next_up() - wanted.abs());
            if error > worst {
                (worst, at) = (error, x);
            }
        }
    }
    assert!(worst <= most, "{name}: {worst} units of the last place at {at:e}");
    println!("{name} of doubles: {worst:.3} at {at:e}");
}

#[test]
fn double_precision_is_within_its_units_of_the_last_place() {
    worst_of_doubles("exp", 2.0, Real::exp, f64::exp);
    worst_of_doubles("ln", 2.0, Real::ln, f64::ln);
    worst_of_doubles("tanh", 5.0, Real::tanh, f64::tanh);
}

#[test]
fn what_is_no_number_or_out_of_range_gives_what_ieee_says() {
    assert!(Real::exp(f32::NAN).is_nan() && Real::tanh(f32::NAN).is_nan() && Real::ln(f32::NAN).is_nan());
    assert_eq!((Real::exp(f32::INFINITY), Real::exp(f32::NEG_INFINITY)), (f32::INFINITY, 0.0));
    assert_eq!((Real::tanh(f32::INFINITY), Real::tanh(f32::NEG_INFINITY)), (1.0, -1.0));
    assert_eq!(Real::tanh(-0.0f32).to_bits(), (-0.0f32).to_bits());
    assert_eq!(
        (Real::ln(f32::INFINITY), Real::ln(0.0f32), Real::ln(-0.0f32)),
        (f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY)
    );
    assert!(Real::ln(-1.0f32).is_nan() && Real::ln(f32::NEG_INFINITY).is_nan());
    assert!(Real::exp(f64::NAN).is_nan() && Real::tanh(f64::NAN).is_nan() && Real::ln(f64::NAN).is_nan());
    assert_eq!((Real::exp(f64::INFINITY), Real::exp(f64::NEG_INFINITY)), (f64::INFINITY, 0.0));
    assert_eq!((Real::exp(709.7f64).is_finite(), Real::exp(710.0f64)), (true, f64::INFINITY));
    assert_eq!((Real::exp(-744.4f64), Real::exp(-746.5f64)), (f64::from_bits(1), 0.0));
    assert_eq!(Real::ln(f64::from_bits(1)), f64::from_bits(1).ln());
    assert!(Real::ln(-1.0f64).is_nan());
    assert_eq!((Real::erf(f32::INFINITY), Real::erf(f32::NEG_INFINITY)), (1.0, -1.0));
    assert!(Real::erf(f32::NAN).is_nan() && Real::gelu(f32::NAN).is_nan() && Real::gelu_tanh(f32::NAN).is_nan());
    assert_eq!((Real::gelu(f32::INFINITY), Real::gelu_tanh(f32::MAX)), (f32::INFINITY, f32::MAX));
}

#[test]
fn the_error_function_has_the_values_of_the_tables() {
    // Abramowitz, Stegun, table 7.1.
    for (x, y) in [(0.1, 0.112_462_916_0), (0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (2.0, 0.995_322_265_0)] {
        assert!((Real::erf(x) - y).abs() < 1e-10, "erf({x})");
        assert!((f64::from(Real::erf(x as f32)) - y).abs() < 1e-7, "erf({x}) of single precision");
        assert_eq!(Real::erf(-x), -Real::erf(x));
    }
}
