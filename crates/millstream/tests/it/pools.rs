//! Threads that are not ours: workers of rayon, and tasks of an asynchronous runtime that change their thread while they wait.

use std::cell::Cell;

use millstream::{Backend, Device, DeviceOptions, Generator, Result, Tensor, read_all};
use millstream_cpu::{CpuBackend, CpuOptions, Mode, Statistics};
use millstream_sync::Arc;
use rayon::prelude::*;

use crate::leaks::{self, cpu};

millstream_sync::thread_state! { static INSIDE: Cell<bool> = Cell::new(false) }

/// Depends on `i` alone. The operations of every fourth are cut into chunks, which helpers may do. No job of the pool may begin inside of one: who waits for a chunk takes no foreign work.
fn product(device: &Device, weights: &Tensor, i: u64) -> Result<Tensor> {
    let foreign = INSIDE.try_with(|inside| inside.replace(true));
    assert_eq!(foreign, Ok(false), "a job began inside an operation of another one");
    let n = if i.is_multiple_of(4) { 20_000 } else { 40 };
    let input = Tensor::randn(device, &[n, 40], &mut Generator::new(5).split(i))?;
    let mut product = input.matmul(weights)?;
    for _ in 0..4 {
        product = product.matmul(weights)?.add(&input)?;
    }
    let mean = product.mean_over(&[0]);
    let _ = INSIDE.try_with(|inside| inside.set(false));
    mean
}

fn bits(row: &Tensor) -> Result<Vec<u32>> {
    Ok(row.to_vec::<f32>()?.into_iter().map(f32::to_bits).collect())
}

fn weights(device: &Device) -> Tensor {
    Tensor::randn(device, &[40, 40], &mut Generator::new(4)).expect("memory for a small matrix")
}

/// Devices with more helpers than a test keeps busy, so that operations are shared out on any machine.
fn with_helpers() -> [(Arc<CpuBackend>, Device); 2] {
    [Mode::Inline, Mode::Queued].map(|mode| {
        let options = CpuOptions { mode, threads: Some(16), ..CpuOptions::inline() };
        let backend = Arc::new(CpuBackend::new(options));
        let options = DeviceOptions::of(backend.info());
        (backend.clone(), Device::open_with(backend, options))
    })
}

fn were_shared(before: Statistics, after: Statistics) -> bool {
    after.operations_shared > before.operations_shared && after.helpers_joined > before.helpers_joined
}

#[test]
fn operations_inside_a_parallel_iterator_compute_the_sequential_bits() {
    for (backend, device) in with_helpers() {
        let weights = weights(&device);
        let work = |i: usize| bits(&product(&device, &weights, i as u64).unwrap()).unwrap();
        let sequential: Vec<_> = (0..64).map(work).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(6).build().unwrap();
        let before = backend.statistics();
        // Each a job of its own: there is always something to steal.
        let parallel: Vec<_> = pool.install(|| (0..64usize).into_par_iter().with_max_len(1).map(work).collect());
        assert_eq!(parallel, sequential);
        assert!(were_shared(before, backend.statistics()), "no operation was cut");
        drop((weights, pool));
        leaks::check(&device);
    }
}

/// Half and half, each on a worker of its own where one is free. A worker that waits for the other half takes foreign jobs meanwhile, in the middle of its own, with a stream made current around it.
fn added_in_halves(device: &Device, leaf: &(impl Fn(u64) -> Tensor + Sync), from: u64, to: u64) -> Tensor {
    if to - from == 1 {
        return leaf(from);
    }
    let stream = device.acquire_stream().expect("a stream");
    let _on = device.with_stream(&stream).expect("its own stream");
    let middle = from.midpoint(to);
    let (a, b) =
        rayon::join(|| added_in_halves(device, leaf, from, middle), || added_in_halves(device, leaf, middle, to));
    assert_eq!(device.current_stream().expect("a stream").id(), stream.id(), "a foreign job left its stream behind");
    a.add(&b).expect("an operation")
}

#[test]
fn a_worker_that_steals_in_the_middle_of_its_work_keeps_its_stream_and_uses_what_others_made() {
    for (_, device) in with_helpers() {
        let weights = weights(&device);
        let leaf = |i| product(&device, &weights, i).unwrap();
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let sequential = bits(&one.install(|| added_in_halves(&device, &leaf, 0, 16))).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(6).build().unwrap();
        for _ in 0..5 {
            assert_eq!(bits(&pool.install(|| added_in_halves(&device, &leaf, 0, 16))).unwrap(), sequential);
        }
        let workers = pool.broadcast(|_| device.current_stream().unwrap().id().0);
        assert!(workers.iter().any(|stream| *stream != workers[0]), "one stream for all: nothing was handed over");
        drop((weights, pool));
        leaks::check(&device);
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
