//! One block: threads x iterations with fresh seeds, run by many threads or by one.

use std::time::{Duration, Instant};

use millstream::{Device, DriverCalls, Error, Generator, Result, Tensor, read_all};
use millstream_sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use millstream_sync::{Arc, Doorbell};

use super::exchange::Exchange;
use super::stress::Variant;
use crate::plan::{Plan, Progress};

/// Iterations between two uses of a neighbour's product.
const HAND_OVER_EVERY: u64 = 10;

/// The values of one thread, as bits: sum and mean of each iteration, and the fingerprint of the last product of each window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockValues {
    /// Sum, mean, sum, mean, ... (and in the hand-over variant the sum with the neighbour's product).
    pub scalars: Vec<u32>,
    /// One for each window.
    pub fingerprints: Vec<u64>,
}

/// What a thread brings home.
#[derive(Debug, Default)]
pub(super) struct Worked {
    pub(super) values: BlockValues,
    pub(super) nanoseconds: Vec<u64>,
    pub(super) error: Option<String>,
    pub(super) finished: Option<Instant>,
}

/// Where the threads of a block meet.
#[derive(Default)]
struct Meeting {
    arrived: AtomicU32,
    started: Doorbell,
    inside: AtomicU64,
    inside_max: AtomicU64,
    iterations: AtomicU64,
    /// The user has asked to stop.
    stopped: AtomicBool,
}

/// What a block did.
pub(super) struct Done {
    pub(super) workers: Vec<Worked>,
    pub(super) seconds: f64,
    pub(super) max_concurrent: u64,
    /// From the start to the last thread's end, where there is a driver.
    pub(super) driver_calls: Option<DriverCalls>,
}

/// Runs block `number` with the plan's threads on `device`. A thread that panics is an error of its block.
pub(super) fn run_parallel(
    device: &Device,
    plan: &Plan,
    variant: Variant,
    number: u64,
    progress: &dyn Progress,
) -> Done {
    let meeting = Arc::new(Meeting::default());
    let exchange = Arc::new(Exchange::new(plan.threads, plan.iterations / HAND_OVER_EVERY + 1));
    let handles: Vec<_> = (0..plan.threads)
        .map(|thread| {
            let (device, plan, meeting, exchange) = (device.clone(), plan.clone(), meeting.clone(), exchange.clone());
            let body = move || {
                let warmed = warm_up(&device, &plan);
                meeting.arrived.fetch_add(1, Ordering::Relaxed);
                meeting.started.ring();
                let all = plan.threads as u32;
                meeting.started.wait_until(None, || meeting.arrived.load(Ordering::Relaxed) > all);
                let mut worked = Worked::default();
                let together = Some((&*meeting, &*exchange));
                let result = warmed.and_then(|()| work(&device, &plan, variant, number, thread, &mut worked, together));
                worked.finished = Some(Instant::now());
                if let Err(error) = result {
                    exchange.give_up();
                    worked.error = Some(error.to_string());
                }
                worked
            };
            std::thread::Builder::new().name(format!("stress-{thread}")).spawn(body)
        })
        .collect();
    let spawned = handles.iter().filter(|h| h.is_ok()).count();
    let all = u32::try_from(spawned).unwrap_or(u32::MAX);
    meeting.started.wait_until(None, || meeting.arrived.load(Ordering::Relaxed) >= all);
    // A thread that could not be started: the others need not wait for it.
    let missing = plan.threads - spawned;
    if missing > 0 {
        exchange.give_up();
    }
    let before = device.driver_calls();
    let start = Instant::now();
    meeting.arrived.fetch_add(1 + missing as u32, Ordering::Relaxed);
    meeting.started.ring();
    let of = plan.threads as u64 * plan.iterations;
    while handles.iter().flatten().any(|handle| !handle.is_finished()) {
        std::thread::sleep(Duration::from_millis(5));
        progress.advance(meeting.iterations.load(Ordering::Relaxed), of);
        if progress.interrupted() {
            meeting.stopped.store(true, Ordering::Relaxed);
        }
    }
    let workers: Vec<Worked> = handles
        .into_iter()
        .map(|handle| match handle {
            Ok(handle) => handle.join().unwrap_or_else(|_| failed("the thread panicked".to_owned())),
            Err(error) => failed(format!("the thread could not be started: {error}")),
        })
        .collect();
    let driver_calls = device.driver_calls().zip(before).map(|(after, before)| after.since(before));
    let end = workers.iter().filter_map(|w| w.finished).max().unwrap_or(start);
    let max_concurrent = meeting.inside_max.load(Ordering::Relaxed);
    Done { workers, seconds: (end - start).as_secs_f64(), max_concurrent, driver_calls }
}

fn failed(error: String) -> Worked {
    Worked { error: Some(error), ..Worked::default() }
}

/// The same block, one thread after another, on this thread alone. Errors: the first of any operation.
pub(super) fn run_sequential(
    device: &Device,
    plan: &Plan,
    variant: Variant,
    number: u64,
    mut each: impl FnMut(u64) -> bool,
) -> Result<Vec<BlockValues>> {
    let mut all = Vec::new();
    for thread in 0..plan.threads {
        let mut worked = Worked::default();
        work(device, plan, variant, number, thread, &mut worked, None)?;
        all.push(worked.values);
        if !each(thread as u64 + 1) {
            break;
        }
    }
    Ok(all)
}

/// Makes the thread's stream, its blocks and the pages under them ready.
fn warm_up(device: &Device, plan: &Plan) -> Result<()> {
    let mut generator = Generator::new(plan.seed);
    for _ in 0..plan.warm_up {
        let product = product(device, plan, &mut generator)?;
        drop((product.sum()?, product.mean()?, product.fingerprint()?));
    }
    Ok(())
}

/// A neighbour's product, computed here: what the sequential run uses in its place.
fn recompute(device: &Device, plan: &Plan, number: u64, thread: usize, iteration: u64) -> Result<Tensor> {
    let mut generator = generator(plan, number, thread, iteration);
    product(device, plan, &mut generator)
}

fn generator(plan: &Plan, number: u64, thread: usize, iteration: u64) -> Generator {
    Generator::new(plan.seed).split(number).split(thread as u64).split(iteration)
}

fn product(device: &Device, plan: &Plan, generator: &mut Generator) -> Result<Tensor> {
    let a = Tensor::randn(device, &[plan.size, plan.size], generator)?;
    let b = Tensor::randn(device, &[plan.size, plan.size], generator)?;
    a.matmul(&b)
}

fn work(
    device: &Device,
    plan: &Plan,
    variant: Variant,
    number: u64,
    thread: usize,
    worked: &mut Worked,
    together: Option<(&Meeting, &Exchange)>,
) -> Result<(), Error> {
    let mut pending: Vec<Tensor> = Vec::new();
    for iteration in 0..plan.iterations {
        if let Some((meeting, exchange)) = together {
            meeting.iterations.fetch_add(1, Ordering::Relaxed);
            if meeting.stopped.load(Ordering::Relaxed) {
                exchange.give_up();
                break;
            }
        }
        let start = Instant::now();
        if let Some((meeting, _)) = together {
            let inside = meeting.inside.fetch_add(1, Ordering::Relaxed) + 1;
            meeting.inside_max.fetch_max(inside, Ordering::Relaxed);
        }
        let outcome = iterate(device, plan, variant, number, thread, iteration, &mut pending, together.map(|t| t.1));
        if let Some((meeting, _)) = together {
            meeting.inside.fetch_sub(1, Ordering::Relaxed);
        }
        let product = outcome?;
        if (iteration + 1) % plan.sync_every == 0 || iteration + 1 == plan.iterations {
            worked.values.fingerprints.push(product.fingerprint()?);
            let scalars = read_all::<f32>(&pending.iter().collect::<Vec<_>>())?;
            worked.values.scalars.extend(scalars.iter().map(|x| x.to_bits()));
            pending.clear();
        }
        worked.nanoseconds.push(nanoseconds(start.elapsed()));
    }
    device.synchronize().map_err(Error::from)
}

#[expect(clippy::too_many_arguments, reason = "the coordinates of one iteration")]
fn iterate(
    device: &Device,
    plan: &Plan,
    variant: Variant,
    number: u64,
    thread: usize,
    iteration: u64,
    pending: &mut Vec<Tensor>,
    exchange: Option<&Exchange>,
) -> Result<Tensor> {
    let product = product(device, plan, &mut generator(plan, number, thread, iteration))?;
    pending.push(product.sum()?);
    pending.push(product.mean()?);
    if variant == Variant::HandOver && plan.threads > 1 && iteration % HAND_OVER_EVERY == HAND_OVER_EVERY - 1 {
        let neighbour = (thread + 1) % plan.threads;
        let theirs = match exchange {
            None => Some(recompute(device, plan, number, neighbour, iteration)?),
            Some(exchange) => {
                exchange.give(thread, product.clone());
                exchange.use_and_drop_discards(thread)?;
                exchange.take(thread)
            }
        };
        if let Some(theirs) = theirs {
            pending.push(product.add(&theirs)?.sum()?);
            if let Some(exchange) = exchange {
                exchange.discard(thread, theirs);
            }
        }
    }
    Ok(product)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
