//! Twenty threads share one weight tensor on one device, and every value equals the sequential program bit for bit.
//!
//! Nothing is locked, copied or cloned for the threads: they borrow the device and the weights. Each thread gets a stream of its own at its first
//! operation, and a generator of its own by `split`, so its numbers do not depend on who runs when.
//!
//! `cargo run --release --example 01_twenty_threads`

use millstream::{Device, Generator, Result, Tensor, cpu};

const THREADS: u64 = 20;
const SIZE: usize = 64;

/// What one thread computes. It depends on `thread` alone.
fn work(device: &Device, weights: &Tensor, thread: u64) -> Result<f32> {
    let input = Tensor::randn(device, &[SIZE, SIZE], &mut Generator::new(2).split(thread))?;
    input.matmul(weights)?.sum()?.item()
}

/// Runs the example. Errors: those of the library; a wrong value panics.
pub fn main() -> Result<()> {
    let device = cpu::open()?;
    let weights = Tensor::randn(&device, &[SIZE, SIZE], &mut Generator::new(1))?;

    let sequential: Vec<f32> = (0..THREADS).map(|thread| work(&device, &weights, thread)).collect::<Result<_>>()?;
    let parallel: Vec<f32> = std::thread::scope(|scope| {
        let (device, weights) = (&device, &weights);
        let workers: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || work(device, weights, thread))).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker panicked")).collect::<Result<_>>()
    })?;

    let bits = |sums: &[f32]| sums.iter().map(|sum| sum.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&sequential), bits(&parallel), "a value depends on the threads");
    println!(
        "{THREADS} threads, one set of weights: {} sums, all equal to the sequential run bit for bit",
        parallel.len()
    );
    Ok(())
}
