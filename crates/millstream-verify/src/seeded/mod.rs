//! The round against itself: every seeded bug in a child process of the same binary, until an attempt catches it.
//!
//! A verifier that finds nothing may be good or blind. Here each bug that such systems had before is switched on, one at a time, and the
//! attempts run with small settings, the likely catchers first. This folder changes with the list of bugs and with the order in which
//! attempts are tried. It holds no bug: those are in the code that they break.
//!
//! **Invariants**
//! - `sound-around`: an attempt catches a bug only with settings under which it was clean without one, before and after.
//! - `crash-counts`: a child that crashes or hangs with a bug, and does not without, has caught it.
//!
//! **Checked by**: the tests of `child.rs` and `order.rs`; the command itself.

mod child;
mod on_device;
mod order;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use millstream_sync::seeded::{self, Bug};
use serde::Serialize;

use crate::plan::{DeviceName, Progress};
use crate::{Error, Result};

use child::End;
use order::Trial;

/// The command that has the feature.
pub const COMMAND: &str = "cargo run --release --features seeded-bugs -- verify --seeded-bugs";

/// What to run.
#[derive(Clone, Debug)]
pub struct Request {
    /// This binary.
    pub program: PathBuf,
    /// Folder for the reports of the children, one folder a bug.
    pub out: PathBuf,
    /// After this long a child counts as hung.
    pub timeout: Duration,
    /// Seed of every child.
    pub seed: u64,
    /// The one device to try all bugs on. `None`: the CPU, with queues, and the simulator, until one of them shows the bug.
    pub device: Option<DeviceName>,
}

/// What became of each bug.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// One entry a bug.
    pub bugs: Vec<Judged>,
    /// How many were caught.
    pub caught: usize,
    /// How many were not.
    pub survived: usize,
    /// How many were not tried, because what they break is not driven on the device that was asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_here: usize,
    /// Attempts that catch nothing here because they are not clean without a bug.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unusable: Vec<String>,
    /// Whether the user stopped it; bugs that were not tried are missing then.
    #[serde(skip)]
    pub interrupted: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "asked for by serde")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What became of one bug.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// The bug.
    pub id: &'static str,
    /// The attempt that caught it, with its device where that is not the default; absent for a survivor.
    pub attempt: Option<String>,
    /// Whether one did.
    pub caught: bool,
    /// Whether it was tried.
    #[serde(skip_serializing_if = "Clone::clone")]
    pub tried: bool,
    /// Seconds of the child that caught it; of all children for a survivor.
    pub seconds: f64,
    /// What the child said, or how it ended.
    pub how: String,
}

/// Runs every bug. Blocks the host for minutes.
///
/// # Errors
/// [`Error::FeatureAbsent`] in a build without the feature, [`Error::Write`] when a child cannot be started.
pub fn run(request: &Request, progress: &dyn Progress) -> Result<Outcome> {
    if !seeded::compiled_in() {
        return Err(Error::FeatureAbsent { feature: "seeded bugs", command: COMMAND });
    }
    if let Some(device) = &request.device {
        return on_device::run(request, device, progress);
    }
    let mut baselines = Baselines::default();
    let mut outcome = Outcome::default();
    for (index, bug) in Bug::ALL.into_iter().enumerate() {
        progress.stage(&format!("seeded bug {} of {}: {}", index + 1, Bug::ALL.len(), bug.id()));
        let Some(judged) = judge(request, bug, &mut baselines, progress)? else {
            outcome.interrupted = true;
            break;
        };
        outcome.caught += usize::from(judged.caught);
        outcome.survived += usize::from(!judged.caught);
        outcome.bugs.push(judged);
    }
    outcome.unusable = baselines.unusable();
    Ok(outcome)
}

/// Trials in order until one catches the bug. `None`: the user stopped it.
fn judge(request: &Request, bug: Bug, baselines: &mut Baselines, progress: &dyn Progress) -> Result<Option<Judged>> {
    let mut seconds = 0.0;
    let trials = order::trials(bug);
    for (index, trial) in trials.iter().enumerate() {
        progress.advance(index as u64, trials.len() as u64);
        let Some(clean) = baselines.is_clean(request, trial, progress)? else { return Ok(None) };
        if !clean {
            continue;
        }
        let ran = child::run(request, Some(bug), trial, progress)?;
        seconds += ran.seconds;
        let how = match ran.end {
            End::Stopped => return Ok(None),
            end => match caught(request, end) {
                Some(how) => how,
                None => continue,
            },
        };
        // Once more without the bug: an attempt that fails now and then by itself has shown nothing.
        let Some(clean) = baselines.is_still_clean(request, trial, progress)? else { return Ok(None) };
        if !clean {
            continue;
        }
        let attempt = Some(trial.to_string());
        return Ok(Some(Judged { id: bug.id(), attempt, caught: true, tried: true, seconds: ran.seconds, how }));
    }
    Ok(Some(Judged { id: bug.id(), attempt: None, caught: false, tried: true, seconds, how: NOBODY.to_owned() }))
}

const NOBODY: &str = "no attempt saw it";

/// How a child with a bug showed it. `None`: it did not.
fn caught(request: &Request, end: End) -> Option<String> {
    match end {
        End::Clean | End::Incomplete(_) | End::Stopped => None,
        End::Findings(text) => Some(text),
        End::Crashed(how) => Some(how),
        End::Hung => Some(format!("hung: stopped after {} s", request.timeout.as_secs())),
    }
}

/// How each trial ends without a bug, tried once.
#[derive(Default)]
struct Baselines(HashMap<Trial, End>);

impl Baselines {
    /// `None`: the user stopped it.
    fn is_clean(&mut self, request: &Request, trial: &Trial, progress: &dyn Progress) -> Result<Option<bool>> {
        match self.0.get(trial) {
            Some(end) => Ok(Some(*end == End::Clean)),
            None => self.is_still_clean(request, trial, progress),
        }
    }

    /// The same, run again in any case; once not clean is not clean for good.
    fn is_still_clean(&mut self, request: &Request, trial: &Trial, progress: &dyn Progress) -> Result<Option<bool>> {
        let end = child::run(request, None, trial, progress)?.end;
        if end == End::Stopped {
            return Ok(None);
        }
        let clean = end == End::Clean;
        self.0.insert(trial.clone(), end);
        Ok(Some(clean))
    }

    fn unusable(&self) -> Vec<String> {
        let dirty = self.0.iter().filter(|(_, end)| **end != End::Clean);
        let mut lines: Vec<String> = dirty.map(|(trial, end)| format!("{trial}: {end}")).collect();
        lines.sort_unstable();
        lines
    }
}
