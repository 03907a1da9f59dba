//! `millstream verify`: rounds, one after another, until one is not clean.

use std::env;
use std::time::Duration;

use millstream_verify::attempts::probes::Child;
use millstream_verify::model::{Attempt, Round, Stress};
use millstream_verify::model_folder::ModelFolder;
use millstream_verify::plan::Plan;
use millstream_verify::round::{self, Done, Request, Selection};
use millstream_verify::{console, report, streak};

use crate::args::Verify;
use crate::exit::{Ended, Stop, code};
use crate::output::{say, table};
use crate::progress::{self, Teller};
use crate::seeded;

/// After this long a probe's child process counts as hung.
const CHILD_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs the command.
pub fn run(arguments: &Verify) -> Ended {
    progress::listen();
    if arguments.seeded_bugs {
        return seeded::run(arguments);
    }
    let request = request(arguments)?;
    for _ in 0..arguments.rounds {
        let teller = Teller::new();
        let done = round::run(&request, &teller)?;
        drop(teller);
        let exit = if done.interrupted { code::INTERRUPTED } else { done.round.result.exit_code() };
        print(&done, arguments.json)?;
        if exit != 0 {
            return Ok(exit);
        }
    }
    Ok(0)
}

fn request(arguments: &Verify) -> Result<Request, Stop> {
    let selection = match (&arguments.attempt, arguments.all) {
        (ids, _) if !ids.is_empty() => Selection::Named(ids.clone()),
        (_, true) => Selection::All,
        _ => Selection::Default,
    };
    let model = arguments.model.as_deref().map(ModelFolder::read).transpose()?;
    let Verify { soak, first_finding, .. } = *arguments;
    Ok(Request {
        plan: Plan { soak, first_finding, model, ..arguments.workload.plan(0) },
        seed: arguments.workload.seed,
        selection,
        out: arguments.out.clone(),
        source: arguments.source.clone(),
        patience: arguments.patience,
        child: Child { program: own_path()?, arguments: probe_arguments(), timeout: CHILD_TIMEOUT },
        replay: arguments.replay.clone(),
    })
}

/// This binary. Errors: code 70.
pub fn own_path() -> Result<std::path::PathBuf, Stop> {
    env::current_exe().map_err(|error| Stop::Error(code::INTERNAL, format!("cannot find this binary: {error}")))
}

/// What comes before the name of a probe: a bug that is planted here is planted there too.
fn probe_arguments() -> Vec<String> {
    let given: Vec<String> = env::args().collect();
    let planted = given.windows(2).find(|pair| pair[0] == "--plant").map(|pair| pair[1].clone());
    let plant = planted.into_iter().flat_map(|bug| ["--plant".to_owned(), bug]);
    plant.chain(["probe".to_owned()]).collect()
}

fn print(done: &Done, json: bool) -> Result<(), Stop> {
    if json {
        return say(&report::json_line(&done.round)?);
    }
    say(&text(done))
}

/// The round for a reader: attempts, console block, findings, notes, streak, and the last line.
fn text(done: &Done) -> String {
    let round = &done.round;
    let mut parts = vec![attempts(round)];
    parts.extend(round.attempts.iter().filter_map(|attempt| attempt.stress.as_ref()).map(console::block));
    if !round.findings.is_empty() {
        parts.push(findings(round));
    }
    let mut last: Vec<String> = round.notes.iter().map(|note| format!("{}: {}", note.kind, note.text)).collect();
    last.push(streak::markdown_line(&round.consecutive_clean).replace("**", ""));
    last.extend(streak::not_counted_line(&round.consecutive_clean));
    let report = done.reports.first().map(|path| shown(&path.display().to_string())).unwrap_or_default();
    last.push(format!("{}  {}  report: {report}", round.result, round.iteration));
    parts.push(last.join("\n"));
    parts.join("\n\n")
}

/// `./verification/x` as `verification/x`.
pub fn shown(path: &str) -> String {
    path.strip_prefix("./").unwrap_or(path).to_owned()
}

fn attempts(round: &Round) -> String {
    let row = |attempt: &Attempt| {
        [attempt.title.clone(), format!("{:.1} s", attempt.seconds), attempt.result.to_string(), seen(attempt)]
    };
    let rows: Vec<[String; 4]> = round.attempts.iter().map(row).collect();
    let head = format!("Verification Round {}, {}, seed {:#x}", round.iteration, round.device.name, round.seed);
    format!("{head}\n\n{}", table(["Attempt", "Time", "Result", "Seen"], &rows, [false, true, false, false]))
}

/// What an attempt rests on, in a few figures.
fn seen(attempt: &Attempt) -> String {
    let probes = || attempt.patterns.iter().flat_map(|pattern| &pattern.probes);
    match &attempt.stress {
        Some(stress) => ops(stress),
        None if !attempt.sites.is_empty() => {
            let reached = attempt.sites.iter().filter(|site| site.seen > 0).count();
            format!("{reached} of {} sites", attempt.sites.len())
        }
        None if attempt.soak.is_some() => {
            attempt.soak.as_ref().map(|soak| format!("{} ops", soak.operations)).unwrap_or_default()
        }
        None if !attempt.configurations.is_empty() => {
            format!("{} configurations", attempt.configurations.len())
        }
        None if probes().next().is_some() => {
            format!("{} probes, {} runs", probes().count(), probes().map(|probe| probe.runs).sum::<u64>())
        }
        None => String::new(),
    }
}

fn ops(stress: &Stress) -> String {
    format!("{} ops", stress.total_operations())
}

fn findings(round: &Round) -> String {
    let line = |finding: &millstream_verify::model::Finding| {
        let millstream_verify::model::Finding { id, attempt, text, location, replay } = finding;
        format!("{id}  {attempt}: {text}\n    at     {location}\n    replay {replay}")
    };
    round.findings.iter().map(line).collect::<Vec<_>>().join("\n")
}
