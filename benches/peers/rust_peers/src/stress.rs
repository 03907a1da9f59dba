//! The stress: threads that start together, each iteration two draws, a product, its sum and its mean, and a reading of all scalars at each sync.

use std::sync::{Arc, Barrier};
use std::time::Instant;

use crate::{Peer, Result};

fn work<P: Peer>(peer: &P, size: usize, iterations: usize, sync_every: usize, gate: &Barrier) -> Result<Instant> {
    let shape = [size, size];
    // First calls pay for pools.
    let warm = peer.matmul(&peer.randn(&shape)?, &peer.randn(&shape)?)?;
    peer.read(peer.sum(&warm)?)?;
    let mut kept = Vec::new();
    gate.wait();
    for i in 0..iterations {
        let product = peer.matmul(&peer.randn(&shape)?, &peer.randn(&shape)?)?;
        kept.push(peer.sum(&product)?);
        kept.push(peer.mean(&product)?);
        if (i + 1) % sync_every == 0 || i + 1 == iterations {
            for scalar in kept.drain(..) {
                std::hint::black_box(peer.read(scalar)?);
            }
        }
    }
    Ok(Instant::now())
}

pub fn run<P: Peer>(peer: &P, words: &[&str]) -> Result<String> {
    let numbers: Vec<usize> = words.iter().map(|word| word.parse()).collect::<std::result::Result<_, _>>()?;
    let [size, threads, iterations, sync_every] = numbers[..] else {
        return Err("SIZE THREADS ITERATIONS SYNC_EVERY".into());
    };
    let gate = Arc::new(Barrier::new(threads + 1));
    let team: Vec<_> = (0..threads)
        .map(|_| {
            let (peer, gate) = (peer.clone(), gate.clone());
            std::thread::spawn(move || work(&peer, size, iterations, sync_every, &gate))
        })
        .collect();
    gate.wait();
    let start = Instant::now();
    let mut last = start;
    for thread in team {
        last = last.max(thread.join().map_err(|_| "a thread panicked")??);
    }
    let rate = (threads * iterations) as f64 / (last - start).as_secs_f64();
    Ok(format!("{{\"iterations_per_second\":{rate}}}"))
}
