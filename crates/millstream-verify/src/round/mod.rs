//! A round from its first check to its last file: binding, device, ledger, attempts, judgement, reports.
//!
//! The parts of a round are elsewhere; this folder holds their order, which is what makes a round believable: nothing is written before the
//! device is open, a number is taken before the first attempt, and the ledger speaks of a result only when the reports that show it are
//! complete. It changes when that order does. It prints nothing and parses no arguments.
//!
//! **Life** of a round in the ledger: locked, `STARTED`, attempts, reports under temporary names, reports renamed, result line. A round that
//! cannot write its reports gets an `INCOMPLETE` line instead. A crash anywhere leaves `STARTED` without a result, which counts as incomplete.
//!
//! **Invariants**
//! - `nothing-before-the-device`: a device that is absent, or too small, leaves no file and takes no number.
//! - `reports-first`: a `CLEAN` line is written only after the reports of its round.
//! - `no-clean-with-bugs`: a build with the feature `seeded-bugs` never writes a `CLEAN` line.
//! - `no-panic-out`: an attempt that panics is a finding of its round.
//!
//! **Locks**: the file lock of the ledger, held for the round; none in memory.
//!
//! **Checked by**: the tests of `judge.rs` and `publish.rs`; `millstream-cli/tests`.

pub(crate) mod calibrate;
mod describe;
mod drive;
mod judge;
mod listed;
pub mod panics;
mod publish;
mod replay;
mod selection;

use std::path::PathBuf;
use std::time::Duration;

use crate::attempts::probes::Child;
use crate::model::{Machine, Round};
use crate::plan::{DeviceName, Plan, Progress};
use crate::subject::{self, Binding, Subject};
use crate::{Error, Result, open};

pub use selection::Selection;

/// What a round is asked to do.
#[derive(Clone, Debug)]
pub struct Request {
    /// The settings. Its seed counts only where [`Request::seed`] does not.
    pub plan: Plan,
    /// The seed; without one it derives from the subject and the number of the round.
    pub seed: Option<u64>,
    /// Which attempts.
    pub selection: Selection,
    /// Folder of reports and ledger.
    pub out: PathBuf,
    /// The source tree that the binary must match, instead of the one that is found.
    pub source: Option<PathBuf>,
    /// How long to wait for the ledger of another round.
    pub patience: Duration,
    /// How probes start this binary again.
    pub child: Child,
    /// A round to run again, from its JSON.
    pub replay: Option<PathBuf>,
}

/// A round that ran.
#[derive(Clone, Debug)]
pub struct Done {
    /// Everything about it.
    pub round: Round,
    /// The reports: Markdown, JSON, HTML, JUnit.
    pub reports: Vec<PathBuf>,
    /// Whether the user stopped it.
    pub interrupted: bool,
}

/// Runs one round. Without attempts by name and without `replay` it takes a number and is written to the ledger. Blocks the host for as long as
/// the attempts take.
///
/// # Errors
/// Before anything is written: [`Error::UnknownAttempt`], [`Error::NoModel`], [`Error::NotATree`], [`Error::Absent`], [`Error::TooLarge`], [`Error::Model`], and of a replay
/// [`Error::OtherSubject`], [`Error::NotReplayable`], [`Error::NotARound`]. Then [`Error::Ledger`] and [`Error::Write`].
pub fn run(request: &Request, progress: &dyn Progress) -> Result<Done> {
    match &request.replay {
        Some(file) => replay::run(request, file, progress),
        None if request.selection.is_listed() => listed::run(request, progress),
        None => listed::run_unlisted(request, progress),
    }
}

/// Opens the device of `plan` once and gives it back: what it is, and that the stress fits into it.
///
/// # Errors
/// [`Error::Absent`], [`Error::TooLarge`].
pub fn look_at_device(plan: &Plan) -> Result<millstream::DeviceInfo> {
    let device = open::open(&plan.device, plan.seed, |_| {})?;
    let info = device.info().clone();
    device.shutdown(Duration::from_secs(1));
    check_fits(plan, &info)?;
    Ok(info)
}

/// Opens the model of `plan` once, so that a folder that is no model is told before anything is written.
fn look_at_model(plan: &Plan) -> Result<()> {
    let Some(folder) = &plan.model else { return Ok(()) };
    #[cfg(feature = "models")]
    {
        let device = open::open(&plan.device, plan.seed, |_| {})?;
        millstream::models::Embedder::open(&device, &folder.path)?;
        device.shutdown(Duration::from_secs(1));
        Ok(())
    }
    #[cfg(not(feature = "models"))]
    {
        let _ = folder;
        Err(Error::FeatureAbsent {
            feature: "models",
            command: "cargo run --release --features models -- verify --model DIR",
        })
    }
}

/// The machine as a round describes it.
#[must_use]
pub fn look_at_machine() -> Machine {
    describe::machine()
}

/// A thread holds two drawn matrices, their product, and while a neighbour's product is used two more.
fn check_fits(plan: &Plan, info: &millstream::DeviceInfo) -> Result<()> {
    let needed = plan.threads as u128 * 5 * plan.size as u128 * plan.size as u128 * 4;
    if needed <= info.memory_bytes as u128 {
        return Ok(());
    }
    Err(Error::TooLarge {
        threads: plan.threads,
        size: plan.size,
        device: plan.device.to_string(),
        needed,
        available: info.memory_bytes,
    })
}

/// What a round knows before it starts.
struct Ground {
    subject: Subject,
    binding: Binding,
    build_id: String,
    device: millstream::DeviceInfo,
}

impl Ground {
    fn survey(request: &Request, plan: &Plan) -> Result<Self> {
        let binding = subject::check_binding(request.source.as_deref())?;
        let device = look_at_device(plan)?;
        look_at_model(plan)?;
        Ok(Ground { subject: subject::embedded(), binding, build_id: subject::build_id()?, device })
    }
}

/// The name of a device as a round keeps it: first the word of the command line, then the maker's name where that says more.
fn device_name(name: &DeviceName, info: &millstream::DeviceInfo) -> String {
    match name {
        DeviceName::Cuda(_) => format!("{name} {}", info.model),
        _ => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_needs_one_byte_more_than_the_device_has_is_refused_with_its_figures() {
        let mut plan = Plan::new(DeviceName::Cpu, 1);
        (plan.threads, plan.size) = (2, 8);
        let mut info = look_at_device(&plan).unwrap();
        info.memory_bytes = 2 * 5 * 8 * 8 * 4;
        assert!(check_fits(&plan, &info).is_ok());
        info.memory_bytes -= 1;
        let error = check_fits(&plan, &info).unwrap_err();
        assert_eq!(error.exit_code(), 64);
        assert!(error.to_string().contains("need 2560 bytes"), "{error}");
        assert!(error.to_string().contains("device cpu has 2559"), "{error}");
    }
}
