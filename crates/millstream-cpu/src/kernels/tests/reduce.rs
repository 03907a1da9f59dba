//! Reductions against `f64` and a second telling of the tree, over sizes, strides and levels.

use half::bf16;
use millstream_hal::{Layout, PhiloxKey};

use super::super::fold::{Max, Ordered, Sum};
use super::super::randn::randn;
use super::*;

fn normals(n: usize) -> Vec<f32> {
    let mut x = vec![0.0; n];
    randn(Level::best(), PhiloxKey { seed: 5, sequence: 6, offset: 7 }, 0, &mut x);
    x
}

/// The sum of a whole view.
fn sum_of(level: Level, view: &View<'_, f32>) -> f32 {
    let mut out = [7.0];
    rows::<Sum<f32>>(level, view, view.len(), 0, &mut out);
    out[0]
}

const SIZES: [usize; 17] = [
    1,
    2,
    3,
    63,
    64,
    65,
    127,
    1023,
    1024,
    1025,
    2048,
    5000,
    CHUNK - 1,
    CHUNK,
    CHUNK + 1,
    3 * CHUNK + 1025,
    7 * CHUNK + 64,
];

#[test]
fn the_error_stays_below_four_log_n_roundings() {
    for n in SIZES {
        for x in [normals(n), (0..n).map(|i| 1.0 / (1.0 + i as f32)).collect(), vec![0.1; n]] {
            let exact: f64 = x.iter().map(|v| f64::from(*v)).sum();
            let absolute: f64 = x.iter().map(|v| f64::from(*v).abs()).sum();
            let sum = f64::from(sum_of(Level::best(), &View::of(&x)));
            let bound = 4.0 * (n as f64).log2() * f64::from(f32::EPSILON) * absolute;
            assert!((sum - exact).abs() <= bound, "n {n}: {sum} against {exact}, bound {bound:e}");
        }
    }
}

#[test]
fn every_level_gives_the_bits_of_the_scalar_one() {
    for n in SIZES {
        let x = normals(n);
        let scalar = sum_of(Level::SCALAR, &View::of(&x));
        for level in Level::available() {
            assert_eq!(sum_of(level, &View::of(&x)).to_bits(), scalar.to_bits(), "{} {n}", level.name());
        }
    }
}

#[test]
fn a_strided_view_adds_in_the_tree_of_its_copy() {
    for (rows, cols) in [(3, 5), (64, 17), (129, 1031), (257, 300)] {
        let x = normals(rows * cols);
        let view = View::new(&x, &Layout::contiguous(&[rows, cols]).unwrap().transposed(0, 1));
        let mut copy = vec![0.0; x.len()];
        view.gather(0, &mut copy);
        let strided = sum_of(Level::best(), &view);
        assert_eq!(strided.to_bits(), sum_of(Level::best(), &View::of(&copy)).to_bits());
    }
}

#[test]
fn the_tree_is_the_documented_one() {
    // Written down a second time, by recursion from the top.
    fn node(x: &[f32]) -> [f32; LANES] {
        let mut sum = [0f32; LANES];
        if x.len() <= BLOCK {
            x.iter().enumerate().for_each(|(i, v)| sum[i % LANES] += v);
        } else {
            // The left half is the largest complete subtree that leaves something to the right.
            let left = (x.len().div_ceil(BLOCK).next_power_of_two() / 2) * BLOCK;
            let (l, r) = (node(&x[..left]), node(&x[left..]));
            (0..LANES).for_each(|i| sum[i] = l[i] + r[i]);
        }
        sum
    }
    for n in SIZES {
        let x = normals(n);
        let mut lanes = node(&x);
        let mut width = LANES / 2;
        while width > 0 {
            (0..width).for_each(|i| lanes[i] += lanes[i + width]);
            width /= 2;
        }
        assert_eq!(sum_of(Level::best(), &View::of(&x)).to_bits(), lanes[0].to_bits(), "n {n}");
    }
}

#[test]
fn nothing_sums_to_zero() {
    assert_eq!(sum_of(Level::best(), &View::of(&[])).to_bits(), 0);
    assert_eq!(sum_of(Level::best(), &View::of(&[-0.0])).to_bits(), 0);
}

#[test]
fn nan_and_infinity_reach_the_sum_from_any_place() {
    for n in [1, 65, 1025, CHUNK + 3] {
        for at in [0, n / 2, n - 1] {
            let mut x = vec![1.0; n];
            x[at] = f32::INFINITY;
            assert_eq!(sum_of(Level::best(), &View::of(&x)), f32::INFINITY);
            x[at] = f32::NAN;
            assert!(sum_of(Level::best(), &View::of(&x)).is_nan());
        }
    }
}

#[test]
fn many_short_rows_are_each_the_sum_of_a_row() {
    for each in [1, 2, 3, 7, 8, 9, 63, 64, 65, 100, 1000, 1024, 1025, 3000] {
        let count = 5000usize.div_ceil(each);
        let x = normals(each * count);
        let wanted: Vec<u32> =
            x.chunks_exact(each).map(|row| sum_of(Level::SCALAR, &View::of(row)).to_bits()).collect();
        let turned: Vec<f32> = (0..x.len()).map(|i| x[i % count * each + i / count]).collect();
        let turned_layout = Layout::contiguous(&[each, count]).unwrap().transposed(0, 1);
        for level in Level::available() {
            for view in [View::of(&x), View::new(&turned, &turned_layout)] {
                let mut out = vec![7.0; count];
                rows::<Sum<f32>>(level, &view, each, 0, &mut out);
                assert_eq!(out.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), wanted, "{} {each}", level.name());
                let from = count / 3;
                rows::<Sum<f32>>(level, &view, each, from, &mut out[from..]);
                assert_eq!(out.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), wanted, "{} {each}", level.name());
            }
        }
    }
}

#[test]
fn halves_are_summed_in_single_precision_and_integers_wrap() {
    let x: Vec<bf16> = normals(5000).into_iter().map(bf16::from_f32).collect();
    let wide: Vec<f32> = x.iter().map(|x| x.to_f32()).collect();
    let mut sum = [7.0];
    rows::<Sum<bf16>>(Level::best(), &View::of(&x), x.len(), 0, &mut sum);
    assert_eq!(sum[0].to_bits(), sum_of(Level::best(), &View::of(&wide)).to_bits());
    let mut total = [7i64];
    rows::<Sum<u8>>(Level::best(), &View::of(&[255u8; 3000]), 3000, 0, &mut total);
    assert_eq!(total, [255 * 3000]);
    rows::<Sum<i64>>(Level::best(), &View::of(&[i64::MAX, 2]), 2, 0, &mut total);
    assert_eq!(total, [i64::MIN + 1]);
}

#[test]
fn the_greatest_is_found_wherever_it_is_and_a_nan_is_above_all() {
    let greatest = |x: &[f32]| {
        let mut key = [0];
        rows::<Max<f32>>(Level::best(), &View::of(x), x.len(), 0, &mut key);
        let value = f32::of_key(key[0]);
        (value, first_equal(Level::best(), &View::of(x), 0, x.len(), value))
    };
    for n in [1, 2, 64, 65, 1025, CHUNK + 3] {
        for at in [0, n / 2, n - 1] {
            let mut x = vec![-5.5; n];
            x[at] = -2.25;
            assert_eq!(greatest(&x), (-2.25, at), "n {n}");
            x[at] = f32::NAN;
            let (value, index) = greatest(&x);
            assert!(value.is_nan() && index == at, "n {n}: {value} at {index}");
        }
    }
    assert_eq!(greatest(&[f32::NEG_INFINITY; 70]), (f32::NEG_INFINITY, 0));
    let (zero, index) = greatest(&[-1.0, -0.0, 0.0]);
    assert_eq!((zero.to_bits(), index), (0, 1));
    assert_eq!(greatest(&[-0.0, -0.0]).0.to_bits(), (-0.0f32).to_bits());
    let mut key = [0i64];
    rows::<Max<f64>>(Level::best(), &View::of(&[-1.0, -f64::NAN, 2.0]), 3, 0, &mut key);
    assert!(f64::of_key(key[0]).is_nan());
}
