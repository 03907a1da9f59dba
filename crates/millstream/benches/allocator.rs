//! What an allocation costs. First processor time, which a busy machine does not change: nanoseconds of each thread for a pair of allocate and drop. Then the same by the clock.
//!
//! `cargo bench -p millstream --bench allocator`
//!
//! On two cores of an AMD EPYC, shared with other work, 2026-11: a pair 44 ns of processor time for each of one thread and of two; freed on another thread 67 ns; twenty threads that read
//! one tensor +0.4 % against a tensor each.

use std::hint::black_box;

use cpu_time::ThreadTime;
use divan::Bencher;
use millstream::{Buffer, DType, Device, Kernel, Layout, ReduceOp, cpu};
use millstream_sync::BoundedQueue;

const BYTES: usize = 4096;

fn device() -> Device {
    cpu::open().expect("the CPU is always there")
}

fn pair(device: &Device) {
    drop(black_box(device.allocate(black_box(BYTES)).expect("memory")));
}

fn sum(device: &Device, shared: &Buffer, elements: usize) -> Buffer {
    let a = Layout::contiguous(&[elements]).expect("one dimension");
    device.launch(Kernel::Reduce { op: ReduceOp::Sum, dtype: DType::F32, a, kept: 0 }, 4, &[shared]).expect("a sum")
}

fn filled(device: &Device, elements: usize) -> Buffer {
    let kernel = Kernel::Fill { elements, dtype: DType::F32, value: 1.0f32.into() };
    device.launch(kernel, elements * 4, &[]).expect("a buffer")
}

/// Processor time of this thread for one of `rounds` calls of `f`, in nanoseconds: the best of ten tries.
fn cpu_ns(rounds: u32, mut f: impl FnMut()) -> f64 {
    (0..rounds / 4).for_each(|_| f());
    let one = |_| {
        let begun = ThreadTime::now();
        (0..rounds).for_each(|_| f());
        begun.elapsed().as_nanos() as f64 / f64::from(rounds)
    };
    (0..10).map(one).fold(f64::MAX, f64::min)
}

/// The mean over `threads` threads of what `f` says, all at the same time.
fn on_threads(threads: usize, f: impl Fn(usize) -> f64 + Sync) -> f64 {
    let f = &f;
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|i| scope.spawn(move || f(i))).collect();
        all.into_iter().map(|thread| thread.join().expect("no panic")).sum::<f64>() / threads as f64
    })
}

/// Allocated on one thread, dropped on another: the processor time of both for a pair. In turns and in batches, so that the hand-over itself is not in it.
fn freed_elsewhere() -> f64 {
    const BATCH: usize = 100;
    const BATCHES: usize = 2000;
    let device = device();
    let (there, back) = (BoundedQueue::with_capacity(1), BoundedQueue::with_capacity(1));
    fn wait<T>(queue: &BoundedQueue<T>) -> T {
        loop {
            match queue.try_pop() {
                Some(value) => return value,
                None => std::thread::yield_now(),
            }
        }
    }
    fn ns(f: impl FnOnce()) -> u128 {
        let begun = ThreadTime::now();
        f();
        begun.elapsed().as_nanos()
    }
    let all = std::thread::scope(|scope| {
        let dropper = scope.spawn(|| {
            device.current_stream().expect("a stream of its own");
            let mut spent = 0;
            for _ in 0..BATCHES {
                let mut batch: Vec<Buffer> = wait(&there);
                spent += ns(|| batch.clear());
                let _ = back.try_push(batch);
            }
            spent
        });
        let mut batch = Vec::with_capacity(BATCH);
        let mut spent = 0;
        for _ in 0..BATCHES {
            spent += ns(|| batch.extend((0..BATCH).map(|_| device.allocate(BYTES).expect("memory"))));
            let _ = there.try_push(std::mem::take(&mut batch));
            batch = wait(&back);
        }
        spent + dropper.join().expect("no panic")
    });
    all as f64 / (BATCH * BATCHES) as f64
}

/// Sums of one tensor that twenty threads share, and of a tensor for each.
fn shared_against_private() -> (f64, f64) {
    const THREADS: usize = 20;
    let device = device();
    let elements = 4096;
    let shared = filled(&device, elements);
    let run = |private: bool| {
        on_threads(THREADS, |_| {
            let own = private.then(|| filled(&device, elements));
            let tensor = own.as_ref().unwrap_or(&shared);
            cpu_ns(2000, || drop(black_box(sum(&device, tensor, elements))))
        })
    };
    let both: Vec<(f64, f64)> = (0..5).map(|_| (run(false), run(true))).collect();
    let best = |f: fn(&(f64, f64)) -> f64| both.iter().map(f).fold(f64::MAX, f64::min);
    (best(|b| b.0), best(|b| b.1))
}

fn processor_time() {
    println!("processor time of a pair of allocate and drop, {BYTES} bytes, in nanoseconds");
    let one = device();
    for threads in [1, 2] {
        println!("  {threads} threads: {:.1}", on_threads(threads, |_| cpu_ns(200_000, || pair(&one))));
    }
    println!("  freed on another thread: {:.0}", freed_elsewhere());
    let (shared, private) = shared_against_private();
    let percent = (shared / private - 1.0) * 100.0;
    println!(
        "20 threads, sum of 4096 elements: one shared tensor {shared:.0} ns, a tensor each {private:.0} ns ({percent:+.1} %)"
    );
}

/// Allocate and drop on one device, by the clock.
#[divan::bench(threads = [1, 2], sample_size = 1000)]
fn allocate_and_drop(bencher: Bencher<'_, '_>) {
    let device = device();
    bencher.bench(|| pair(&device));
}

/// Allocate, launch a kernel that does next to nothing, drop.
#[divan::bench(threads = [1, 2], sample_size = 1000)]
fn launch_and_drop(bencher: Bencher<'_, '_>) {
    let device = device();
    bencher.bench(|| drop(filled(&device, 64)));
}

fn main() {
    processor_time();
    divan::main();
}
