//! The threads of one round: they start together, call the workload, read what it returned, and hand some of it to each other.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millstream::{Device, Generator, Tensor};
use millstream_sync::atomic::{AtomicU64, Ordering};
use millstream_sync::{Arc, BoundedQueue, Doorbell};

use super::{Rounds, Work, Workload};
use crate::round::panics;

/// Calls between two whose first tensor goes to the next thread.
pub const HAND_OVER_EVERY: u64 = 5;

/// Calls of a thread between two that let others in first.
const YIELD_EVERY: u64 = 4;

/// Fingerprints of the tensors of one call.
pub(super) type Values = Vec<u64>;

/// A tensor on its way to another thread: who made it, in which call.
type Handed = (usize, u64, Tensor);

/// What a thread brings home.
#[derive(Debug, Default)]
pub(super) struct Worked {
    /// One for each call.
    pub(super) values: Vec<Values>,
    /// Maker, call and fingerprint of what another thread handed over.
    pub(super) foreign: Vec<(usize, u64, u64)>,
    /// Why it ended early.
    pub(super) failure: Option<String>,
}

/// What the threads of a round did.
pub(super) struct Done {
    /// By thread; `None`: not back at the deadline.
    pub(super) workers: Vec<Option<Worked>>,
    pub(super) seconds: f64,
    /// Most threads inside the workload at once.
    pub(super) max_concurrent: u64,
}

/// What the threads share. It lives as long as the last of them.
struct Crowd {
    call: Arc<Workload>,
    device: Device,
    seed: u64,
    iterations: u64,
    sync_every: u64,
    mailboxes: Vec<BoundedQueue<Handed>>,
    arrived: AtomicU64,
    started: Doorbell,
    inside: AtomicU64,
    inside_max: AtomicU64,
}

/// Calls the workload as `thread` would, one call after another. Errors: the call that failed, and how.
pub(super) fn alone(rounds: &Rounds, call: &Workload, device: &Device, seed: u64) -> Result<Vec<Vec<Values>>, String> {
    let one = |thread: usize, iteration: u64| -> Result<Values, String> {
        let tensors = guarded(call, device, seed, thread, iteration)?;
        tensors.iter().map(|tensor| fingerprint(tensor, thread, iteration)).collect()
    };
    (0..rounds.threads).map(|thread| (0..rounds.iterations).map(|iteration| one(thread, iteration)).collect()).collect()
}

/// Calls it from all threads at once. Blocks the host, at most until the deadline.
pub(super) fn together(rounds: &Rounds, call: &Arc<Workload>, device: &Device, seed: u64) -> Done {
    let crowd = Arc::new(Crowd {
        call: call.clone(),
        device: device.clone(),
        seed,
        iterations: rounds.iterations,
        sync_every: rounds.sync_every,
        mailboxes: (0..rounds.threads).map(|_| BoundedQueue::with_capacity(8)).collect(),
        arrived: AtomicU64::new(0),
        started: Doorbell::new(),
        inside: AtomicU64::new(0),
        inside_max: AtomicU64::new(0),
    });
    let spawn = |thread: usize| {
        let crowd = crowd.clone();
        std::thread::Builder::new().name(format!("round-{thread}")).spawn(move || crowd.work(thread))
    };
    let handles: Vec<_> = (0..rounds.threads).map(spawn).collect();
    let spawned = handles.iter().filter(|handle| handle.is_ok()).count() as u64;
    crowd.started.wait_until(None, || crowd.arrived.load(Ordering::Relaxed) >= spawned);
    let begun = Instant::now();
    crowd.arrived.fetch_add(1 + rounds.threads as u64 - spawned, Ordering::Relaxed);
    crowd.started.ring();
    while begun.elapsed() < rounds.deadline && handles.iter().flatten().any(|handle| !handle.is_finished()) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let seconds = begun.elapsed().as_secs_f64();
    let workers = handles.into_iter().map(home).collect();
    Done { workers, seconds, max_concurrent: crowd.inside_max.load(Ordering::Relaxed) }
}

fn home(handle: std::io::Result<JoinHandle<Worked>>) -> Option<Worked> {
    let failed = |text: String| Some(Worked { failure: Some(text), ..Worked::default() });
    match handle {
        Ok(handle) if !handle.is_finished() => None,
        Ok(handle) => handle.join().map_or_else(|_| failed("the thread panicked on its way out".to_owned()), Some),
        Err(error) => failed(format!("the thread could not be started: {error}")),
    }
}

impl Crowd {
    fn work(&self, thread: usize) -> Worked {
        self.arrived.fetch_add(1, Ordering::Relaxed);
        self.started.ring();
        let all = self.mailboxes.len() as u64;
        self.started.wait_until(None, || self.arrived.load(Ordering::Relaxed) > all);
        let mut worked = Worked::default();
        worked.failure = self.calls(thread, &mut worked).err();
        worked
    }

    fn calls(&self, thread: usize, worked: &mut Worked) -> Result<(), String> {
        let mut kept = Vec::new();
        for iteration in 0..self.iterations {
            let inside = self.inside.fetch_add(1, Ordering::Relaxed) + 1;
            self.inside_max.fetch_max(inside, Ordering::Relaxed);
            if (iteration + thread as u64).is_multiple_of(YIELD_EVERY) {
                // Others get into the workload while this one is in it, on few processors too.
                std::thread::yield_now();
            }
            let tensors = guarded(&*self.call, &self.device, self.seed, thread, iteration);
            self.inside.fetch_sub(1, Ordering::Relaxed);
            let tensors = tensors?;
            if let Some(first) = tensors.first().filter(|_| iteration % HAND_OVER_EVERY == HAND_OVER_EVERY - 1) {
                // A full mailbox: its owner is behind, and this one is dropped here instead.
                let next = (thread + 1) % self.mailboxes.len();
                let _ = self.mailboxes[next].try_push((thread, iteration, first.clone()));
            }
            kept.push(tensors);
            if (iteration + 1) % self.sync_every == 0 || iteration + 1 == self.iterations {
                self.read(thread, &mut kept, worked)?;
            }
        }
        Ok(())
    }

    /// Reads what the last calls returned, and what the neighbour left.
    fn read(&self, thread: usize, kept: &mut Vec<Vec<Tensor>>, worked: &mut Worked) -> Result<(), String> {
        for tensors in kept.drain(..) {
            let iteration = worked.values.len() as u64;
            let values = tensors.iter().map(|tensor| fingerprint(tensor, thread, iteration));
            worked.values.push(values.collect::<Result<Values, String>>()?);
        }
        while let Some((maker, iteration, tensor)) = self.mailboxes[thread].try_pop() {
            worked.foreign.push((maker, iteration, fingerprint(&tensor, maker, iteration)?));
        }
        Ok(())
    }
}

fn guarded(call: &Workload, device: &Device, seed: u64, thread: usize, iteration: u64) -> Result<Vec<Tensor>, String> {
    let generator = Generator::new(seed).split(thread as u64).split(iteration);
    let mut work = Work { device, thread, iteration, generator };
    let place = |what: String| format!("thread {thread}, call {iteration}: {what}");
    match panics::caught(|| call(&mut work)) {
        Ok(Ok(tensors)) => Ok(tensors),
        Ok(Err(error)) => Err(place(format!("failed: {error}"))),
        Err(panic) => Err(place(format!("panicked: {panic}"))),
    }
}

fn fingerprint(tensor: &Tensor, thread: usize, iteration: u64) -> Result<u64, String> {
    tensor
        .fingerprint()
        .map_err(|error| format!("thread {thread}, call {iteration}: its tensor cannot be read: {error}"))
}
