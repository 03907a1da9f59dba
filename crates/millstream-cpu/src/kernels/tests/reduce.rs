//! Sums against `f64`, over sizes, strides and levels.

use millstream_hal::{Layout, PhiloxKey};

use super::super::randn::randn;
use super::*;

fn normals(n: usize) -> Vec<f32> {
    let mut x = vec![0.0; n];
    randn(Level::best(), PhiloxKey { seed: 5, sequence: 6, offset: 7 }, 0, &mut x);
    x
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
            let sum = f64::from(reduce(Level::best(), ReduceOp::Sum, &View::of(&x)));
            let bound = 4.0 * (n as f64).log2() * f64::from(f32::EPSILON) * absolute;
            assert!((sum - exact).abs() <= bound, "n {n}: {sum} against {exact}, bound {bound:e}");
            let mean = f64::from(reduce(Level::best(), ReduceOp::Mean, &View::of(&x)));
            assert!(
                (mean - exact / n as f64).abs()
                    <= bound / n as f64 + f64::from(f32::EPSILON) * (exact / n as f64).abs()
            );
        }
    }
}

#[test]
fn every_level_gives_the_bits_of_the_scalar_one() {
    for n in SIZES {
        let x = normals(n);
        let scalar = reduce(Level::SCALAR, ReduceOp::Sum, &View::of(&x));
        for level in Level::available() {
            assert_eq!(reduce(level, ReduceOp::Sum, &View::of(&x)).to_bits(), scalar.to_bits(), "{} {n}", level.name());
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
        let strided = reduce(Level::best(), ReduceOp::Sum, &view);
        assert_eq!(strided.to_bits(), reduce(Level::best(), ReduceOp::Sum, &View::of(&copy)).to_bits());
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
        assert_eq!(reduce(Level::best(), ReduceOp::Sum, &View::of(&x)).to_bits(), lanes[0].to_bits(), "n {n}");
    }
}

#[test]
fn nothing_sums_to_zero_and_has_no_mean() {
    assert_eq!(reduce(Level::best(), ReduceOp::Sum, &View::of(&[])).to_bits(), 0);
    assert!(reduce(Level::best(), ReduceOp::Mean, &View::of(&[])).is_nan());
}

#[test]
fn nan_and_infinity_reach_the_sum_from_any_place() {
    for n in [1, 65, 1025, CHUNK + 3] {
        for at in [0, n / 2, n - 1] {
            let mut x = vec![1.0; n];
            x[at] = f32::INFINITY;
            assert_eq!(reduce(Level::best(), ReduceOp::Sum, &View::of(&x)), f32::INFINITY);
            x[at] = f32::NAN;
            assert!(reduce(Level::best(), ReduceOp::Sum, &View::of(&x)).is_nan());
        }
    }
}
