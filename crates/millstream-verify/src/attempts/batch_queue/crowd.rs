//! What the probes of the batch queue share: a model of a few values on a device, and callers whose patience ends.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use millstream::Device;
use millstream_sync::atomic::{AtomicBool, AtomicU32, Ordering};
use millstream_sync::batch_queue::{BatchOptions, BatchQueue, Call, Pending, Work};
use millstream_sync::{Arc, Doorbell, thread};

use super::super::probes::{Verdict, opened, text, work, zero};
use super::super::stage::{LONG, at_rest};
use crate::plan::Plan;

/// How long all callers of a probe may take. They need milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Different values that are asked for.
pub(super) const KEYS: u64 = 8;

/// What is batched: values of the device. 100 is an error, 101 a panic; a 102 holds its batch while the gate is shut.
pub(super) struct Model {
    device: Device,
    runs: Arc<AtomicU32>,
    shut: Arc<AtomicBool>,
}

impl Work for Model {
    type Asked = u64;
    type Input = u64;
    type Output = u32;
    type Error = String;

    fn prepare(&self, key: &u64) -> Result<u64, String> {
        Ok(*key)
    }

    fn tokens(&self, key: &u64) -> usize {
        if *key == 102 { 48 } else { 16 }
    }

    fn run(&self, batch: &[&u64]) -> Result<Vec<u32>, String> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let begun = Instant::now();
        while batch.contains(&&102) && self.shut.load(Ordering::Relaxed) && begun.elapsed() < LONG {
            thread::sleep(Duration::from_micros(200));
        }
        if batch.contains(&&101) {
            // Without the process's hook: it is wanted.
            resume_unwind(Box::new("a panic that was asked for"));
        }
        if batch.contains(&&100) {
            return Err("an error that was asked for".to_owned());
        }
        batch.iter().map(|key| value(&self.device, **key)).collect()
    }
}

fn value(device: &Device, key: u64) -> Result<u32, String> {
    work(device, key % KEYS).and_then(|sum| sum.item::<f32>()).map(f32::to_bits).map_err(text)
}

/// A device, a queue in front of it, and what the values must be.
pub(super) struct Stage {
    pub(super) device: Device,
    pub(super) queue: BatchQueue<Model>,
    pub(super) values: Arc<Vec<u32>>,
    pub(super) runs: Arc<AtomicU32>,
    shut: Arc<AtomicBool>,
}

impl Stage {
    pub(super) fn new(plan: &Plan, run: u64, options: BatchOptions) -> Result<Self, String> {
        let device = opened(&plan.device, plan.seed ^ run, options.workers + 1)?;
        let values = (0..KEYS).map(|key| value(&device, key)).collect::<Result<_, _>>()?;
        let (runs, shut) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let model = Model { device: device.clone(), runs: Arc::clone(&runs), shut: Arc::clone(&shut) };
        let queue = BatchQueue::new(model, options).map_err(text)?;
        Ok(Self { device, queue, values: Arc::new(values), runs, shut })
    }

    /// One worker is held by a batch until the gate is opened.
    pub(super) fn held(&self) -> Result<Pending<Model>, String> {
        self.shut.store(true, Ordering::Relaxed);
        let holder = self.queue.submit(&102, Call::default()).map_err(text)?;
        let begun = Instant::now();
        while self.runs.load(Ordering::Relaxed) == 0 {
            if begun.elapsed() > PATIENCE {
                return Err("a request at an idle queue was not taken".to_owned());
            }
            thread::yield_now();
        }
        Ok(holder)
    }

    pub(super) fn open(&self) {
        self.shut.store(false, Ordering::Relaxed);
    }

    /// The workers have left, and nothing of theirs is on the device.
    pub(super) fn at_rest(self) -> Verdict {
        if !self.queue.drain(Some(PATIENCE)) {
            return Err("the workers have not left".to_owned());
        }
        let figures = self.queue.figures().unwrap_or_default();
        zero("requests that wait at rest", figures.waiting as u64)?;
        zero("batches at work at rest", figures.at_work as u64)?;
        drop(self.queue);
        at_rest(&self.device)
    }
}

pub(super) fn options(workers: usize) -> BatchOptions {
    BatchOptions { batch_tokens: 64, max_delay: Duration::from_micros(300), capacity: 64, workers }
}

/// A bell as a waker.
#[derive(Default)]
struct Bell(AtomicU32, Doorbell);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        self.1.ring();
    }
}

/// Polls `future` on this thread whenever its waker was called. `None`: it was not for too long.
pub(super) fn block_on<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    for seen in 0.. {
        // Wakes before a look count for it: one more look does no harm.
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        if !bell.1.wait_until(Some(PATIENCE), || bell.0.load(Ordering::Relaxed) > seen) {
            break;
        }
    }
    None
}

/// Starts callers and waits until all have an answer. Errors: that of one, or that some wait on.
pub(super) fn callers(count: usize, body: impl Fn(usize) -> Verdict + Send + Clone + 'static) -> Verdict {
    let ended = Arc::new((AtomicU32::new(0), Doorbell::new()));
    let threads: Vec<_> = (0..count)
        .map(|number| {
            let (body, ended) = (body.clone(), Arc::clone(&ended));
            thread::spawn(move || {
                let verdict = body(number);
                ended.0.fetch_add(1, Ordering::Relaxed);
                ended.1.ring();
                verdict
            })
        })
        .collect();
    let all = || ended.0.load(Ordering::Relaxed) as usize == count;
    if !ended.1.wait_until(Some(PATIENCE), all) {
        // A panic is told below: its thread can be joined.
        let waiting = threads.iter().filter(|thread| !thread.is_finished()).count();
        if waiting > 0 {
            return Err(format!("{waiting} of {count} callers were left waiting"));
        }
    }
    let mut verdict = Ok(());
    for thread in threads {
        verdict = verdict.and(thread.join().unwrap_or_else(|_| Err("a caller panicked".to_owned())));
    }
    verdict
}
