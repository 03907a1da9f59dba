//! What an allocation costs. First processor time, which a busy machine does not change: nanoseconds of each thread for a pair of allocate and drop. Then the same by the clock.
//!
//! `cargo bench -p millstream --bench allocator`

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

/// Allocated on this thread, dropped on another: the processor time of both for a pair.
fn freed_elsewhere() -> f64 {
    const ROUNDS: usize = 200_000;
    let device = device();
    let mail: BoundedQueue<Buffer> = BoundedQueue::with_capacity(64);
    // The same hand-over of a value without memory: its price is not the allocator's.
    let plain: BoundedQueue<[usize; 6]> = BoundedQueue::with_capacity(64);
    let hand_over = |push: &(dyn Fn() -> bool + Sync), pop: &(dyn Fn() -> bool + Sync)| {
        let work = |step: &(dyn Fn() -> bool + Sync)| {
            let begun = ThreadTime::now();
            (0..ROUNDS).for_each(|_| {
                while !step() {
                    std::thread::yield_now()
                }
            });
            begun.elapsed().as_nanos() as f64 / ROUNDS as f64
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(|| work(pop));
            work(push) + other.join().expect("no panic")
        })
    };
    let best = |f: &dyn Fn() -> f64| (0..10).map(|_| f()).fold(f64::MAX, f64::min);
    let whole = best(&|| {
        hand_over(&|| mail.len() < 60 && mail.try_push(device.allocate(BYTES).expect("memory")).is_ok(), &|| {
            mail.try_pop().is_some()
        })
    });
    let queue =
        best(&|| hand_over(&|| plain.len() < 60 && plain.try_push([1; 6]).is_ok(), &|| plain.try_pop().is_some()));
    println!("  hand-over with the queue {whole:.0} ns, the queue alone {queue:.0} ns");
    whole - queue
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
#[divan::bench(threads = [1, 2])]
fn allocate_and_drop(bencher: Bencher<'_, '_>) {
    let device = device();
    bencher.bench(|| pair(&device));
}

/// Allocate, launch a kernel that does next to nothing, drop.
#[divan::bench(threads = [1, 2])]
fn launch_and_drop(bencher: Bencher<'_, '_>) {
    let device = device();
    bencher.bench(|| drop(filled(&device, 64)));
}

fn main() {
    processor_time();
    divan::main();
}
