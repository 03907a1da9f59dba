//! The adversarial simulator as a device of a round, and scheduled runs on it.
//!
//! A scheduled run is a small program with everything that can go wrong between threads: tensors that are handed over and used by two foreign streams, drops on a third
//! thread, memory so tight that blocks are reused, caches trimmed under their owners, threads that come and go, and a shutdown among exits. The seed decides the
//! schedule, the completion order and the program; the checker of the simulator sees every access that is not ordered. Every value is compared too.
//!
//! **Invariants**
//! * `one-seed-one-run`: the same seed gives the same findings and the same digest of the schedule.

use std::time::Duration;

use millstream::evidence::Step;
use millstream::{Device, DeviceOptions, Generator, StreamPolicy, Tensor};
use millstream_sim::{SimBackend, SimOptions};
use millstream_sync::atomic::{AtomicU64, Ordering};
use millstream_sync::schedule::{self, Dice, Point, Policy, Settings};
use millstream_sync::{Arc, BoundedQueue};

/// A simulated device with its checker on, everything decided by `seed`.
#[must_use]
pub fn backend(seed: u64) -> Arc<SimBackend> {
    Arc::new(SimBackend::new(SimOptions::new(seed)))
}

/// What a scheduled run saw.
#[derive(Clone, Debug, Default)]
pub struct Scheduled {
    /// What must not be, one line each.
    pub findings: Vec<String>,
    /// Digest of the schedule: equal for equal seeds.
    pub digest: u64,
    /// Switches of the baton.
    pub switches: u64,
    /// Values compared with the sequential run.
    pub values_compared: u64,
    /// Hits of protocol steps.
    pub counters: Vec<(&'static str, u64)>,
}

const THREADS: usize = 4;
const ROUNDS: u64 = 5;
const SIDE: usize = 6;

struct World {
    device: Device,
    /// Tensors on their way to other threads, by receiver.
    mail: Vec<BoundedQueue<(u64, Tensor)>>,
    /// Tensors to be dropped by whoever comes by.
    discards: BoundedQueue<Tensor>,
    compared: AtomicU64,
    wrong: AtomicU64,
    failed: BoundedQueue<String>,
}

/// Runs the program of `seed`.
#[must_use]
pub fn scheduled(seed: u64) -> Scheduled {
    let mut dice = Dice::new(seed ^ 0x5eed);
    let backend = Arc::new(SimBackend::new(SimOptions { memory_bytes: 8 << 20, ..SimOptions::new(seed) }));
    let mut options = DeviceOptions::of(millstream::Backend::info(&*backend));
    options.streams = 2 + dice.below(3);
    options.policy = if dice.below(3) == 0 { StreamPolicy::Wait(Duration::from_secs(60)) } else { StreamPolicy::Share };
    options.cache_bytes_max = [512, 4096, 64 << 10][dice.below(3)];
    let device = Device::open_with(backend.clone(), options);
    let world = Arc::new(World {
        device,
        mail: (0..THREADS).map(|_| BoundedQueue::with_capacity(64)).collect(),
        discards: BoundedQueue::with_capacity(256),
        compared: AtomicU64::new(0),
        wrong: AtomicU64::new(0),
        failed: BoundedQueue::with_capacity(16),
    });
    let shutdown_inside = dice.below(2) == 0;
    let mut bodies: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
    for thread in 0..THREADS {
        let world = world.clone();
        let body_seed = seed.wrapping_mul(31).wrapping_add(thread as u64);
        bodies.push(Box::new(move || {
            if let Err(error) = body(&world, thread, body_seed, shutdown_inside && thread == 0) {
                let closed = matches!(error, millstream::Error::Runtime(millstream::RuntimeError::Closed));
                if !(closed && shutdown_inside) {
                    let _ = world.failed.try_push(format!("thread {thread}: {error}"));
                }
            }
        }));
    }
    let mut settings = Settings::new(seed);
    settings.trace_lines_max = 0;
    settings.policy = if dice.below(2) == 0 { Policy::Uniform } else { Policy::Pct { depth: 3, steps: 600 } };
    let outcome = schedule::run_with(&settings, bodies);

    let mut run = Scheduled { digest: outcome.digest, switches: outcome.switches, ..Scheduled::default() };
    if let Some(deadlock) = &outcome.deadlock {
        let waiting: Vec<String> = deadlock.waiting.iter().map(ToString::to_string).collect();
        run.findings.push(format!("deadlock: {}", waiting.join("; ")));
    }
    if let Some(hang) = &outcome.hang {
        run.findings.push(format!("hang: {} ({})", hang.holder, hang.reason));
    }
    run.findings.extend(outcome.panics.iter().map(|(thread, text)| format!("thread {thread} panicked: {text}")));
    while let Some(failure) = world.failed.try_pop() {
        run.findings.push(failure);
    }
    judge(&world, &backend, shutdown_inside, &mut run);
    run
}

/// The state at rest, and what the simulator's checker saw.
fn judge(world: &Arc<World>, backend: &Arc<SimBackend>, shut_down_inside: bool, run: &mut Scheduled) {
    while world.discards.try_pop().is_some() {}
    for mail in &world.mail {
        while mail.try_pop().is_some() {}
    }
    let device = &world.device;
    let report = device.shutdown(Duration::from_secs(5));
    run.values_compared = world.compared.load(Ordering::Relaxed);
    run.counters = device.evidence().counts();
    let mut must_be_zero = |what: &str, found: u64| {
        if found != 0 {
            run.findings.push(format!("{what}: {found}, must be 0"));
        }
    };
    must_be_zero("values that differ from the sequential run", world.wrong.load(Ordering::Relaxed));
    must_be_zero("streams still claimed after all threads ended", device.leases() as u64);
    must_be_zero("flushes still counted after all threads ended", u64::from(device.flushes_in_progress()));
    must_be_zero("leases given back twice", device.evidence().count(Step::DoubleReturn));
    must_be_zero("blocks put into a closed pool", device.evidence().count(Step::PutAfterClose));
    if !shut_down_inside {
        must_be_zero("bytes stranded after the shutdown", report.stranded_bytes as u64);
        must_be_zero("bytes not given back after the shutdown", report.reserved_bytes_left as u64);
        must_be_zero("blocks left in limbo after the shutdown", report.limbo_blocks_left as u64);
    }
    run.findings.extend(backend.findings().iter().map(|finding| format!("checker: {finding}")));
}

fn generator(key: u64) -> Generator {
    Generator::new(0xabc).split(key)
}

/// What the sum of a product of `key` is, in the simulator's arithmetic.
fn expected(key: u64) -> millstream::Result<u32> {
    let backend = Arc::new(SimBackend::new(SimOptions { checker: false, ..SimOptions::new(1) }));
    let device = Device::open(backend);
    let value = product(&device, key)?.sum()?.item::<f32>()?.to_bits();
    device.shutdown(Duration::from_secs(5));
    Ok(value)
}

fn product(device: &Device, key: u64) -> millstream::Result<Tensor> {
    let mut generator = generator(key);
    let a = Tensor::randn(device, &[SIDE, SIDE], &mut generator)?;
    let b = Tensor::randn(device, &[SIDE, SIDE], &mut generator)?;
    a.matmul(&b)
}

fn body(world: &World, thread: usize, seed: u64, shuts_down: bool) -> millstream::Result<()> {
    let mut dice = Dice::new(seed);
    let device = &world.device;
    let mut kept: Vec<(u64, Tensor)> = Vec::new();
    for round in 0..ROUNDS {
        let key = dice.below(8) as u64;
        let mine = product(device, key)?;
        // Two foreign users, most of the time: the same tensor to two other threads.
        for step in 1..=2 {
            if dice.below(3) > 0 {
                let _ = world.mail[(thread + step) % THREADS].try_push((key, mine.clone()));
            }
        }
        if let Some((key, theirs)) = world.mail[thread].try_pop() {
            let sum = theirs.sum()?;
            kept.push((key, sum));
            let _ = world.discards.try_push(theirs);
        }
        kept.push((key, mine.sum()?));
        drop(mine);
        if dice.below(2) == 0 {
            while let Some(tensor) = world.discards.try_pop() {
                drop(tensor);
            }
        }
        match dice.below(8) {
            0 => device.leave_thread(),
            1 => drop(device.trim()),
            2 => schedule::point(Point::Wait),
            _ => {}
        }
        if round + 1 == ROUNDS || dice.below(3) == 0 {
            for (key, sum) in kept.drain(..) {
                check(world, key, &sum)?;
            }
        }
    }
    if shuts_down {
        device.shutdown(Duration::from_secs(60));
    }
    Ok(())
}

fn check(world: &World, key: u64, sum: &Tensor) -> millstream::Result<()> {
    let found = sum.item::<f32>()?.to_bits();
    world.compared.fetch_add(1, Ordering::Relaxed);
    if found != world_value(key)? {
        world.wrong.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// The reference of each key, computed once for the process on a device of its own, outside any schedule.
fn world_value(key: u64) -> millstream::Result<u32> {
    static VALUES: [millstream_sync::OnceLock<u32>; 8] = [const { millstream_sync::OnceLock::new() }; 8];
    match VALUES[key as usize].get() {
        Some(value) => Ok(*value),
        None => {
            let value = expected(key)?;
            Ok(*VALUES[key as usize].get_or_init(|| value))
        }
    }
}

/// Computes all references; before the first scheduled run, so that none is computed inside one.
pub fn prepare() -> millstream::Result<()> {
    (0..8).try_for_each(|key| world_value(key).map(|_| ()))
}
