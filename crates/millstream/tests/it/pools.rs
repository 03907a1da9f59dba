//! Threads that are not ours: workers of rayon, and tasks of an asynchronous runtime that change their thread while they wait.

use millstream::{Device, Generator, Result, Tensor, read_all};
use rayon::prelude::*;

use crate::leaks::cpu;

/// Depends on `i` alone. The large product is shared out to helpers inside the operation.
fn work(device: &Device, weights: &Tensor, i: u64) -> Result<u32> {
    let n = if i.is_multiple_of(16) { 7000 } else { 40 };
    let input = Tensor::randn(device, &[n, 40], &mut Generator::new(5).split(i))?;
    let mut product = input.matmul(weights)?;
    for _ in 0..4 {
        product = product.matmul(weights)?.add(&input)?;
    }
    Ok(product.mean()?.item::<f32>()?.to_bits())
}

fn weights(device: &Device) -> Tensor {
    Tensor::randn(device, &[40, 40], &mut Generator::new(4)).expect("memory for a small matrix")
}

#[test]
fn operations_inside_a_parallel_iterator_compute_the_sequential_bits() {
    for device in [cpu::open().unwrap(), cpu::open_queued().unwrap()] {
        let weights = weights(&device);
        let sequential: Vec<u32> = (0..200).map(|i| work(&device, &weights, i).unwrap()).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(6).build().unwrap();
        let parallel: Vec<u32> =
            pool.install(|| (0..200u64).into_par_iter().map(|i| work(&device, &weights, i).unwrap()).collect());
        assert_eq!(parallel, sequential);
        // Stealing in the middle: a worker that waits for the other half takes foreign jobs meanwhile, with a stream of its own made current around it.
        fn halves(device: &Device, weights: &Tensor, from: u64, to: u64) -> u64 {
            if to - from == 1 {
                return u64::from(work(device, weights, from).unwrap());
            }
            let stream = device.acquire_stream_within(std::time::Duration::from_secs(20));
            let stream = stream.ok();
            let _on = stream.as_ref().map(|stream| device.with_stream(stream).unwrap());
            let middle = from.midpoint(to);
            let (a, b) = rayon::join(|| halves(device, weights, from, middle), || halves(device, weights, middle, to));
            a + b
        }
        let total = pool.install(|| halves(&device, &weights, 0, 16));
        assert_eq!(total, sequential[..16].iter().map(|bits| u64::from(*bits)).sum::<u64>());
    }
}

#[test]
fn tasks_that_change_their_thread_compute_the_sequential_bits() {
    let device = cpu::open_queued().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).build().unwrap();
    let ask = |device: Device, i: u64| async move {
        let mut generator = Generator::new(8).split(i);
        let mut threads = vec![std::thread::current().id()];
        let mut tensor = Tensor::randn(&device, &[32, 32], &mut generator)?;
        for _ in 0..20 {
            tokio::task::yield_now().await;
            threads.push(std::thread::current().id());
            tensor = tensor.matmul(&Tensor::randn(&device, &[32, 32], &mut generator)?)?;
        }
        // Reading waits for the device: not on a thread that others' tasks need.
        let read = tokio::task::spawn_blocking(move || read_all::<f32>(&[&tensor.sum()?, &tensor.mean()?]));
        let values = read.await.expect("a reader panicked")?;
        threads.dedup();
        Ok::<_, millstream::Error>((values.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), threads.len()))
    };
    let asked: Vec<_> = runtime.block_on(async {
        let tasks: Vec<_> = (0..60).map(|i| tokio::spawn(ask(device.clone(), i))).collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap().unwrap());
        }
        answers
    });
    drop(runtime);
    for (i, (bits, _)) in asked.iter().enumerate() {
        let mut generator = Generator::new(8).split(i as u64);
        let mut tensor = Tensor::randn(&device, &[32, 32], &mut generator).unwrap();
        for _ in 0..20 {
            tensor = tensor.matmul(&Tensor::randn(&device, &[32, 32], &mut generator).unwrap()).unwrap();
        }
        let values = read_all::<f32>(&[&tensor.sum().unwrap(), &tensor.mean().unwrap()]).unwrap();
        assert_eq!(*bits, values.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), "task {i}");
    }
    assert!(asked.iter().any(|(_, threads)| *threads > 1), "no task changed its thread: the test shows nothing");
}
