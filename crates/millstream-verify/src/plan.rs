//! What a round is asked to do.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::model_folder::ModelFolder;

/// A device by its name on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DeviceName {
    /// `cpu`: the calling threads do the work.
    Cpu,
    /// `cpu:queued`: a worker thread for each stream.
    CpuQueued,
    /// `sim`: the adversarial simulator.
    Sim,
    /// `cuda` or `cuda:I`.
    Cuda(u32),
}

impl FromStr for DeviceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "cpu:queued" => Ok(Self::CpuQueued),
            "sim" => Ok(Self::Sim),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                text.strip_prefix("cuda:").and_then(|index| index.parse().ok()).map(Self::Cuda).ok_or_else(|| {
                    format!("unknown device {text:?}: the devices are cpu, cpu:queued, sim and cuda[:I]")
                })
            }
        }
    }
}

impl DeviceName {
    /// Whether a process spends about a second on its first opening.
    #[must_use]
    pub fn is_dear_to_open(&self) -> bool {
        matches!(self, Self::Cuda(_))
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::CpuQueued => f.write_str("cpu:queued"),
            Self::Sim => f.write_str("sim"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

/// How long a soak lasts by default.
pub const SOAK: Duration = Duration::from_secs(20);

/// The settings of a round or of a stress run. The defaults are those of the first report.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// On which device.
    pub device: DeviceName,
    /// Worker threads, 1 to 1024.
    pub threads: usize,
    /// Iterations of each thread in one block.
    pub iterations: u64,
    /// Iterations between two synchronizations.
    pub sync_every: u64,
    /// Side of the square matrices.
    pub size: usize,
    /// Blocks with fresh seeds follow each other until this has passed; zero: one block.
    pub duration: Duration,
    /// How long the soak lasts.
    pub soak: Duration,
    /// Iterations of each thread before the clock of a block starts; their values are dropped.
    pub warm_up: u64,
    /// Seed of every random choice.
    pub seed: u64,
    /// Whether every value is compared with the sequential run.
    pub compare: bool,
    /// A model of the user's that is verified too.
    pub model: Option<ModelFolder>,
    /// Whether an attempt ends with its first finding, its later probes not run: enough to see that a seeded bug is caught.
    pub first_finding: bool,
}

impl Plan {
    /// The defaults, on `device`, with `seed`.
    #[must_use]
    pub fn new(device: DeviceName, seed: u64) -> Self {
        Self {
            device,
            threads: 20,
            iterations: 500,
            sync_every: 50,
            size: 256,
            duration: Duration::from_secs(5),
            soak: SOAK,
            warm_up: 0,
            seed,
            compare: true,
            model: None,
            first_finding: false,
        }
    }
}

/// How a long run tells what it is doing.
pub trait Progress: Sync {
    /// A new stage begins: `attempt 3 of 3: extended stress`.
    fn stage(&self, text: &str);
    /// `done` of `of` steps of the stage are done.
    fn advance(&self, done: u64, of: u64);
    /// Whether the user has asked to stop (^C). A run that sees it ends as soon as it can.
    fn interrupted(&self) -> bool {
        false
    }
}

/// Says nothing.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _text: &str) {}
    fn advance(&self, _done: u64, _of: u64) {}
}
