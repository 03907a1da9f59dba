//! What short operations cost on the CPU: the arithmetic alone, and the way there and back.
//!
//! `cargo bench -p millstream --bench short`
//!
//! One thread, no helpers; the arrays are in a cache. What `reduce_alone` takes is the arithmetic; the rest of `sum_and_item` is the operation: memory, launch, reading and drop.

use divan::{Bencher, black_box};
use millstream::{DType, Device, Generator, Kernel, Tensor, cpu};
use millstream_cpu::kernels::view::View;
use millstream_cpu::kernels::{fold, reduce};
use millstream_cpu::{CpuOptions, Level};

const ELEMENTS: [usize; 5] = [1, 64, 4096, 65536, 1 << 20];

fn main() {
    divan::main();
}

fn device() -> Device {
    let options = CpuOptions { threads: Some(1), ..CpuOptions::inline() };
    cpu::open_with(options, |_| {}).expect("the CPU is always there")
}

fn numbers(device: &Device, elements: usize) -> Tensor {
    Tensor::randn(device, &[elements], &mut Generator::new(1)).expect("a draw")
}

/// Memory for one number, taken and given back.
#[divan::bench(sample_size = 1000)]
fn allocate_and_drop(bencher: Bencher<'_, '_>) {
    let device = device();
    bencher.bench_local(|| drop(black_box(device.allocate(4).expect("memory"))));
}

/// A launch of nothing: no memory, no operand.
#[divan::bench(sample_size = 1000)]
fn enqueue_nothing(bencher: Bencher<'_, '_>) {
    let device = device();
    bencher.bench_local(|| device.enqueue(Kernel::Spin { micros: 0 }).expect("a launch"));
}

/// One number, written by a kernel and dropped.
#[divan::bench(sample_size = 1000)]
fn fill_and_drop(bencher: Bencher<'_, '_>) {
    let device = device();
    bencher.bench_local(|| drop(black_box(Tensor::full(&device, &[1], 1.0f32, DType::F32).expect("a number"))));
}

/// `a + b`, dropped.
#[divan::bench(args = [1, 64, 4096], sample_size = 1000)]
fn add_and_drop(bencher: Bencher<'_, '_>, elements: usize) {
    let device = device();
    let (a, b) = (numbers(&device, elements), numbers(&device, elements));
    bencher.bench_local(|| drop(black_box(a.add(&b).expect("a sum"))));
}

/// Reading a number that is there.
#[divan::bench(sample_size = 1000)]
fn item(bencher: Bencher<'_, '_>) {
    let device = device();
    let one = numbers(&device, 1);
    bencher.bench_local(|| one.item::<f32>().expect("a number"));
}

/// A sum, read on the host and dropped.
#[divan::bench(args = ELEMENTS, sample_size = 100)]
fn sum_and_item(bencher: Bencher<'_, '_>, elements: usize) {
    let device = device();
    let a = numbers(&device, elements);
    bencher.bench_local(|| a.sum().expect("a sum").item::<f32>().expect("a number"));
}

/// A mean, read on the host and dropped.
#[divan::bench(args = ELEMENTS, sample_size = 100)]
fn mean_and_item(bencher: Bencher<'_, '_>, elements: usize) {
    let device = device();
    let a = numbers(&device, elements);
    bencher.bench_local(|| a.mean().expect("a mean").item::<f32>().expect("a number"));
}

/// The arithmetic of a sum.
#[divan::bench(args = ELEMENTS, sample_size = 100)]
fn reduce_alone(bencher: Bencher<'_, '_>, elements: usize) {
    let data = numbers(&device(), elements).to_vec::<f32>().expect("numbers");
    bencher.bench_local(|| {
        let mut out = [0.0];
        reduce::rows::<fold::Sum<f32>>(Level::best(), &View::of(black_box(&data)), elements, 0, &mut out);
        out
    });
}
