//! What the profiler costs: the same work on two devices that differ in nothing else, in turns, in wall time and in processor time of the threads at work.
//!
//! `cargo bench -p millstream --bench profiler`

use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use millstream::{DType, Device, Generator, Kernel, Tensor, cpu, read_all};

const ROUNDS: usize = 21;
const SYNC_EVERY: u64 = 50;

/// Wall time and processor time of all threads, for one unit of work.
type Cost = [f64; 2];

fn opened(profiler: bool) -> Device {
    cpu::open_with(cpu::CpuOptions::inline(), |options| options.profiler = profiler).expect("the CPU is always there")
}

/// An operation of one element, allocation and drop included: little but what the runtime itself does.
fn empty_operations(device: &Device) -> Cost {
    const CALLS: u32 = 200_000;
    let kernel = Kernel::Fill { elements: 1, dtype: DType::F32, value: 0.0f32.into() };
    let (wall, cpu) = (Instant::now(), ThreadTime::now());
    for _ in 0..CALLS {
        drop(device.launch(kernel, 4, &[]).expect("an operation"));
    }
    [wall.elapsed(), cpu.elapsed()].map(|time| time.as_secs_f64() / f64::from(CALLS))
}

fn iterate(device: &Device, thread: u64, iterations: u64) -> Duration {
    let begun = ThreadTime::now();
    let mut kept: Vec<Tensor> = Vec::new();
    for i in 0..iterations {
        let mut generator = Generator::new(1).split(thread).split(i);
        let mut drawn = || Tensor::randn(device, &[64, 64], &mut generator).expect("numbers");
        let product = drawn().matmul(&drawn()).expect("a product");
        kept.extend([product.sum().expect("a sum"), product.mean().expect("a mean")]);
        if (i + 1) % SYNC_EVERY == 0 {
            read_all::<f32>(&kept.iter().collect::<Vec<_>>()).expect("values");
            kept.clear();
        }
    }
    begun.elapsed()
}

/// The stress with n = 64; the unit is an iteration.
fn stress(device: &Device, threads: u64) -> Cost {
    const ITERATIONS: u64 = 6_000;
    let each = ITERATIONS / threads;
    let begun = Instant::now();
    let cpu: Duration = std::thread::scope(|scope| {
        let team: Vec<_> = (0..threads).map(|t| scope.spawn(move || iterate(device, t, each))).collect();
        team.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    [begun.elapsed(), cpu].map(|time| time.as_secs_f64() / (each * threads) as f64)
}

fn median(values: &mut [f64]) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [values[values.len() / 2], values[0], values[values.len() - 1]]
}

fn compare(what: &str, work: impl Fn(&Device) -> Cost) {
    let devices = [opened(false), opened(true)];
    let _warm = devices.each_ref().map(&work);
    let mut costs: [Vec<Cost>; 2] = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        // Who comes first takes turns too.
        for which in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            costs[which].push(work(&devices[which]));
        }
    }
    for (at, kind) in ["wall", "processor"].into_iter().enumerate() {
        let of = |which: usize| costs[which].iter().map(|cost: &Cost| cost[at] * 1e9).collect::<Vec<_>>();
        // On against off of the same round, which met the same neighbours.
        let mut ratios: Vec<f64> = of(1).iter().zip(of(0)).map(|(on, off)| (on / off - 1.0) * 100.0).collect();
        let ([off, ..], [on, ..], ratio) = (median(&mut of(0)), median(&mut of(1)), median(&mut ratios));
        let [middle, low, high] = ratio;
        println!("{what:<22} {kind:<9} off {off:>9.0} ns  on {on:>9.0} ns  {middle:+.1} % ({low:+.1} to {high:+.1})");
    }
}

fn main() {
    compare("empty operation", empty_operations);
    for threads in [1, 2, 20] {
        compare(&format!("stress n=64, {threads} threads"), |device| stress(device, threads));
    }
}
