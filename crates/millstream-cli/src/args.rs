//! The arguments of every command, as `docs/cli.md` promises them.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, value_parser};
use millstream_sync::seeded::{self, Bug};
use millstream_verify::plan::{DeviceName, Plan};

use crate::exit::Stop;
use crate::parse;

const AFTER: &str = "Exit codes: 0 clean, 1 findings, 2 incomplete, 64 usage, 65 damaged ledger or replay file,\n\
    69 device or feature absent, 70 internal, 73 cannot write, 75 ledger busy, 130 interrupted.";

/// Thread-safe parallel tensor execution that verifies itself, round after round.
#[derive(Debug, Parser)]
#[command(name = "millstream", version, after_help = AFTER, color = clap::ColorChoice::Never)]
#[command(arg_required_else_help = true, subcommand_required = true)]
struct Cli {
    /// Switch on one seeded bug in this process.
    #[arg(long, global = true, hide = true, value_name = "BUG", value_parser = parse::bug)]
    plant: Option<Bug>,
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a verification round and write its report and ledger line
    #[command(after_help = AFTER)]
    Verify(Box<Verify>),
    /// Run the stress workload alone and print its figures
    #[command(after_help = AFTER)]
    Stress(Stress),
    /// Run the stress workload shortly and write a trace of it for a viewer
    #[command(after_help = AFTER)]
    Trace(Trace),
    /// Turn texts into vectors with a model, from many threads that share its weights
    #[command(after_help = AFTER)]
    Embed(Embed),
    /// Score how well texts answer a query with a cross-encoder, from many threads that share its weights
    #[command(after_help = AFTER)]
    Rerank(Rerank),
    /// Read the ledger of rounds
    Ledger(Ledger),
    /// Show what this machine and this build have
    Doctor(Doctor),
    /// Run one probe; rounds start themselves again with it
    #[command(hide = true)]
    Probe(Probe),
}

/// The workload: the flags that `verify` and `stress` share.
#[derive(Args, Clone, Debug)]
pub struct Workload {
    /// Device: cpu, cpu:queued, sim, cuda or cuda:I
    #[arg(long, value_name = "D", default_value = "cpu", value_parser = parse::device)]
    pub device: DeviceName,
    /// Worker threads, 1..=1024
    #[arg(long, value_name = "T", default_value = "20", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub threads: usize,
    /// Iterations of each thread in a block, 1..=10000000
    #[arg(long, value_name = "I", default_value = "500", value_parser = value_parser!(u64).range(1..=10_000_000))]
    pub iterations: u64,
    /// Iterations between two synchronizations, 1..=10000000
    #[arg(long, value_name = "I", default_value = "50", value_parser = value_parser!(u64).range(1..=10_000_000))]
    pub sync_every: u64,
    /// Side of the square matrices, 1..=8192
    #[arg(long, value_name = "N", default_value = "256", value_parser = RangedU64ValueParser::<usize>::new().range(1..=8192))]
    pub size: usize,
    /// Repeat blocks until this has passed, such as 5s or 500ms; 0: one block
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse::duration)]
    pub duration: Duration,
    /// Seed, decimal or 0x; derived from subject and round when absent
    #[arg(long, value_name = "S", value_parser = parse::seed)]
    pub seed: Option<u64>,
}

impl Workload {
    /// The settings, with this seed.
    pub fn plan(&self, seed: u64) -> Plan {
        Plan {
            threads: self.threads,
            iterations: self.iterations,
            sync_every: self.sync_every,
            size: self.size,
            duration: self.duration,
            ..Plan::new(self.device.clone(), seed)
        }
    }
}

const SETTINGS: [&str; 8] = ["device", "threads", "iterations", "sync_every", "size", "duration", "soak", "seed"];

/// `millstream verify`.
#[derive(Args, Debug)]
pub struct Verify {
    #[command(flatten)]
    pub workload: Workload,
    /// Rounds to run, 1..=1000000; stops at the first that is not clean
    #[arg(long, value_name = "K", default_value = "1", value_parser = value_parser!(u64).range(1..=1_000_000))]
    pub rounds: u64,
    /// Run this attempt only, may be repeated; the ledger is not written
    #[arg(long, value_name = "ID", value_parser = parse::attempt)]
    pub attempt: Vec<String>,
    /// Run every attempt, not only the three of the first report
    #[arg(long, conflicts_with_all = ["attempt", "replay", "seeded_bugs"])]
    pub all: bool,
    /// How long the attempt `soak` lasts, such as 20s or 10m
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = parse::duration)]
    pub soak: Duration,
    /// Folder of reports and ledger
    #[arg(long, value_name = "DIR", default_value = "./verification")]
    pub out: PathBuf,
    /// One JSON object per round on standard output, everything else on standard error
    #[arg(long)]
    pub json: bool,
    /// Run the round of this JSON file again; the ledger is not written
    #[arg(long, value_name = "FILE", conflicts_with_all = SETTINGS, conflicts_with_all = ["rounds", "seeded_bugs"])]
    pub replay: Option<PathBuf>,
    /// Plant every seeded bug in a child process and see which attempt catches it; with --device on that device alone
    #[arg(long, conflicts_with_all = &SETTINGS[1..], conflicts_with_all = ["rounds", "attempt"])]
    pub seeded_bugs: bool,
    /// Source tree that the binary must match, instead of the one that is found
    #[arg(long, value_name = "DIR")]
    pub source: Option<PathBuf>,
    /// Verify the sentence encoder in this folder too, from all threads
    #[arg(long, value_name = "DIR", conflicts_with = "seeded_bugs")]
    pub model: Option<PathBuf>,
    /// End an attempt with its first finding.
    #[arg(long, hide = true, requires = "attempt")]
    pub first_finding: bool,
    /// How long to wait for the ledger of another round.
    #[arg(long, hide = true, value_name = "TIME", default_value = "10s", value_parser = parse::duration)]
    pub patience: Duration,
}

/// `millstream stress`.
#[derive(Args, Debug)]
pub struct Stress {
    #[command(flatten)]
    pub workload: Workload,
    /// Iterations of each thread before the clock of a block starts, 0..=10000000
    #[arg(long, value_name = "I", default_value = "0", value_parser = value_parser!(u64).range(..=10_000_000))]
    pub warm_up: u64,
    /// Streams of the device's pool, 1..=256; what the device advises when absent
    #[arg(long, value_name = "S", value_parser = RangedU64ValueParser::<usize>::new().range(1..=256))]
    pub streams: Option<usize>,
    /// Timing only: leave out the comparison with the sequential run
    #[arg(long)]
    pub no_compare: bool,
    /// One JSON object on standard output, everything else on standard error
    #[arg(long)]
    pub json: bool,
}

/// `millstream trace`.
#[derive(Args, Debug)]
pub struct Trace {
    /// Device: cpu, cpu:queued, sim, cuda or cuda:I
    #[arg(long, value_name = "D", default_value = "cpu", value_parser = parse::device)]
    pub device: DeviceName,
    /// Worker threads, 1..=1024
    #[arg(long, value_name = "T", default_value = "8", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub threads: usize,
    /// Iterations of each thread, 1..=10000000; the last 350 or so are kept
    #[arg(long, value_name = "I", default_value = "100", value_parser = value_parser!(u64).range(1..=10_000_000))]
    pub iterations: u64,
    /// File of the trace; one that exists is replaced
    #[arg(long, value_name = "FILE", default_value = "./trace.json")]
    pub out: PathBuf,
    /// One JSON object on standard output, everything else on standard error
    #[arg(long)]
    pub json: bool,
}

/// The flags that the commands with a model share.
#[derive(Args, Debug)]
pub struct Model {
    /// Folder of the model: config.json, model.safetensors, tokenizer.json
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// Device: cpu, cpu:queued, sim, cuda or cuda:I
    #[arg(long, value_name = "D", default_value = "cpu", value_parser = parse::device)]
    pub device: DeviceName,
    /// Worker threads, 1..=1024
    #[arg(long, value_name = "T", default_value = "20", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub threads: usize,
    /// Texts that a thread computes together, 1..=1024; shorter ones are filled up
    #[arg(long, value_name = "N", default_value = "1", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub batch: usize,
    /// Lines are objects such as {"text": ".."}, not texts
    #[arg(long)]
    pub jsonl: bool,
    /// Cut what is too long; without it it is an error
    #[arg(long)]
    pub truncate: bool,
    /// Most tokens, special ones included; the default is the folder's
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<usize>,
}

impl Model {
    /// Threads, and texts of a batch.
    #[cfg(feature = "models")]
    pub fn share(&self) -> [usize; 2] {
        [self.threads, self.batch]
    }
}

/// `millstream embed`.
#[derive(Args, Debug)]
pub struct Embed {
    #[command(flatten)]
    pub model: Model,
    /// Join the texts of all threads into batches of about one length and so many tokens, 1..=1048576
    #[arg(long, value_name = "B", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 20))]
    pub batch_tokens: Option<usize>,
    /// How states become a vector, mean, cls or last; the default is the folder's
    #[arg(long, value_name = "HOW", value_parser = ["mean", "cls", "last"])]
    pub pooling: Option<String>,
}

/// `millstream rerank`.
#[derive(Args, Debug)]
pub struct Rerank {
    #[command(flatten)]
    pub model: Model,
    /// What the texts are scored for
    #[arg(long, value_name = "Q")]
    pub query: String,
    /// Write the scores in the order of the lines, not the best first
    #[arg(long)]
    pub in_order: bool,
    /// How the model's number becomes a score, sigmoid or identity; the default is the folder's
    #[arg(long, value_name = "HOW", value_parser = ["sigmoid", "identity"])]
    pub activation: Option<String>,
}

/// `millstream ledger`.
#[derive(Args, Debug)]
pub struct Ledger {
    /// Folder of reports and ledger
    #[arg(long, global = true, value_name = "DIR", default_value = "./verification")]
    pub out: PathBuf,
    /// Objects on standard output, one a line, everything else on standard error
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub question: Question,
}

/// What to ask the ledger.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Question {
    /// Show every line, oldest first
    List,
    /// Check the chain of hashes and the head, and count consecutive clean rounds
    Check,
    /// Say what round N was and what it does to the count of consecutive clean rounds
    Why {
        /// Number of the round
        #[arg(value_name = "N", value_parser = value_parser!(u64).range(1..))]
        n: u64,
    },
}

/// `millstream doctor`.
#[derive(Args, Debug)]
pub struct Doctor {
    /// Folder of reports and ledger
    #[arg(long, value_name = "DIR", default_value = "./verification")]
    pub out: PathBuf,
    /// One JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// `millstream probe`.
#[derive(Args, Debug)]
pub struct Probe {
    /// Name of the probe.
    pub name: String,
    /// Its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<String>,
}

/// The command of this process; a bug to plant is planted. Errors: usage, help, version; a bug in a build without them.
pub fn parse() -> Result<Command, Stop> {
    let cli = Cli::try_parse().map_err(Stop::Clap)?;
    if let Some(bug) = cli.plant {
        plant(bug)?;
    }
    Ok(cli.command)
}

#[cfg(feature = "seeded-bugs")]
fn plant(bug: Bug) -> Result<(), Stop> {
    seeded::plant(bug);
    Ok(())
}

#[cfg(not(feature = "seeded-bugs"))]
fn plant(bug: Bug) -> Result<(), Stop> {
    debug_assert!(!seeded::is(bug));
    let command = millstream_verify::seeded::COMMAND;
    Err(Stop::Error(crate::exit::code::ABSENT, format!("this build has no seeded bug {}: run `{command}`", bug.id())))
}
