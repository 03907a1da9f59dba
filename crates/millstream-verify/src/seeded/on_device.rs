//! The seeded bugs on one device: each meets the attempt that drives what it breaks.
//!
//! Every attempt that is used runs without a bug before all of them and after all of them; one that is not clean both times has caught nothing.
//!
//! **Invariants**
//! * `sound-around`: as in the folder's head, once for all bugs of an attempt.

use millstream_sync::seeded::Bug;

use super::child::{self, End, Ran};
use super::order::{self, Trial};
use super::{Judged, NOBODY, Outcome, Request, caught};
use crate::Result;
use crate::plan::{DeviceName, Progress};

type Job = (Option<Bug>, Trial);

/// Runs every bug that the device can show. Errors: those of [`child::run`].
pub(super) fn run(request: &Request, device: &DeviceName, progress: &dyn Progress) -> Result<Outcome> {
    let trial = |attempt| Trial { attempt, device: device.to_string() };
    let bugs: Vec<Job> =
        Bug::ALL.into_iter().filter_map(|bug| Some((Some(bug), trial(order::on_any_device(bug).ok()?)))).collect();
    let mut bare: Vec<Job> = Vec::new();
    for (_, trial) in &bugs {
        if !bare.iter().any(|(_, known)| known == trial) {
            bare.push((None, trial.clone()));
        }
    }
    let mut outcome = Outcome::default();
    let mut ran = Vec::new();
    for (jobs, what) in [(&bare, "without a bug"), (&bugs, "with the bugs"), (&bare, "without a bug again")] {
        progress.stage(&format!("seeded bugs on {device}: {what}"));
        ran.push(run_all(request, jobs, progress)?);
    }
    outcome.interrupted = ran.iter().flatten().any(|ran| ran.end == End::Stopped);
    for ((_, trial), ends) in bare.iter().zip(ran[0].iter().zip(&ran[2])) {
        if let Some(end) = [&ends.0.end, &ends.1.end].into_iter().find(|end| **end != End::Clean) {
            outcome.unusable.push(format!("{trial}: {end}"));
        }
    }
    let usable = |trial: &Trial| !outcome.unusable.iter().any(|line| line.starts_with(&format!("{trial}:")));
    let mut judged: Vec<Judged> =
        bugs.iter().zip(&ran[1]).map(|((bug, trial), ran)| judge(request, *bug, trial, ran, usable(trial))).collect();
    for bug in Bug::ALL {
        if let Err(reason) = order::on_any_device(bug) {
            judged.push(Judged {
                id: bug.id(),
                attempt: None,
                caught: false,
                tried: false,
                seconds: 0.0,
                how: format!("not tried on {device}: {reason}"),
            });
        }
    }
    outcome.caught = judged.iter().filter(|bug| bug.caught).count();
    outcome.not_here = judged.iter().filter(|bug| !bug.tried).count();
    outcome.survived = judged.len() - outcome.caught - outcome.not_here;
    outcome.bugs = judged;
    Ok(outcome)
}

fn judge(request: &Request, bug: Option<Bug>, trial: &Trial, ran: &Ran, usable: bool) -> Judged {
    let how = caught(request, ran.end.clone()).filter(|_| usable);
    Judged {
        id: bug.map_or("none", Bug::id),
        attempt: how.is_some().then(|| trial.to_string()),
        caught: how.is_some(),
        tried: true,
        seconds: ran.seconds,
        how: how.unwrap_or_else(|| NOBODY.to_owned()),
    }
}

/// Runs all of `jobs`, one after another: they share the device. Errors: the first.
fn run_all(request: &Request, jobs: &[Job], progress: &dyn Progress) -> Result<Vec<Ran>> {
    let one = |(at, (bug, trial)): (usize, &Job)| {
        progress.advance(at as u64, jobs.len() as u64);
        child::run(request, *bug, trial, progress)
    };
    jobs.iter().enumerate().map(one).collect()
}
