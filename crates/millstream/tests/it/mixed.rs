//! Types and views mixed on many threads, and on the other backends: the bits of the sequential run.

use millstream::{Backend, DType, Device, DeviceOptions, Generator, Result, Tensor};
use millstream_sim::{SimBackend, SimOptions};
use millstream_sync::schedule::{self, Dice, Policy, Settings};
use millstream_sync::{Arc, BoundedQueue};

use crate::leaks::{self, cpu};

/// One tensor of each type for all threads: whole numbers from -8 to 7, or what the type makes of them.
fn shared(device: &Device) -> Result<Vec<Tensor>> {
    let line = Tensor::arange(device, -8, 8, 1, DType::I64)?;
    DType::ALL.iter().map(|dtype| line.reshape(&[4, 4])?.to_dtype(*dtype)).collect()
}

/// Views, casts, products, reductions and choices over whole numbers, which every backend computes exactly.
fn exact(shared: &[Tensor], key: usize) -> Result<Vec<Tensor>> {
    let a = &shared[key % shared.len()];
    let whole = a.to_dtype(DType::I64)?.add(key as i64 % 3)?;
    let float = a.transpose(0, 1)?.to_dtype([DType::F32, DType::F64][key % 2])?;
    let cut = float.narrow(key % 2, key % 3, 2)?;
    let wide = whole.narrow(0, key % 4, 1)?.broadcast_to(&[3, 4, 4])?;
    let mask = float.gt(0)?;
    let picked = mask.where_cond(&float, -1)?;
    Ok(vec![
        wide.mul(&whole)?.sum_over(&[0, 2])?,
        float.matmul(&picked.unsqueeze(0)?)?,
        cut.flatten()?.abs()?.relu()?.neg()?,
        whole.permute(&[1, 0])?.argmax_keepdim(&[1])?,
        a.max_over(&[key % 2])?,
        mask.sum()?,
        float.to_dtype(DType::F16)?.mul(0.5)?.sum_over(&[0])?,
        whole.to_dtype(DType::U8)?.le(250)?.ne(&mask)?,
        picked.to_dtype(DType::BF16)?.div(2)?.mean_keepdim(&[0, 1])?,
    ])
}

/// What depends on how sums and functions are rounded, and so on the backend.
fn rounded(device: &Device, key: usize) -> Result<Vec<Tensor>> {
    let mut generator = Generator::new(7).split(key as u64);
    let a = Tensor::randn(device, &[33, 20], &mut generator)?;
    let dtype = [DType::F32, DType::F64, DType::F16, DType::BF16][key % 4];
    let b = Tensor::uniform(device, &[5, 20, 7], -1.0, 1.0, &mut generator)?.to_dtype(dtype)?;
    let product = a.to_dtype(dtype)?.matmul(&b)?;
    let scaled = product.sub(&product.max_keepdim(&[2])?)?.exp()?;
    let soft = scaled.div(&scaled.sum_keepdim(&[2])?)?;
    Ok(vec![
        soft.mean_over(&[0, 1])?,
        product.tanh()?.transpose(0, 2)?.sum()?,
        a.abs()?.sqrt()?.log()?.argmax_over(&[0])?,
    ])
}

fn bits(tensors: Result<Vec<Tensor>>) -> Result<Vec<u64>> {
    tensors?.iter().map(Tensor::fingerprint).collect()
}

#[test]
fn twenty_threads_that_mix_types_and_views_compute_the_sequential_bits() {
    for device in [cpu::open().unwrap(), cpu::open_queued().unwrap()] {
        let shared = shared(&device).unwrap();
        let run = |thread: usize| -> Vec<Vec<u64>> {
            (0..12)
                .map(|i| [bits(exact(&shared, thread + i)), bits(rounded(&device, thread * 100 + i))])
                .flat_map(|both| both.map(Result::unwrap))
                .collect()
        };
        let sequential: Vec<_> = (0..20).map(run).collect();
        let parallel: Vec<_> = std::thread::scope(|scope| {
            let run = &run;
            let workers: Vec<_> = (0..20).map(|thread| scope.spawn(move || run(thread))).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect()
        });
        assert_eq!(sequential, parallel, "{}", device.info().name);
    }
}

#[test]
fn the_simulator_computes_the_same_bits_under_any_schedule() {
    let expected: Vec<Vec<u64>> = {
        let device = cpu::open().unwrap();
        let shared = shared(&device).unwrap();
        (0..14).map(|key| bits(exact(&shared, key)).unwrap()).collect()
    };
    for seed in 0..12 {
        let sim = Arc::new(SimBackend::new(SimOptions::new(seed)));
        let mut options = DeviceOptions::of(sim.info());
        options.streams = 3;
        let device = Device::open_with(sim.clone(), options);
        let wrong = Arc::new(BoundedQueue::with_capacity(16));
        let tensors = Arc::new(shared(&device).unwrap());
        let bodies = (0..4usize).map(|thread| {
            let (tensors, wrong, expected) = (tensors.clone(), wrong.clone(), expected.clone());
            let body = move || {
                for i in 0..3 {
                    let key = (thread * 3 + i) % 14;
                    match bits(exact(&tensors, key)) {
                        Ok(found) if found == expected[key] => {}
                        other => drop(wrong.try_push(format!("{key}: {other:?}, not {:?}", expected[key]))),
                    }
                }
            };
            Box::new(body) as Box<dyn FnOnce() + Send>
        });
        let mut settings = Settings::new(seed);
        settings.trace_lines_max = 0;
        settings.policy = Policy::Uniform;
        let outcome = schedule::run_with(&settings, bodies.collect());
        assert!(outcome.panics.is_empty() && outcome.deadlock.is_none() && outcome.hang.is_none(), "seed {seed}");
        assert_eq!(wrong.try_pop(), None, "seed {seed}");
        assert!(sim.findings().is_empty(), "seed {seed}: {:?}", sim.findings());
        drop(tensors);
        leaks::check(&device);
    }
}

/// A random chain of views and operations that every backend computes to the bit; the shape and the fingerprint after each step.
fn chain(device: &Device, seed: u64) -> Result<Vec<(Vec<usize>, DType, u64)>> {
    let mut dice = Dice::new(seed);
    let mut any = |n: usize| dice.below(n);
    let mut t = Tensor::arange(device, -11, 13, 1, DType::I64)?.reshape(&[2, 3, 4])?;
    t = t.to_dtype(DType::ALL[any(7)])?;
    let mut seen = Vec::new();
    for _ in 0..10 {
        let (dims, number) = (t.dims(), t.dtype().is_number());
        let axis = any(dims.max(1));
        t = match any(15) {
            0 if dims > 1 => t.transpose(axis, any(dims))?,
            1 if dims > 0 && t.shape()[axis] > 1 => t.narrow(axis, any(2), t.shape()[axis] - 1)?,
            2 if dims < 6 => t.unsqueeze(any(dims + 1))?,
            3 if dims < 6 && t.elements() < 100 => t.unsqueeze(0)?.broadcast_to(&[&[3], &t.shape()[..]].concat())?,
            4 => t.flatten()?,
            5 => t.permute(&(0..dims).rev().collect::<Vec<_>>())?,
            6 if number => t.add(&t)?,
            7 if number => t.sub(3)?.abs()?,
            8 if dims > 0 => t.le(&t.narrow(axis, 0, 1)?)?,
            9 | 10 => t.to_dtype(DType::ALL[any(7)])?,
            11 => t.ne(&t.max()?)?.where_cond(&t, &t.flatten()?.narrow(0, 0, 1)?)?,
            12 if dims > 0 => t.max_over(&[axis])?,
            13 if dims > 1 => t.argmax_keepdim(&[axis, (axis + 1) % dims])?,
            14 if dims > 0 && !t.dtype().is_float() => t.sum_over(&[axis])?,
            _ => continue,
        };
        seen.push((t.shape(), t.dtype(), t.fingerprint()?));
    }
    Ok(seen)
}

#[test]
fn random_chains_of_views_and_operations_give_the_same_bits_on_every_backend() {
    let (inline, queued) = (cpu::open().unwrap(), cpu::open_queued().unwrap());
    let sim = Arc::new(SimBackend::new(SimOptions::new(1)));
    let simulated = Device::open(sim.clone());
    let mut steps = 0;
    for seed in 0..400 {
        let expected = chain(&inline, seed).unwrap();
        steps += expected.len();
        assert_eq!(chain(&queued, seed).unwrap(), expected, "seed {seed}, queued");
        assert_eq!(chain(&simulated, seed).unwrap(), expected, "seed {seed}, simulated");
    }
    assert!(steps > 2000, "{steps} steps");
    assert!(sim.findings().is_empty(), "{:?}", sim.findings());
    leaks::check(&simulated);
}
