//! One configuration: its threads, what they hand around, how they end, and the comparison of every value with the sequential run.

use std::time::{Duration, Instant};

use millstream::{Device, Error, Generator, RuntimeError, Tensor, read_all};
use millstream_sync::atomic::{AtomicU64, Ordering};
use millstream_sync::{Arc, BoundedQueue};

use super::settings::{Exit, HandOver, PATIENCE, Settings};
use crate::attempts::probes::{Verdict, opened, text};
use crate::attempts::stage::{Steps, at_rest};
use crate::open;
use crate::plan::DeviceName;

/// Iterations of each thread.
const ITERATIONS: u64 = 12;

/// What a thread that is to panic unwinds with.
struct Unwound;

/// A sum, and the product that it is of.
struct Pending {
    key: u64,
    sum: Tensor,
}

/// What the sequential run has: the bits of each sum, and the fingerprint of each product.
struct Expected(Vec<(u32, u64)>);

struct World {
    device: Device,
    settings: Settings,
    seed: u64,
    expected: Expected,
    start: Steps,
    /// Products for each thread to use, and tensors for it to drop.
    mail: Vec<BoundedQueue<(u64, Tensor)>>,
    discards: Vec<BoundedQueue<Tensor>>,
    /// What threads leave behind that end with work in flight.
    left: BoundedQueue<Pending>,
    compared: AtomicU64,
}

/// Runs `settings`; the values that were compared. Errors: what must not be.
pub(super) fn run(settings: &Settings, reference: &DeviceName, seed: u64) -> Result<u64, String> {
    let expected = Expected::of(settings, reference, seed)?;
    let device = open::open(&settings.device, seed, |options| settings.adjust(options)).map_err(text)?;
    let queues = || (0..settings.threads).map(|_| BoundedQueue::with_capacity(64)).collect();
    let world = Arc::new(World {
        device: device.clone(),
        settings: settings.clone(),
        seed,
        expected,
        start: Steps::default(),
        mail: queues(),
        discards: (0..settings.threads).map(|_| BoundedQueue::with_capacity(64)).collect(),
        left: BoundedQueue::with_capacity(4096),
        compared: AtomicU64::new(0),
    });
    let handles: Vec<_> = (0..settings.threads)
        .map(|thread| {
            let world = world.clone();
            std::thread::spawn(move || world.work(thread))
        })
        .collect();
    let mut verdict = Ok(());
    for (thread, handle) in handles.into_iter().enumerate() {
        let one = handle.join().unwrap_or_else(|panic| match panic.is::<Unwound>() {
            true => Ok(()),
            false => Err("panicked".to_owned()),
        });
        verdict = verdict.and(one.map_err(|error| format!("thread {thread}: {error}")));
    }
    verdict?;
    world.read_what_is_left()?;
    let compared = world.compared.load(Ordering::Relaxed);
    drop(world);
    at_rest(&device)?;
    match compared {
        0 => Err("nothing was compared".to_owned()),
        compared => Ok(compared),
    }
}

impl Expected {
    fn of(settings: &Settings, reference: &DeviceName, seed: u64) -> Result<Self, String> {
        let device = opened(reference, seed, 1)?;
        let value = |key: u64| {
            let product = product(&device, settings.size, seed, key)?;
            Ok((product.sum()?.item::<f32>()?.to_bits(), product.fingerprint()?))
        };
        let keys = 0..settings.threads as u64 * ITERATIONS;
        keys.map(value).collect::<millstream::Result<_>>().map(Self).map_err(text)
    }
}

fn product(device: &Device, size: usize, seed: u64, key: u64) -> millstream::Result<Tensor> {
    let mut generator = Generator::new(seed).split(key);
    let a = Tensor::randn(device, &[size, size], &mut generator)?;
    let b = Tensor::randn(device, &[size, size], &mut generator)?;
    a.matmul(&b)
}

/// Again while there is no stream: under `Fail` that is what a thread is to do.
fn patiently<T>(f: impl Fn() -> millstream::Result<T>) -> Result<T, String> {
    let begun = Instant::now();
    loop {
        match f() {
            Err(Error::Runtime(RuntimeError::NoStream { .. })) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_micros(200));
            }
            other => return other.map_err(text),
        }
    }
}

impl World {
    fn work(&self, thread: usize) -> Verdict {
        let Settings { threads, exit, hand_over, sync_every, size, .. } = self.settings;
        self.start.advance();
        self.start.wait_for(threads as u32)?;
        let late = matches!(exit, Exit::InFlight | Exit::Panics);
        let (mut pending, mut kept) = (Vec::new(), Vec::new());
        for iteration in 0..ITERATIONS {
            let key = thread as u64 * ITERATIONS + iteration;
            let made = patiently(|| product(&self.device, size, self.seed, key))?;
            pending.push(Pending { key, sum: patiently(|| made.sum())? });
            if hand_over != HandOver::None {
                // A queue that is full: the tensor is dropped here.
                let _ = self.mail[(thread + 1) % threads].try_push((key, made.clone()));
            }
            self.use_what_came(thread, &mut pending)?;
            let last = iteration + 1 == ITERATIONS;
            if last && late {
                kept.push(made);
            } else if last || sync_every.is_some_and(|every| (iteration + 1) % every == 0) {
                self.settle(&mut pending, Some((key, made)))?;
            }
        }
        match exit {
            Exit::Waits => patiently(|| self.device.synchronize().map_err(Error::from)),
            Exit::Leaves => {
                self.device.leave_thread();
                Ok(())
            }
            Exit::InFlight | Exit::Panics => {
                for one in pending {
                    if self.left.try_push(one).is_err() {
                        return Err("there is no room for what it leaves".to_owned());
                    }
                }
                if exit == Exit::Panics {
                    // `kept` drops on the way out. No hook is called, nothing is printed.
                    std::panic::resume_unwind(Box::new(Unwound));
                }
                Ok(())
            }
        }
    }

    /// Uses the products of the thread before, and drops what is left to this thread to drop.
    fn use_what_came(&self, thread: usize, pending: &mut Vec<Pending>) -> Verdict {
        while let Some((key, theirs)) = self.mail[thread].try_pop() {
            pending.push(Pending { key, sum: patiently(|| theirs.sum())? });
            if self.settings.hand_over == HandOver::Third {
                let _ = self.discards[(thread + 1) % self.settings.threads].try_push(theirs);
            }
        }
        while let Some(theirs) = self.discards[thread].try_pop() {
            drop(theirs);
        }
        Ok(())
    }

    /// Reads and compares; then others may have the stream.
    fn settle(&self, pending: &mut Vec<Pending>, product: Option<(u64, Tensor)>) -> Verdict {
        if let Some((key, product)) = product {
            let (found, wanted) = (patiently(|| product.fingerprint())?, self.expected.0[key as usize].1);
            if found != wanted {
                return Err(format!("product {key} has fingerprint {found:016x}, sequential {wanted:016x}"));
            }
            self.compared.fetch_add(1, Ordering::Relaxed);
        }
        let sums: Vec<&Tensor> = pending.iter().map(|one| &one.sum).collect();
        let found = if sums.is_empty() { Vec::new() } else { patiently(|| read_all::<f32>(&sums))? };
        for (one, found) in pending.iter().zip(&found) {
            let wanted = self.expected.0[one.key as usize].0;
            if found.to_bits() != wanted {
                return Err(format!(
                    "the sum of product {} is {:08x}, sequential {wanted:08x}",
                    one.key,
                    found.to_bits()
                ));
            }
        }
        self.compared.fetch_add(found.len() as u64, Ordering::Relaxed);
        pending.clear();
        if self.settings.is_crowded() {
            self.device.leave_thread();
        }
        Ok(())
    }

    /// On this thread, with all others gone: what they left in flight, and products that nobody came for.
    fn read_what_is_left(&self) -> Verdict {
        let mut pending = Vec::new();
        while let Some(one) = self.left.try_pop() {
            pending.push(one);
        }
        for thread in 0..self.settings.threads {
            self.use_what_came(thread, &mut pending)?;
        }
        for thread in 0..self.settings.threads {
            while let Some(theirs) = self.discards[thread].try_pop() {
                drop(theirs);
            }
        }
        self.settle(&mut pending, None)
    }
}
