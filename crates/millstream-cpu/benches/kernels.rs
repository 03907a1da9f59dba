//! Speed of the kernels: nanoseconds per element and GFLOP/s, the best of many runs on one thread.
#![expect(unsafe_code, reason = "the library takes pointers")]

use std::time::Instant;

use millstream_cpu::Level;
use millstream_cpu::kernels::matmul::{Factor, Tiling};
use millstream_cpu::kernels::{copy, elementwise, fill, fingerprint, matmul, randn, reduce, view::View};
use millstream_hal::{BinaryOp, Layout, PhiloxKey, UnaryOp};

/// Best nanoseconds of one call.
fn best(mut work: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    let begin = Instant::now();
    let mut repeat = 1u32;
    while begin.elapsed().as_millis() < 100 {
        let start = Instant::now();
        (0..repeat).for_each(|_| work());
        let ns = start.elapsed().as_nanos() as f64;
        best = best.min(ns / f64::from(repeat));
        if ns < 2e4 {
            repeat *= 2;
        }
    }
    best
}

/// Square products on one thread: as they are cut, and by one call of the library.
fn products() {
    println!("GFLOP/s of square products: cut by shape, in one call");
    for n in [16usize, 32, 64, 128, 256, 512, 1024, 2048] {
        let (a, b, mut out) = (vec![1.5f32; n * n], vec![0.5f32; n * n], vec![0f32; n * n]);
        let dense = Layout::contiguous(&[n, n]).expect("a small shape");
        let (mut cut, mut whole) = (f64::MAX, f64::MAX);
        for _ in 0..4 {
            cut = cut.min(best(|| {
                let (a, b) = (Factor::new(&a, &dense), Factor::new(&b, &dense));
                matmul::matmul(std::hint::black_box(&mut out), Tiling::of(n, n, n), &a, &b);
            }));
            whole = whole.min(best(|| reference(n, &a, &b, std::hint::black_box(&mut out))));
        }
        let flops = 2.0 * (n as f64).powi(3);
        println!("  {n:5} {:6.1} {:6.1}", flops / cut, flops / whole);
    }
}

fn reference(n: usize, a: &[f32], b: &[f32], out: &mut [f32]) {
    let row = n as isize;
    let (to, a, b) = (out.as_mut_ptr(), a.as_ptr(), b.as_ptr());
    let alone = gemm::Parallelism::None;
    // SAFETY: three dense matrices of n rows and n columns.
    unsafe { gemm::gemm(n, n, n, to, 1, row, false, a, 1, row, b, 1, row, 0.0, 1.0, false, false, false, alone) };
}

fn sum(level: Level, view: &View<'_, f32>) -> f32 {
    let mut out = [0.0];
    reduce::rows::<reduce::Sum<f32>>(level, view, view.len(), 0, &mut out);
    out[0]
}

fn ignore<T>(_: T) {}

fn main() {
    const N: usize = 4096;
    let key = PhiloxKey { seed: 1, sequence: 2, offset: 3 };
    let (mut x, a, b) = (vec![0f32; N], vec![1.5f32; N], vec![2.5f32; N]);
    let square = Layout::contiguous(&[64, 64]).expect("a small shape").transposed(0, 1);
    products();
    println!("ns per element, {N} elements in cache");
    for level in Level::available() {
        let line = [
            ("randn", best(|| randn::randn(level, key, 0, std::hint::black_box(&mut x)))),
            (
                "add",
                best(|| {
                    elementwise::binary(
                        level,
                        BinaryOp::Add,
                        &mut x,
                        0,
                        &View::of(std::hint::black_box(&a)),
                        &View::of(&b),
                    )
                }),
            ),
            ("exp", best(|| elementwise::unary_of_floats(level, UnaryOp::Exp, &mut x, 0, &View::of(&a)))),
            ("log", best(|| elementwise::unary_of_floats(level, UnaryOp::Log, &mut x, 0, &View::of(&a)))),
            ("tanh", best(|| elementwise::unary_of_floats(level, UnaryOp::Tanh, &mut x, 0, &View::of(&a)))),
            ("sum", best(|| ignore(std::hint::black_box(sum(level, &View::of(std::hint::black_box(&a))))))),
            (
                "sum of a transposed view",
                best(|| ignore(std::hint::black_box(sum(level, &View::new(std::hint::black_box(&a), &square))))),
            ),
            (
                "fingerprint",
                best(|| {
                    ignore(std::hint::black_box(fingerprint::fingerprint(level, 0, std::hint::black_box(&[7; N]))))
                }),
            ),
            ("fill", best(|| fill::fill(std::hint::black_box(&mut x), 1.0))),
            (
                "copy of a transposed view",
                best(|| copy::copy(std::hint::black_box(&mut x), 0, &View::new(&a, &square))),
            ),
        ];
        for (name, ns) in line {
            println!("  {:7} {name:26} {:.4}", level.name(), ns / N as f64);
        }
    }
}
