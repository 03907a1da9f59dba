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

fn product(out: &mut [f32], tiling: Tiling, a: &Factor<'_, f32>, b: &Factor<'_, f32>) {
    matmul(out, tiling, a, b);
}

fn dense(rows: usize, cols: usize) -> Layout {
    Layout::contiguous(&[rows, cols]).unwrap()
}

fn turned(rows: usize, cols: usize) -> Layout {
    dense(cols, rows).transposed(0, 1)
}

#[test]
fn products_agree_with_double_precision_for_dense_and_transposed_factors() {
    for (m, k, n) in [(1, 1, 1), (3, 5, 7), (1, 64, 33), (64, 1, 2), (64, 64, 64), (65, 130, 37), (150, 300, 530)] {
        let (a, b) = (normals(m * k, 1), normals(k * n, 2));
        let (da, ta, db, tb) = (dense(m, k), turned(m, k), dense(k, n), turned(k, n));
        for (va, vb) in [(da, db), (ta, db), (da, tb), (ta, tb)] {
            let mut out = vec![f32::NAN; m * n];
            product(&mut out, Tiling::of(m, k, n), &Factor::new(&a, &va), &Factor::new(&b, &vb));
            for r in 0..m {
                for c in 0..n {
                    let (mut exact, mut absolute) = (0f64, 0f64);
                    for i in 0..k {
                        let x = f64::from(a[r * va.stride(0) + i * va.stride(1)]);
                        let y = f64::from(b[i * vb.stride(0) + c * vb.stride(1)]);
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
    product(&mut out, Tiling::of(3, 0, 4), &Factor::new(&[], &dense(3, 0)), &Factor::new(&[], &dense(0, 4)));
    assert_eq!(out, [0.0; 12]);
    for (m, n) in [(0, 4), (3, 0), (0, 0)] {
        assert_eq!(Tiling::of(m, 5, n).tiles(), 0);
        product(
            &mut [],
            Tiling::of(m, 5, n),
            &Factor::new(&[1.0; 15], &dense(m, 5)),
            &Factor::new(&[1.0; 20], &dense(5, n)),
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
    product(&mut out, Tiling::of(64, 64, 64), &Factor::new(&a, &dense(64, 64)), &Factor::new(&b, &dense(64, 64)));
    assert!(out[5 * 64..6 * 64].iter().all(|x| x.is_nan()));
    assert!(out[6 * 64..7 * 64].iter().all(|x| *x == f32::INFINITY));
    assert!(out[..5 * 64].iter().all(|x| *x == 64.0));
}

#[test]
#[should_panic(expected = "reaches")]
fn a_factor_that_reaches_outside_its_operand_is_refused() {
    let _ = Factor::new(&[0.0; 11], &dense(3, 4));
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
    let (a, b) = (Factor::new(&a, &dense(m, k)), Factor::new(&b, &turned(k, n)));
    let mut alone = vec![f32::NAN; m * n];
    matmul(&mut alone, tiling, &a, &b);
    for _ in 0..3 {
        let mut shared = vec![f32::NAN; m * n];
        let product = Product::new(&mut shared, 1, tiling);
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
            let factor = Factor::new(&x, &dense(64, 64));
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
fn views_with_an_offset_repeated_or_of_a_part_are_read_as_they_say() {
    let (m, k, n) = (30, 20, 40);
    let data = normals(20_000, 9);
    let part = |rows: usize, cols: usize, step: usize| {
        let wide = Layout::contiguous(&[rows + 2, 3 * cols, step]).unwrap();
        let narrow = |view: Layout, axis, from, n| view.narrowed(axis, from, n).unwrap();
        narrow(narrow(narrow(wide, 0, 1, rows), 1, cols, cols), 2, step - 1, 1).squeezed(2).unwrap()
    };
    let row = |rows: usize, cols: usize| dense(1, cols).broadcast_to(&[rows, cols]).unwrap();
    let one = |rows: usize, cols: usize| dense(1, 1).narrowed(0, 0, 1).unwrap().broadcast_to(&[rows, cols]).unwrap();
    let views = |rows, cols| {
        [
            part(rows, cols, 1),
            part(rows, cols, 3),
            part(cols, rows, 2).transposed(0, 1),
            row(rows, cols),
            one(rows, cols),
        ]
    };
    for va in views(m, k) {
        for vb in views(k, n) {
            let mut out = vec![f32::NAN; m * n];
            product(&mut out, Tiling::of(m, k, n), &Factor::new(&data, &va), &Factor::new(&data, &vb));
            let x = |v: &Layout, r: usize, c: usize| data[v.offset() + r * v.stride(0) + c * v.stride(1)];
            for r in 0..m {
                for c in 0..n {
                    let exact: f64 = (0..k).map(|p| f64::from(x(&va, r, p)) * f64::from(x(&vb, p, c))).sum();
                    assert!((f64::from(out[r * n + c]) - exact).abs() < 1e-4, "{va:?} {vb:?} at {r}, {c}");
                }
            }
        }
    }
}

#[test]
fn a_batch_is_one_product_after_the_other_also_with_a_repeated_factor() {
    let (batch, m, k, n) = ([3, 2], 5, 7, 6);
    let (a, b) = (normals(6 * m * k, 1), normals(3 * k * n, 2));
    let va = Layout::contiguous(&[3, 2, m, k]).unwrap();
    let vb = Layout::contiguous(&[3, 1, k, n]).unwrap().broadcast_to(&[3, 2, k, n]).unwrap();
    let mut all = vec![f32::NAN; 6 * m * n];
    product(&mut all, Tiling::of(m, k, n), &Factor::new(&a, &va), &Factor::new(&b, &vb));
    for i in 0..batch[0] * batch[1] {
        let (a, b) = (&a[i * m * k..][..m * k], &b[i / 2 * k * n..][..k * n]);
        let mut one = vec![f32::NAN; m * n];
        product(&mut one, Tiling::of(m, k, n), &Factor::new(a, &dense(m, k)), &Factor::new(b, &dense(k, n)));
        assert_eq!(all[i * m * n..][..m * n], one);
    }
}

#[test]
fn integers_wrap() {
    let mut out = [7; 4];
    integers(&mut out, 0, 2, 2, &[i64::MAX, 1, 2, 3], &[2, 0, 1, -1]);
    assert_eq!(out, [-1, -1, 7, -3]);
    integers(&mut out, 0, 0, 2, &[], &[]);
    assert_eq!(out, [0; 4]);
}

#[test]
fn how_factors_lie_changes_no_bit_also_of_thin_and_small_products() {
    for (m, k, n) in
        [(1, 3, 65), (1, 64, 8), (65, 64, 1), (2, 64, 65), (3, 2, 3), (16, 16, 16), (5, 3000, 7), (64, 64, 64)]
    {
        let (a, b) = (normals(m * k, 5), normals(k * n, 6));
        let a_turned: Vec<f32> = (0..k * m).map(|i| a[i % m * k + i / m]).collect();
        let b_turned: Vec<f32> = (0..k * n).map(|i| b[i % k * n + i / k]).collect();
        let run = |a: &Factor<'_, f32>, b: &Factor<'_, f32>| {
            let mut out = vec![f32::NAN; m * n];
            product(&mut out, Tiling::of(m, k, n), a, b);
            out.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        };
        let (dense_a, dense_b) = (dense(m, k), dense(k, n));
        let (turned_a, turned_b) = (turned(m, k), turned(k, n));
        let left = [Factor::new(&a, &dense_a), Factor::new(&a_turned, &turned_a)];
        let right = [Factor::new(&b, &dense_b), Factor::new(&b_turned, &turned_b)];
        let wanted = run(&left[0], &right[0]);
        for (i, j) in [(0, 1), (1, 0), (1, 1)] {
            assert_eq!(run(&left[i], &right[j]), wanted, "[{m}, {k}] x [{k}, {n}], turned: {i} {j}");
        }
    }
}
