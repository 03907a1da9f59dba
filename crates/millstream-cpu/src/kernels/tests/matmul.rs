//! Products against `f64`, over shapes, strides and levels.

use millstream_hal::PhiloxKey;

use super::super::randn::randn;
use super::*;
use crate::Level;

fn normals(n: usize, sequence: u64) -> Vec<f32> {
    let mut x = vec![0.0; n];
    randn(Level::best(), PhiloxKey { seed: 1, sequence, offset: 0 }, 0, &mut x);
    x
}

fn product(out: &mut [f32], tiling: Tiling, a: &Factor<'_>, b: &Factor<'_>) {
    matmul(out, tiling, a, b);
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
        [(1, 1, 1), (64, 64, 64), (128, 1 << 20, 3), (257, 3000, 1025), (1, 1 << 20, 513), (1024, 1024, 1024)]
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
fn up_to_256_cubed_a_product_is_one_tile_and_beyond_it_bands_of_columns_then_of_rows() {
    let sides = |m, k, n| {
        let tiling = Tiling::of(m, k, n);
        (tiling.tiles(), tiling.rows, tiling.cols)
    };
    assert_eq!(sides(256, 256, 256), (1, 256, 256));
    assert_eq!(sides(1, 1 << 14, 1 << 10), (1, 1, 1 << 10));
    assert_eq!(sides(512, 512, 512), (2, 512, 256));
    assert_eq!(sides(1024, 1024, 1024), (8, 512, 256));
    assert_eq!(sides(4096, 1 << 20, 300), (32, 256, 192));
}

#[test]
fn tiles_in_any_order_on_any_threads_give_the_bits_of_one_thread() {
    let (m, k, n) = (700, 600, 520);
    let tiling = Tiling::of(m, k, n);
    assert!(tiling.tiles() > 1);
    let (a, b) = (normals(m * k, 5), normals(k * n, 6));
    let (a, b) = (Factor::new(&a, &dense(k), m, k), Factor::new(&b, &turned(k), k, n));
    let mut alone = vec![f32::NAN; m * n];
    matmul(&mut alone, tiling, &a, &b);
    for _ in 0..3 {
        let mut shared = vec![f32::NAN; m * n];
        let product = Product::new(&mut shared, tiling);
        std::thread::scope(|scope| {
            for tile in (0..tiling.tiles()).rev() {
                // SAFETY: the result lives until after the scope, and each index is used once.
                scope.spawn(move || unsafe { product.write_tile(tile, &a, &b) });
            }
        });
        assert!(shared.iter().zip(&alone).all(|(x, y)| x.to_bits() == y.to_bits()));
    }
}

#[test]
fn a_destructor_at_the_end_of_a_thread_gets_its_product() {
    static SEEN: millstream_sync::OnceLock<Vec<f32>> = millstream_sync::OnceLock::new();
    struct Late;
    impl Late {
        fn work() -> Vec<f32> {
            let (x, mut out) = (vec![1.0; 64 * 64], vec![0.0; 64 * 64]);
            let factor = Factor::new(&x, &dense(64), 64, 64);
            product(&mut out, Tiling::of(64, 64, 64), &factor, &factor);
            out
        }
    }
    impl Drop for Late {
        fn drop(&mut self) {
            // Later than the library's scratch buffer, which was made after this value.
            assert!(gemm_common::gemm::L2_SLAB.try_with(|_| ()).is_err());
            let _ = SEEN.set(Self::work());
        }
    }
    millstream_sync::thread_state! { static LATE: Late = Late }
    let thread = std::thread::spawn(|| {
        LATE.try_with(|_| ()).unwrap();
        Late::work();
    });
    thread.join().unwrap();
    assert_eq!(SEEN.get(), Some(&vec![64.0; 64 * 64]));
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
                    let exact: f64 = (0..k).map(|p| f64::from(x(&va, r, p)) * f64::from(x(&vb, p, c))).sum();
                    assert!((f64::from(out[r * n + c]) - exact).abs() < 1e-4, "{va:?} {vb:?} at {r}, {c}");
                }
            }
        }
    }
}
