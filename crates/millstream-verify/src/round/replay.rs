//! A round again, from its JSON: same subject, same settings, same seed, and the digests side by side.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::judge::{self, Circumstances};
use super::{Done, Ground, Request, Selection, describe, listed, publish};
use crate::attempts::configurations::Rows;
use crate::ledger::Ledger;
use crate::model::{Attempt, Finding, Note, Round, RoundResult};
use crate::model_folder::ModelFolder;
use crate::plan::{Plan, Progress, SOAK};
use crate::subject::{self, Subject};
use crate::{Error, Result, report, streak};

/// Runs the round of `file` again. The ledger is only read.
pub(super) fn run(request: &Request, file: &Path, progress: &dyn Progress) -> Result<Done> {
    let text = fs::read_to_string(file).map_err(|source| Error::Read { path: file.to_path_buf(), source })?;
    let old = report::from_json(&text)?;
    check_subject(&old)?;
    let plan = Plan { model: model_of(&old, request.plan.model.as_ref())?, ..plan_of(&old)? };
    let rows = Rows::of(&old.attempts, &plan.device).map_err(|why| Error::NotReplayable { why })?;
    let ids = old.attempts.iter().map(|attempt| attempt.id.clone()).collect();
    let selection = if request.selection.is_listed() { Selection::Named(ids) } else { request.selection.clone() };
    let entries = selection.entries(plan.model.as_ref())?;
    let ground = Ground::survey(request, &plan)?;
    let request = Request { plan: plan.clone(), selection, seed: Some(plan.seed), ..request.clone() };
    let mut round = describe::blank(&ground, &plan, old.n);
    round.iteration = format!("N={} (replay)", old.n);
    let only: String = match &request.selection {
        Selection::Named(ids) if ids.len() < old.attempts.len() => format!("-{}", ids.join("+")),
        _ => String::new(),
    };
    let stem = format!("replay-N{}{only}", old.n);
    round.replay = format!("millstream verify --replay {}", describe::quoted(&file.display().to_string()));
    let mut interrupted = false;
    match ground.binding.refusal() {
        Some(reason) => round.result = RoundResult::Incomplete(reason.to_owned()),
        None => {
            let alone = Circumstances::default();
            interrupted = listed::execute(&mut round, &entries, &request, &plan, Some(rows), progress, alone);
            if !interrupted {
                compare(&mut round, &old);
            }
        }
    }
    round.consecutive_clean = streak::consecutive_clean(&Ledger::at(&request.out).list()?);
    let reports = publish::stage(&request.out, &stem, &round)?.publish()?;
    Ok(Done { round, reports, interrupted })
}

fn check_subject(old: &Round) -> Result<()> {
    let built = subject::embedded();
    let needed = Subject {
        source_sha256: old.source_sha256.clone(),
        features: old.features.clone(),
        rustc: old.rustc.clone(),
        ..built.clone()
    };
    if needed.sha256() == built.sha256() {
        return Ok(());
    }
    let features = if old.features.is_empty() { "none".to_owned() } else { old.features.join(",") };
    Err(Error::OtherSubject {
        source_sha256: needed.source_sha256,
        rustc: needed.rustc,
        features,
        built: built.source_sha256,
    })
}

/// The settings in the file, within the ranges of the command line: a file may have been edited.
fn plan_of(old: &Round) -> Result<Plan> {
    let config = &old.config;
    let refused = |why: String| Error::NotReplayable { why };
    let word = old.device.name.split(' ').next().unwrap_or_default();
    let device = word.parse().map_err(refused)?;
    let within = |name: &str, value: u64, most: u64| match value {
        1.. if value <= most => Ok(value),
        _ => Err(refused(format!("its {name} is {value}, not in 1..={most}"))),
    };
    let lasting = |seconds: f64| {
        Duration::try_from_secs_f64(seconds)
            .map_err(|_| refused(format!("its duration is {seconds} seconds, which is no duration")))
    };
    Ok(Plan {
        device,
        threads: within("number of threads", config.threads, 1024)? as usize,
        iterations: within("number of iterations", config.iterations, 10_000_000)?,
        sync_every: within("sync_every", config.sync_every, 10_000_000)?,
        size: within("size", config.size, 8192)? as usize,
        duration: lasting(config.duration_seconds.unwrap_or(0.0))?,
        soak: lasting(config.soak_seconds.unwrap_or(SOAK.as_secs_f64()))?,
        warm_up: 0,
        seed: old.seed,
        compare: true,
        model: None,
        first_finding: false,
    })
}

/// The model of the round, from its folder or from the one that is named now: with the same files in it.
fn model_of(old: &Round, given: Option<&ModelFolder>) -> Result<Option<ModelFolder>> {
    let refused = |why: String| Err(Error::NotReplayable { why });
    let Some(wanted) = &old.config.model else {
        return if given.is_some() { refused("it had no model".to_owned()) } else { Ok(None) };
    };
    let model = match given {
        Some(model) => model.clone(),
        None => ModelFolder::read(Path::new(&wanted.folder))?,
    };
    if model.sha256 != wanted.sha256 {
        let (found, folder) = (&model.sha256, model.path.display());
        return refused(format!(
            "its model had the hash {}, {folder} has {found} (--model names another folder)",
            wanted.sha256
        ));
    }
    Ok(Some(model))
}

/// Holds the digest of each stress against the one in the file, where both come from the same build and numeric class.
fn compare(round: &mut Round, old: &Round) {
    let same_build = round.build_id == old.build_id;
    let same_class = round.device.numeric_class == old.device.numeric_class;
    let mut note = |text: String| round.notes.push(Note { kind: "REPLAY".to_owned(), text });
    if !(same_build && same_class) {
        let what = match (same_build, same_class) {
            (false, true) => "another build of the same subject",
            (true, false) => "another numeric class",
            _ => "another build of the same subject and another numeric class",
        };
        note(format!("{what}: values compared with this run's own sequential run, not with N={}", old.n));
        return;
    }
    let digest = |attempts: &[Attempt]| judge::stress(attempts).map(|stress| stress.values_digest.clone());
    match (digest(&round.attempts), digest(&old.attempts)) {
        (Some(now), Some(before)) if now == before => {
            note(format!("values_digest equals that of N={}: {now}", old.n));
        }
        (Some(now), Some(before)) => {
            let number = round.findings.len() + 1;
            if let Some(attempt) = round.attempts.iter_mut().find(|attempt| attempt.stress.is_some()) {
                let before = round.findings.iter().filter(|finding| finding.attempt == attempt.id).count();
                attempt.result = RoundResult::Findings(before + 1);
            }
            round.findings.push(Finding {
                id: format!("F{number}"),
                attempt: "extended_stress".to_owned(),
                text: format!("values_digest is {now}, in the round it was {before}"),
                location: "replay".to_owned(),
                replay: round.replay.clone(),
            });
            round.result = RoundResult::Findings(number);
        }
        _ => note(format!("no stress run in both: no values to hold against those of N={}", old.n)),
    }
}
