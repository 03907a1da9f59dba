//! Two hundred threads on four streams, under each of the three policies.
//!
//! `Share` puts several threads on one stream, `Wait` lets a thread wait for a free one, `Fail` says at once that there is none. The policy is
//! about streams and not about values: who got one computes what the sequential program computes, bit for bit.
//!
//! `cargo run --release --example 06_more_threads_than_streams`

use std::time::{Duration, Instant};

use millstream::{Device, Error, Generator, Result, RuntimeError, StreamPolicy, Tensor, cpu};

const THREADS: u64 = 200;
const STREAMS: usize = 4;
const SIZE: usize = 64;

/// What one thread computes. It depends on `thread` alone.
fn work(device: &Device, thread: u64) -> Result<f32> {
    let mut numbers = Generator::new(6).split(thread);
    let mut product = Tensor::randn(device, &[SIZE, SIZE], &mut numbers)?;
    for _ in 0..50 {
        product = product.matmul(&Tensor::randn(device, &[SIZE, SIZE], &mut numbers)?)?;
    }
    product.mean()?.item()
}

/// All threads at once: the value of each, or none where it got no stream.
fn race(policy: StreamPolicy) -> Result<Vec<Option<f32>>> {
    let device = cpu::open_with(cpu::CpuOptions::inline(), |options| {
        options.streams = STREAMS;
        options.policy = policy;
    })?;
    let values = std::thread::scope(|scope| {
        let device = &device;
        let workers: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || work(device, thread))).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker panicked")).collect::<Vec<_>>()
    });
    values
        .into_iter()
        .map(|value| match value {
            Ok(value) => Ok(Some(value)),
            Err(Error::Runtime(RuntimeError::NoStream { streams })) => {
                assert_eq!(streams, STREAMS);
                Ok(None)
            }
            Err(error) => Err(error),
        })
        .collect()
}

/// Runs the example. Errors: those of the library; a wrong value panics.
pub fn main() -> Result<()> {
    let alone = cpu::open()?;
    let sequential: Vec<f32> = (0..THREADS).map(|thread| work(&alone, thread)).collect::<Result<_>>()?;

    for policy in [StreamPolicy::Share, StreamPolicy::Wait(Duration::from_secs(60)), StreamPolicy::Fail] {
        let start = Instant::now();
        let values = race(policy)?;
        let served = values.iter().flatten().count();
        for (value, expected) in values.iter().zip(&sequential) {
            assert!(value.is_none_or(|value| value.to_bits() == expected.to_bits()), "a value depends on the policy");
        }
        assert!(
            served > 0 && (served == THREADS as usize || policy == StreamPolicy::Fail),
            "{served} under {policy:?}"
        );
        println!(
            "{:<9} {served} of {THREADS} threads served on {STREAMS} streams in {:.0} ms, all values right",
            format!("{policy:?}").split('(').next().unwrap_or_default(),
            start.elapsed().as_secs_f64() * 1e3,
        );
    }
    Ok(())
}
