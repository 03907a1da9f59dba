//! Products against `f64`, over shapes, strides and levels.

use millstream_hal::PhiloxKey;

use super::super::randn::randn;
use super::*;

fn normals(n: usize, sequence: u64) -> Vec<f32> {
    let mut x = vec![0.0; n];
    randn(Level::best(), PhiloxKey { seed: 1, sequence, offset: 0 }, 0, &mut x);
    x
}

fn product(out: &mut [f32], tiling: Tiling, a: &Factor<'_>, b: &Factor<'_>) {
    matmul(Level::best(), out, tiling, a, b, &mut Scratch::default());
}

fn dense(cols: usize) -> MatrixView {
    MatrixView { offset: 0, row_stride: cols as i64, col_stride: 1 }
}

fn turned(rows: usize) -> MatrixView {
    MatrixView { offset: 0, row_stride: 1, col_stride: rows as i64 }
}

#[test]
fn products_agree_with_double_precision_for_dense_and_transposed_factors() {
    for (m, k, n) in [(1, 1, 1), (3, 5, 7), (1, 64, 33), (64, 1, 2), (64, 64, 64), (65, 130, 37), (150, 300, 530)] {
        let (a, b) = (normals(m * k, 1), normals(k * n, 2));
        for (va, vb) in [(dense(k), dense(n)), (turned(m), dense(n)), (dense(k), turned(k)), (turned(m), turned(k))] {
            let mut out = vec![f32::NAN; m * n];
            product(&mut out, Tiling::of(m, k, n), &Factor::new(&a, &va, m, k), &Factor::new(&b, &vb, k, n));
            for r in 0..m {
                for c in 0..n {
                    let (mut exact, mut absolute) = (0f64, 0f64);
                    for i in 0..k {
                        let x = f64::from(a[r * va.row_stride as usize + i * va.col_stride as usize]);
                        let y = f64::from(b[i * vb.row_stride as usize + c * vb.col_stride as usize]);
                        exact += x * y;
                        absolute += (x * y).abs();
                    }
                    let error = (f64::from(out[r * n + c]) - exact).abs();
                    assert!(
                        error <= absolute * (k as f64).sqrt() * 4.0 * f64::from(f32::EPSILON),
                        "{m} {k} {n} at {r}, {c}"
                    );
                }
            }
        }
    }
}

#[test]
fn no_terms_give_zeros_and_no_elements_nothing() {
    let mut out = vec![f32::NAN; 12];
    product(&mut out, Tiling::of(3, 0, 4), &Factor::new(&[], &dense(0), 3, 0), &Factor::new(&[], &dense(4), 0, 4));
    assert_eq!(out, [0.0; 12]);
    for (m, n) in [(0, 4), (3, 0), (0, 0)] {
        assert_eq!(Tiling::of(m, 5, n).tiles(), 0);
        product(
            &mut [],
            Tiling::of(m, 5, n),
            &Factor::new(&[1.0; 15], &dense(5), m, 5),
            &Factor::new(&[1.0; 20], &dense(n), 5, n),
        );
    }
}

#[test]
fn tiles_cover_each_element_once() {
    for (m, k, n) in
        [(1, 1, 1), (64, 64, 64), (128, 1 << 16, 3), (257, 300, 1025), (1, 1 << 20, 513), (1024, 1024, 1024)]
    {
        let tiling = Tiling::of(m, k, n);
        let mut seen = vec![0u8; m * n];
        for i in 0..tiling.tiles() {
            let (row, col, rows, cols) = tiling.tile(i);
            (row..row + rows).for_each(|r| seen[r * n + col..r * n + col + cols].iter_mut().for_each(|s| *s += 1));
        }
        assert!(seen.iter().all(|s| *s == 1), "{m} {k} {n}");
    }
}

#[test]
fn nan_and_infinity_reach_the_result() {
    let (mut a, b) = (vec![1.0; 64 * 64], vec![1.0; 64 * 64]);
    a[5 * 64 + 7] = f32::NAN;
    a[6 * 64 + 63] = f32::INFINITY;
    let mut out = vec![0.0; 64 * 64];
    product(
        &mut out,
        Tiling::of(64, 64, 64),
        &Factor::new(&a, &dense(64), 64, 64),
        &Factor::new(&b, &dense(64), 64, 64),
    );
    assert!(out[5 * 64..6 * 64].iter().all(|x| x.is_nan()));
    assert!(out[6 * 64..7 * 64].iter().all(|x| *x == f32::INFINITY));
    assert!(out[..5 * 64].iter().all(|x| *x == 64.0));
}

#[test]
#[should_panic(expected = "reaches")]
fn a_factor_that_reaches_outside_its_operand_is_refused() {
    let _ = Factor::new(&[0.0; 11], &dense(4), 3, 4);
}

#[test]
fn every_level_and_every_cut_gives_the_bits_of_the_documented_sum() {
    for (m, k, n) in
        [(1, 5, 1), (13, 257, 33), (12, 256, 32), (25, 600, 65), (100, 513, 96), (200, 40, 530), (260, 300, 260)]
    {
        let (a, b) = (normals(m * k, 3), normals(k * n, 4));
        let mut expected = vec![0f32; m * n];
        for r in 0..m {
            for c in 0..n {
                for first in (0..k).step_by(BLOCK) {
                    let block = first..k.min(first + BLOCK);
                    let chain = block.fold(0f32, |sum, p| a[r * k + p].mul_add(b[p * n + c], sum));
                    expected[r * n + c] = if first == 0 { chain } else { expected[r * n + c] + chain };
                }
            }
        }
        for level in Level::available() {
            for tiling in [Tiling::of(m, k, n), Tiling { m, k, n, rows: 7, cols: 50 }] {
                let mut out = vec![f32::NAN; m * n];
                let (a, b) = (Factor::new(&a, &dense(k), m, k), Factor::new(&b, &dense(n), k, n));
                matmul(level, &mut out, tiling, &a, &b, &mut Scratch::default());
                let same = out.iter().zip(&expected).all(|(x, y)| x.to_bits() == y.to_bits());
                assert!(same, "{} {m} {k} {n} {tiling:?}", level.name());
            }
        }
    }
}

#[test]
fn views_with_an_offset_and_any_strides_are_read_as_they_say() {
    let (m, k, n) = (30, 20, 40);
    let data = normals(20_000, 9);
    let views = [
        MatrixView { offset: 17, row_stride: 101, col_stride: 2 },
        MatrixView { offset: 9000, row_stride: -150, col_stride: 3 },
        MatrixView { offset: 4000, row_stride: 50, col_stride: -1 },
        MatrixView { offset: 5, row_stride: 0, col_stride: 0 },
        MatrixView { offset: 5, row_stride: 60, col_stride: 1 },
    ];
    for va in views {
        for vb in views {
            let mut out = vec![f32::NAN; m * n];
            product(&mut out, Tiling::of(m, k, n), &Factor::new(&data, &va, m, k), &Factor::new(&data, &vb, k, n));
            let x = |v: &MatrixView, r: usize, c: usize| {
                data[(v.offset as i64 + r as i64 * v.row_stride + c as i64 * v.col_stride) as usize]
            };
            for r in 0..m {
                for c in 0..n {
                    let chain = (0..k).fold(0f32, |sum, p| x(&va, r, p).mul_add(x(&vb, p, c), sum));
                    assert_eq!(out[r * n + c].to_bits(), chain.to_bits(), "{va:?} {vb:?}");
                }
            }
        }
    }
}
