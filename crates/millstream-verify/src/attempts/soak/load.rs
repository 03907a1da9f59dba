//! The load of a soak: threads that come, multiply, hand over, compare and go, window after window on one device.

use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use millstream::{Device, Generator, Tensor, read_all};
use millstream_sync::atomic::{AtomicBool, AtomicU64, Ordering};
use millstream_sync::{Arc, BoundedQueue};

use crate::attempts::probes::{Verdict, text};
use crate::model::{Soak, SoakWindow};

/// Threads of a window.
pub(super) const THREADS: usize = 8;
/// Different products; each has its value from a sequential run.
const KEYS: u64 = 48;
const SIZES: [usize; 4] = [8, 24, 64, 96];
/// Iterations between two waits.
const SYNC_EVERY: u64 = 8;

/// What every value must be: bits of the sum, fingerprint of the product.
type Expected = Vec<(u32, u64)>;

/// What is done beside each iteration; tests plant leaks here.
pub type Beside = dyn Fn(&Tensor) + Send + Sync;

/// What the threads of all windows share.
pub(super) struct Load {
    device: Device,
    seed: u64,
    expected: Expected,
    mail: Vec<BoundedQueue<(u64, Tensor)>>,
    over: AtomicBool,
    compared: AtomicU64,
    mismatches: AtomicU64,
    beside: Box<Beside>,
}

impl Load {
    /// The load on `device`, with the values of a sequential run on `reference`. Errors: those of the run.
    pub(super) fn new(
        device: &Device,
        reference: &Device,
        seed: u64,
        beside: Box<Beside>,
    ) -> Result<Arc<Self>, String> {
        let value = |key: u64| {
            let product = product(reference, seed, key)?;
            Ok((product.sum()?.item::<f32>()?.to_bits(), product.fingerprint()?))
        };
        let expected = (0..KEYS).map(value).collect::<millstream::Result<_>>().map_err(text)?;
        reference.leave_thread();
        Ok(Arc::new(Self {
            device: device.clone(),
            seed,
            expected,
            mail: (0..THREADS).map(|_| BoundedQueue::with_capacity(16)).collect(),
            over: AtomicBool::new(false),
            compared: AtomicU64::new(0),
            mismatches: AtomicU64::new(0),
            beside,
        }))
    }

    /// One window of this length, appended to `soak`. Errors: an operation or a thread that failed.
    pub(super) fn window(self: &Arc<Self>, length: Duration, soak: &mut Soak) -> Verdict {
        self.over.store(false, Ordering::Relaxed);
        let (begun, cpu) = (Instant::now(), ProcessTime::now());
        let number = soak.windows.len() as u64;
        let handles: Vec<_> = (0..THREADS as u64)
            .map(|thread| {
                let load = self.clone();
                std::thread::spawn(move || load.work(number * 1000 + thread, thread as usize))
            })
            .collect();
        std::thread::sleep(length);
        self.over.store(true, Ordering::Relaxed);
        let (mut samples, mut verdict) = (Vec::new(), Ok(()));
        for handle in handles {
            match handle.join() {
                Ok(Ok(mut theirs)) => samples.append(&mut theirs),
                Ok(Err(error)) => verdict = verdict.and(Err(error)),
                Err(_) => verdict = Err("a thread panicked".to_owned()),
            }
        }
        verdict?;
        let seconds = begun.elapsed().as_secs_f64();
        let cpu = cpu.elapsed().as_secs_f64();
        self.drop_the_mail()?;
        let stats = self.device.memory_stats();
        samples.sort_unstable();
        let percentile = |p: usize| samples.get(samples.len() * p / 100).map_or(0.0, |ns| *ns as f64 / 1000.0);
        soak.threads = THREADS as u64;
        soak.seconds += seconds;
        soak.operations += samples.len() as u64;
        soak.values_compared = self.compared.load(Ordering::Relaxed);
        soak.mismatches = self.mismatches.load(Ordering::Relaxed);
        soak.windows.push(SoakWindow {
            end_s: soak.seconds,
            operations: samples.len() as u64,
            p50_us: percentile(50),
            p99_us: percentile(99),
            cpu_us: cpu * 1e6 / samples.len().max(1) as f64,
            live_bytes: stats.live_bytes as u64,
            reserved_bytes: stats.reserved_bytes as u64,
            resident_bytes: resident(),
        });
        Ok(())
    }

    /// Nanoseconds of each iteration of one thread.
    fn work(&self, first: u64, thread: usize) -> Result<Vec<u64>, String> {
        let (mut samples, mut pending) = (Vec::new(), Vec::new());
        for iteration in 0.. {
            let begun = Instant::now();
            let key = (first.wrapping_mul(31) + iteration) % KEYS;
            let made = product(&self.device, self.seed, key).map_err(text)?;
            (self.beside)(&made);
            pending.push((key, made.sum().map_err(text)?));
            if iteration % 4 == 0 {
                // What finds no room is dropped here.
                let _ = self.mail[(thread + 1) % THREADS].try_push((key, made.clone()));
            }
            while let Some((key, theirs)) = self.mail[thread].try_pop() {
                pending.push((key, theirs.sum().map_err(text)?));
            }
            // A thread ends in the middle of its work every other time.
            let over = self.over.load(Ordering::Relaxed);
            if iteration % SYNC_EVERY == SYNC_EVERY - 1 || (over && thread.is_multiple_of(2)) {
                self.compare(&mut pending, Some((key, made)))?;
            }
            samples.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
            if over {
                break;
            }
        }
        Ok(samples)
    }

    fn compare(&self, pending: &mut Vec<(u64, Tensor)>, product: Option<(u64, Tensor)>) -> Verdict {
        let mut wrong = 0;
        let mut compared = pending.len() as u64;
        if let Some((key, product)) = product {
            wrong += u64::from(product.fingerprint().map_err(text)? != self.expected[key as usize].1);
            compared += 1;
        }
        let sums: Vec<&Tensor> = pending.iter().map(|(_, sum)| sum).collect();
        let found = if sums.is_empty() { Vec::new() } else { read_all::<f32>(&sums).map_err(text)? };
        let differs = |(one, found): (&(u64, Tensor), &f32)| found.to_bits() != self.expected[one.0 as usize].0;
        wrong += pending.iter().zip(&found).filter(|pair| differs(*pair)).count() as u64;
        self.compared.fetch_add(compared, Ordering::Relaxed);
        self.mismatches.fetch_add(wrong, Ordering::Relaxed);
        pending.clear();
        Ok(())
    }

    /// What nobody came for, used here: its makers have gone.
    fn drop_the_mail(&self) -> Verdict {
        let mut pending = Vec::new();
        for queue in &self.mail {
            while let Some((key, theirs)) = queue.try_pop() {
                pending.push((key, theirs.sum().map_err(text)?));
            }
        }
        self.compare(&mut pending, None)?;
        self.device.leave_thread();
        self.device.synchronize_all(None).map_err(text)
    }
}

fn product(device: &Device, seed: u64, key: u64) -> millstream::Result<Tensor> {
    let size = SIZES[key as usize % SIZES.len()];
    let mut generator = Generator::new(seed).split(key);
    let a = Tensor::randn(device, &[size, size], &mut generator)?;
    let b = Tensor::randn(device, &[size, size], &mut generator)?;
    a.matmul(&b)
}

/// Pages of the process in use, in bytes. `None`: this system does not say.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(text.split_whitespace().nth(1)?.parse::<u64>().ok()? * 4096)
}
