//! Speed of the kernels on one thread: `cargo bench -p millstream-cpu`.
//!
//! The number behind a bench is its size. Counters are elements, or multiply-adds for products: nanoseconds an element are the time over
//! the size, GFLOP/s are twice the multiply-adds. Everything fits the caches unless the name says otherwise.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use half::f16;
use millstream_cpu::Level;
use millstream_cpu::kernels::matmul::{Factor, Tiling};
use millstream_cpu::kernels::number::Stored;
use millstream_cpu::kernels::view::View;
use millstream_cpu::kernels::{copy, elementwise, fingerprint, fold, matmul, randn, reduce, uniform};
use millstream_hal::{BinaryOp, Layout, PhiloxKey, UnaryOp};

/// Elements of most benches: 16 KiB of f32.
const N: usize = 4096;
const KEY: PhiloxKey = PhiloxKey { seed: 1, sequence: 2, offset: 3 };

fn main() {
    divan::main();
}

fn layout(shape: &[usize]) -> Layout {
    Layout::contiguous(shape).expect("a small shape")
}

/// Ordinary numbers of mixed size and sign.
fn normals<S: Stored>(n: usize) -> Vec<S> {
    let mut all = vec![0f32; n];
    randn::randn(Level::best(), KEY, 0, &mut all);
    all.into_iter().map(S::from_f32).collect()
}

#[divan::bench(args = [64, 4096, 65536])]
fn randn(bencher: Bencher<'_, '_>, n: usize) {
    let mut out = vec![0f32; n];
    bencher.counter(ItemsCount::new(n)).bench_local(|| randn::randn(Level::best(), KEY, 0, black_box(&mut out)));
}

#[divan::bench]
fn uniform(bencher: Bencher<'_, '_>) {
    let mut out = vec![0f32; N];
    let bounds = [0.0, 1.0];
    bencher
        .counter(ItemsCount::new(N))
        .bench_local(|| uniform::uniform(Level::best(), KEY, bounds, 0, black_box(&mut out)));
}

#[divan::bench(types = [f32, f64, f16], args = [UnaryOp::Exp, UnaryOp::Log, UnaryOp::Tanh, UnaryOp::Sqrt, UnaryOp::Relu])]
fn unary<S: Stored<Compute: millstream_cpu::kernels::real::Real>>(bencher: Bencher<'_, '_>, op: UnaryOp) {
    let (a, mut out) = (normals::<S>(N), vec![S::default(); N]);
    bencher.counter(ItemsCount::new(N)).bench_local(|| {
        elementwise::unary_of_floats(Level::best(), op, black_box(&mut out), 0, &View::of(black_box(&a)));
    });
}

#[divan::bench(types = [f32, f64, f16, i64, u8], args = [BinaryOp::Add, BinaryOp::Mul, BinaryOp::Div])]
fn binary<S: Stored>(bencher: Bencher<'_, '_>, op: BinaryOp) {
    let (a, b, mut out) = (normals::<S>(N), normals::<S>(N), vec![S::default(); N]);
    bencher.counter(ItemsCount::new(N)).bench_local(|| {
        let (a, b) = (View::of(black_box(&a)), View::of(&b));
        elementwise::binary(Level::best(), op, black_box(&mut out), 0, &a, &b);
    });
}

/// `[64, 64] + [64]`, `[64, 64] + [64, 1]`, `[64, 64] + []`, and with a transposed matrix.
#[divan::bench(args = ["row", "column", "one", "turned"])]
fn add_repeated(bencher: Bencher<'_, '_>, what: &str) {
    let (a, b, mut out) = (normals::<f32>(N), normals::<f32>(N), vec![0f32; N]);
    let square = [64, 64];
    let view = match what {
        "row" => layout(&[64]).broadcast_to(&square),
        "column" => layout(&[64, 1]).broadcast_to(&square),
        "one" => layout(&[]).broadcast_to(&square),
        _ => Ok(layout(&square).transposed(0, 1)),
    };
    let view = view.expect("shapes that fit");
    bencher.counter(ItemsCount::new(N)).bench_local(|| {
        let (a, b) = (View::new(black_box(&a), &layout(&square)), View::new(&b, &view));
        elementwise::binary(Level::best(), BinaryOp::Add, black_box(&mut out), 0, &a, &b);
    });
}

#[divan::bench]
fn compare(bencher: Bencher<'_, '_>) {
    let (a, b, mut out) = (normals::<f32>(N), normals::<f32>(N), vec![0u8; N]);
    bencher.counter(ItemsCount::new(N)).bench_local(|| {
        let (a, b) = (View::of(black_box(&a)), View::of(&b));
        elementwise::compare(Level::best(), BinaryOp::Lt, black_box(&mut out), 0, &a, &b);
    });
}

#[divan::bench]
fn select(bencher: Bencher<'_, '_>) {
    let (a, b, mut out) = (normals::<f32>(N), normals::<f32>(N), vec![0f32; N]);
    let cond: Vec<u8> = a.iter().map(|x| u8::from(*x > 0.0)).collect();
    bencher.counter(ItemsCount::new(N)).bench_local(|| {
        let (cond, a, b) = (View::of(black_box(&cond)), View::of(&a), View::of(&b));
        elementwise::select(Level::best(), black_box(&mut out), 0, &cond, &a, &b);
    });
}

#[divan::bench(types = [f64, f16, i64, u8])]
fn cast_from_f32<R: Stored>(bencher: Bencher<'_, '_>) {
    let (a, mut out) = (normals::<f32>(N), vec![R::default(); N]);
    bencher.counter(ItemsCount::new(N)).bench_local(|| {
        elementwise::cast(Level::best(), black_box(&mut out), 0, &View::of(black_box(&a)));
    });
}

#[divan::bench]
fn copy_of_a_transposed_view(bencher: Bencher<'_, '_>) {
    let (a, mut out) = (normals::<f32>(N), vec![0f32; N]);
    let view = layout(&[64, 64]).transposed(0, 1);
    bencher
        .counter(ItemsCount::new(N))
        .bench_local(|| copy::copy(black_box(&mut out), 0, &View::new(black_box(&a), &view)));
}

#[divan::bench]
fn fingerprint(bencher: Bencher<'_, '_>) {
    let words = vec![7u32; N];
    bencher.counter(ItemsCount::new(N)).bench_local(|| fingerprint::fingerprint(Level::best(), 0, black_box(&words)));
}

/// The sum of all elements.
#[divan::bench(types = [f32, f64, f16, i64, u8], args = [64, 4096, 65536])]
fn sum<S: Stored>(bencher: Bencher<'_, '_>, n: usize)
where
    fold::Total<S>: fold::Zero,
{
    let a = normals::<S>(n);
    let mut out = [<fold::Total<S> as fold::Zero>::ZERO];
    bencher.counter(ItemsCount::new(n)).bench_local(|| {
        reduce::rows::<fold::Sum<S>>(Level::best(), &View::of(black_box(&a)), n, 0, black_box(&mut out));
    });
}

#[divan::bench(types = [f32, f64, f16, i64, u8])]
fn max<S: Stored<Compute: fold::Ordered>>(bencher: Bencher<'_, '_>) {
    let a = normals::<S>(N);
    let mut out = [<fold::Max<S> as fold::Fold>::START];
    bencher.counter(ItemsCount::new(N)).bench_local(|| {
        reduce::rows::<fold::Max<S>>(Level::best(), &View::of(black_box(&a)), N, 0, black_box(&mut out));
    });
}

/// Sums of 4096 elements, `each` a result, along the rows.
#[divan::bench(args = [4, 16, 64, 256, 1024])]
fn sum_of_rows(bencher: Bencher<'_, '_>, each: usize) {
    let (a, mut out) = (normals::<f32>(N), vec![0f32; N / each]);
    bencher.counter(ItemsCount::new(N)).bench_local(|| {
        reduce::rows::<fold::Sum<f32>>(Level::best(), &View::of(black_box(&a)), each, 0, black_box(&mut out));
    });
}

/// Sums of 4096 elements, `each` a result, down the columns.
#[divan::bench(args = [4, 16, 64, 256, 1024])]
fn sum_of_columns(bencher: Bencher<'_, '_>, each: usize) {
    let (a, mut out) = (normals::<f32>(N), vec![0f32; N / each]);
    let view = layout(&[each, N / each]).transposed(0, 1);
    bencher.counter(ItemsCount::new(N)).bench_local(|| {
        let view = View::new(black_box(&a), &view);
        reduce::rows::<fold::Sum<f32>>(Level::best(), &view, each, 0, black_box(&mut out));
    });
}

#[divan::bench(types = [f32, f64], args = [16, 32, 64, 128, 256, 512, 1024])]
fn square_product<T: matmul::Float + Stored>(bencher: Bencher<'_, '_>, n: usize) {
    let (a, b, mut out) = (normals::<T>(n * n), normals::<T>(n * n), vec![T::default(); n * n]);
    let square = layout(&[n, n]);
    bencher.counter(ItemsCount::new(n * n * n)).bench_local(|| {
        let (a, b) = (Factor::new(black_box(&a), &square), Factor::new(&b, &square));
        matmul::matmul(black_box(&mut out), Tiling::of(n, n, n), &a, &b);
    });
}

/// `[n, n] x [n]`, as it lies and transposed.
#[divan::bench(args = [(64, false), (64, true), (1024, false), (1024, true)])]
fn matrix_times_vector(bencher: Bencher<'_, '_>, (n, turned): (usize, bool)) {
    let (a, b, mut out) = (normals::<f32>(n * n), normals::<f32>(n), vec![0f32; n]);
    let square = if turned { layout(&[n, n]).transposed(0, 1) } else { layout(&[n, n]) };
    bencher.counter(ItemsCount::new(n * n)).bench_local(|| {
        let (a, b) = (Factor::new(black_box(&a), &square), Factor::new(&b, &layout(&[n, 1])));
        matmul::matmul(black_box(&mut out), Tiling::of(n, n, 1), &a, &b);
    });
}
