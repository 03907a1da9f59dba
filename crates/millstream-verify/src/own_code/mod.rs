//! Rounds on the user's own code, as a library: a closure runs on many threads at once, and everything it returns is compared with the same calls made one after another.
//!
//! ```
//! use millstream::Tensor;
//! use millstream_verify::own_code::Rounds;
//!
//! let report = Rounds::new(2).threads(4).iterations(8).workload(|work| {
//!     let a = Tensor::randn(work.device, &[32, 32], &mut work.generator)?;
//!     Ok(vec![a.matmul(&a)?.sum()?])
//! });
//! let report = report.run()?;
//! assert!(report.is_clean(), "{report}");
//! # Ok::<(), millstream_verify::Error>(())
//! ```
//!
//! What the round supplies is the hostile part: threads that start together, a tensor of every [`HAND_OVER_EVERY`]th iteration that the next thread reads and drops, a comparison of every
//! element of every tensor, and a look at what is left. A finding names thread and iteration; the seed in the report makes the same draws again.
//!
//! These rounds belong to the user's tests: they write no ledger, and no line of them counts as a round of the product.
//!
//! **Invariants**
//! * `same-calls`: the sequential run makes the same calls with the same generators; thread and iteration alone decide them.
//! * `compared-or-incomplete`: a round that compared nothing, or whose threads never met, is not clean.
//! * `hang-is-found`: a thread that is not done at the deadline is a finding; it is left behind, since nothing can end it.
//!
//! **Checked by** `tests/own_code.rs`.

mod crowd;
mod report;
mod round;

use std::path::PathBuf;
use std::time::Duration;

use millstream::{Device, Generator, Tensor};
use millstream_sync::Arc;

pub use crowd::HAND_OVER_EVERY;
pub use report::{Report, RoundOfCode, SCHEMA};

use crate::attempts::{self, Entry, probes::Child};
use crate::plan::DeviceName;
use crate::{Error, Result};

/// What a call of the workload may fail with.
pub type WorkError = Box<dyn std::error::Error + Send + Sync>;

/// What one call of the workload is given.
#[derive(Debug)]
pub struct Work<'a> {
    /// The device of the round.
    pub device: &'a Device,
    /// Number of the thread, from 0.
    pub thread: usize,
    /// Number of the call on this thread, from 0.
    pub iteration: u64,
    /// Random numbers of this call alone: the same in the sequential run and whenever the seed is the same.
    pub generator: Generator,
}

type Workload = dyn Fn(&mut Work<'_>) -> std::result::Result<Vec<Tensor>, WorkError> + Send + Sync;

/// Rounds to run on the user's own code. The defaults are those of the first report where they fit a test: 20 threads, 50 calls each, a sync every 10.
#[derive(Clone)]
pub struct Rounds {
    rounds: u64,
    threads: usize,
    iterations: u64,
    sync_every: u64,
    seed: u64,
    deadline: Duration,
    name: DeviceName,
    device: Option<Device>,
    attempts: Vec<String>,
    binary: Option<PathBuf>,
    workload: Option<Arc<Workload>>,
}

impl Rounds {
    /// `rounds` rounds on the CPU; they end early at the first that is not clean.
    #[must_use]
    pub fn new(rounds: u64) -> Self {
        Self {
            rounds,
            threads: 20,
            iterations: 50,
            sync_every: 10,
            seed: 1,
            deadline: Duration::from_secs(60),
            name: DeviceName::Cpu,
            device: None,
            attempts: Vec::new(),
            binary: None,
            workload: None,
        }
    }

    /// Threads that call the workload at once. One thread compares too, but shows nothing about threads: such a round is incomplete.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// Calls of each thread.
    #[must_use]
    pub fn iterations(self, iterations: u64) -> Self {
        Self { iterations, ..self }
    }

    /// Calls between two reads of what they returned; until then a thread keeps the tensors.
    #[must_use]
    pub fn sync_every(self, calls: u64) -> Self {
        Self { sync_every: calls.max(1), ..self }
    }

    /// Seed of the first round; each further round derives its own.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// How long the threads of a round, and each probe in a process of its own, may take.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Opens this device anew for every round, and shuts it down after it.
    #[must_use]
    pub fn on(self, name: DeviceName) -> Self {
        Self { name, device: None, ..self }
    }

    /// Uses the caller's device, where the workload has tensors of its own on it. It stays open.
    #[must_use]
    pub fn device(self, device: &Device) -> Self {
        Self { device: Some(device.clone()), ..self }
    }

    /// Runs these attempts of `millstream verify` in every round too, by their ids: `hand_over`, `memory`, `events`, ... They drive the runtime on devices of their own, of the
    /// kind named by [`Rounds::on`].
    #[must_use]
    pub fn attempts<S: Into<String>>(self, ids: impl IntoIterator<Item = S>) -> Self {
        Self { attempts: ids.into_iter().map(Into::into).collect(), ..self }
    }

    /// The `millstream` binary, for attempts with probes that need processes of their own.
    #[must_use]
    pub fn binary(self, path: impl Into<PathBuf>) -> Self {
        Self { binary: Some(path.into()), ..self }
    }

    /// What every thread calls. The tensors that it returns are compared, every element, bit for bit; an error or a panic is a finding.
    #[must_use]
    pub fn workload(
        self,
        call: impl Fn(&mut Work<'_>) -> std::result::Result<Vec<Tensor>, WorkError> + Send + Sync + 'static,
    ) -> Self {
        Self { workload: Some(Arc::new(call)), ..self }
    }

    /// Runs the rounds. Blocks the host until they are over. What the workload does wrong is in the report, not an error.
    ///
    /// # Errors
    /// [`Error::UnknownAttempt`], [`Error::NeedsBinary`] and [`Error::Absent`], before anything has run.
    pub fn run(&self) -> Result<Report> {
        let entries = self.attempts.iter().map(|id| self.entry(id)).collect::<Result<Vec<&Entry>>>()?;
        let mut rounds = Vec::new();
        for number in 1..=self.rounds {
            let round = round::run(self, &entries, number)?;
            let clean = round.result.is_clean();
            rounds.push(round);
            if !clean {
                break;
            }
        }
        Ok(Report { schema: SCHEMA, asked: self.rounds, rounds })
    }

    fn entry(&self, id: &str) -> Result<&'static Entry> {
        let entry = attempts::named(id).ok_or_else(|| Error::UnknownAttempt {
            id: id.to_owned(),
            known: attempts::ATTEMPTS.iter().map(|entry| entry.id).collect::<Vec<_>>().join(", "),
        })?;
        if self.binary.is_none() && attempts::probes::in_children(id) {
            return Err(Error::NeedsBinary { id: id.to_owned() });
        }
        Ok(entry)
    }

    fn child(&self) -> Child {
        let program = self.binary.clone().unwrap_or_default();
        Child { program, arguments: vec!["probe".to_owned()], timeout: self.deadline }
    }
}

impl std::fmt::Debug for Rounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Rounds({} of {} threads x {} calls, seed {:#x})",
            self.rounds, self.threads, self.iterations, self.seed
        )
    }
}
