//! The stress on burn-cuda: reads lines SIZE THREADS SECONDS SYNC_EVERY and answers each with one of JSON. Nothing is read; every thread synchronises the device each SYNC_EVERY iterations.

use std::io::{BufRead, Write};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use burn::backend::Cuda;
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor};

type B = Cuda<f32, i32>;
type Device = <B as burn::tensor::backend::BackendTypes>::Device;
/// Begin, end and iterations of a thread.
type Ran = std::result::Result<(Instant, Instant, usize), String>;
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn iterations(device: &Device, size: usize, count: usize) -> std::result::Result<(), String> {
    for _ in 0..count {
        let draw = || Tensor::<B, 2>::random([size, size], Distribution::Normal(0.0, 1.0), device);
        let product = draw().matmul(draw());
        std::hint::black_box((product.clone().sum(), product.mean()));
    }
    B::sync(device).map_err(|error| format!("{error:?}"))
}

fn measure(size: usize, threads: usize, seconds: f64, sync_every: usize) -> std::result::Result<f64, String> {
    let device = Device::default();
    let gate = Barrier::new(threads);
    let ran: Vec<Ran> = std::thread::scope(|scope| {
        let work = || {
            let warm = iterations(&device, size, sync_every);
            gate.wait();
            warm?;
            let (begun, mut done) = (Instant::now(), 0);
            while begun.elapsed() < Duration::from_secs_f64(seconds) {
                iterations(&device, size, sync_every)?;
                done += sync_every;
            }
            Ok((begun, Instant::now(), done))
        };
        let team: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Ran>| thread.join().unwrap_or_else(|_| Err("a thread panicked".to_owned()));
        team.into_iter().map(join).collect()
    });
    let ran: Vec<(Instant, Instant, usize)> = ran.into_iter().collect::<std::result::Result<_, String>>()?;
    let (begun, ended) = (ran.iter().map(|t| t.0).min(), ran.iter().map(|t| t.1).max());
    let (Some(begun), Some(ended)) = (begun, ended) else { return Err("no thread".into()) };
    Ok(ran.iter().map(|t| t.2).sum::<usize>() as f64 / (ended - begun).as_secs_f64())
}

fn main() -> Result<()> {
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let [size, threads, seconds, sync_every] = words[..] else {
            return Err("SIZE THREADS SECONDS SYNC_EVERY".into());
        };
        let figure = measure(size.parse()?, threads.parse()?, seconds.parse()?, sync_every.parse()?)?;
        println!("{{\"iterations_per_second\":{figure}}}");
        std::io::stdout().flush()?;
    }
    Ok(())
}
