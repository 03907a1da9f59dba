//! Two devices: copies between them from many threads, dropped sources, values bit for bit.

use std::time::Instant;

use millstream_runtime::Error as RuntimeError;
use millstream_tensor::{Error, Generator, Tensor};

const THREADS: u64 = 16;
const ROUNDS: u64 = 50;

pub(crate) fn run() {
    let one = crate::open(0).unwrap();
    let other = match crate::open(1) {
        Ok(other) => other,
        Err(reason) => {
            println!("  not run: one device: {reason}");
            return;
        }
    };
    let [a, b] = [&one, &other].map(|device| Tensor::ones(device, &[8]).unwrap());
    assert!(matches!(a.add(&b), Err(Error::Runtime(RuntimeError::MixedDevices { .. }))));
    println!("  tensors of both: {}", a.add(&b).unwrap_err());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (one, other) = (&one, &other);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let size = 1000 + (thread * 977 + round * 131) as usize % 50_000;
                    let mut generator = Generator::new(3).split(thread * ROUNDS + round);
                    let here = Tensor::randn(one, &[size], &mut generator).unwrap();
                    let print = here.fingerprint().unwrap();
                    let there = here.to_device(other).unwrap();
                    drop(here);
                    // Taken again at once, in the order of the source's stream.
                    let noise = Tensor::full(one, &[size], 7, millstream_hal::DType::F32).unwrap();
                    let back = there.mul(1).unwrap().to_device(one).unwrap();
                    drop((there, noise));
                    assert_eq!(back.fingerprint().unwrap(), print, "thread {thread}, round {round}");
                }
            });
        }
    });
    println!("  {} round trips of {THREADS} threads: every fingerprint is the source's", THREADS * ROUNDS);
    let large = Tensor::zeros(&one, &[1 << 28]).unwrap();
    let mut seconds: Vec<f64> = (0..6)
        .map(|_| {
            one.synchronize_all(None).unwrap();
            let begun = Instant::now();
            let copy = large.to_device(&other).unwrap();
            let enqueued = begun.elapsed();
            other.synchronize_all(None).unwrap();
            println!(
                "  1 GiB: enqueued in {:.1} us, there after {:.2} ms",
                enqueued.as_secs_f64() * 1e6,
                begun.elapsed().as_secs_f64() * 1e3
            );
            drop(copy);
            begun.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    println!("  1 GiB: {:.1} GB/s, the median of 6", (1u64 << 30) as f64 / seconds[3] / 1e9);
}
