//! A round with a number and a ledger line; and the same without either, for single attempts.

use std::time::Instant;

use millstream_sync::seeded;

use super::drive::{self, Driven};
use super::judge::{self, Circumstances};
use super::{Done, Ground, Request, calibrate, describe, publish};
use crate::attempts::configurations::Rows;
use crate::attempts::{Context, Entry};
use crate::coverage;
use crate::history;
use crate::ledger::{Counts, Ledger, Line, LineResult, RoundLock};
use crate::model::{Calibration, Round, RoundResult};
use crate::plan::{Plan, Progress};
use crate::{Result, date, report, streak};

/// Runs a round for the ledger.
pub(super) fn run(request: &Request, progress: &dyn Progress) -> Result<Done> {
    let entries = request.selection.entries(request.plan.model.as_ref())?;
    let ground = Ground::survey(request, &request.plan)?;
    let mut lock = Ledger::at(&request.out).lock_round_within(request.patience)?;
    let n = lock.n();
    let plan = seeded_plan(request, &ground, n);
    let mut round = describe::blank(&ground, &plan, n);
    let ids: Vec<&str> = entries.iter().map(|entry| entry.id).collect();
    let config_sha256 = describe::config_sha256(&ground, &plan, &ids)?;
    let repeat = streak::is_repeat(lock.lines(), &round.source_sha256, &config_sha256);
    lock.start(line_of(&round, &ground, &config_sha256, Line::new(&round.date, LineResult::Started)))?;

    let stem = report::stem(n);
    round.replay = describe::replay_command(request, &stem);
    let circumstances = Circumstances { repeat, seeded: seeded::compiled_in() };
    let interrupted = match ground.binding.refusal() {
        Some(reason) => refuse(&mut round, &entries, reason),
        None => execute(&mut round, &entries, request, &plan, None, progress, circumstances),
    };
    let result = Line::of_result(&date::now(), &round.result);
    let line = line_of(&round, &ground, &config_sha256, result);
    let reports = conclude(&mut lock, &mut round, request, &stem, line)?;
    Ok(Done { round, reports, interrupted })
}

/// Runs the attempts by name; the ledger is only read.
pub(super) fn run_unlisted(request: &Request, progress: &dyn Progress) -> Result<Done> {
    let entries = request.selection.entries(request.plan.model.as_ref())?;
    let ground = Ground::survey(request, &request.plan)?;
    let ledger = Ledger::at(&request.out).check()?;
    let n = ledger.last_n() + 1;
    let plan = seeded_plan(request, &ground, n);
    let mut round = describe::blank(&ground, &plan, n);
    round.iteration = format!("N={n} (not in the ledger)");
    let ids: Vec<&str> = entries.iter().map(|entry| entry.id).collect();
    let stem = format!("attempt-{}", ids.join("+"));
    round.replay = describe::replay_command(request, &stem);
    let interrupted = match ground.binding.refusal() {
        Some(reason) => refuse(&mut round, &entries, reason),
        None => execute(&mut round, &entries, request, &plan, None, progress, Circumstances::default()),
    };
    round.consecutive_clean = streak::consecutive_clean(&ledger.lines);
    let reports = publish::stage(&request.out, &stem, &round)?.publish()?;
    Ok(Done { round, reports, interrupted })
}

fn seeded_plan(request: &Request, ground: &Ground, n: u64) -> Plan {
    let seed = request.seed.unwrap_or_else(|| ground.subject.default_seed(n));
    Plan { seed, ..request.plan.clone() }
}

/// The binary is older than its source: nothing it says would be about that source.
fn refuse(round: &mut Round, entries: &[&Entry], reason: &str) -> bool {
    round.attempts = entries.iter().map(|entry| drive::skipped(entry, reason)).collect();
    round.result = RoundResult::Incomplete(reason.to_owned());
    round.not_covered = describe::not_covered(&round.attempts);
    false
}

/// Drives the attempts and fills the round with what they gave. Without `rows` it takes the configurations that bring most after what earlier rounds have covered. Whether the user stopped it.
pub(super) fn execute(
    round: &mut Round,
    entries: &[&Entry],
    request: &Request,
    plan: &Plan,
    rows: Option<Rows>,
    progress: &dyn Progress,
    circumstances: Circumstances,
) -> bool {
    progress.stage(&format!("{} on {}, seed {:#x}", round.iteration, round.device.name, plan.seed));
    let begun = Instant::now();
    let before_s = calibrate::seconds();
    let ran_before = coverage::earlier(&request.out, round, &plan.device);
    let rows = rows.unwrap_or_else(|| Rows::next(&plan.device, &ran_before.covered, plan.seed));
    let driven = drive::drive(entries, &Context { plan, progress, child: &request.child, rows: &rows });
    let calibration = Calibration { before_s, after_s: calibrate::seconds() };
    round.result = judge::judge(&driven, circumstances);
    let Driven { attempts, mut findings, notes, counters, interrupted } = driven;
    for finding in findings.iter_mut().filter(|finding| finding.replay.is_empty()) {
        finding.replay = format!("{} --attempt {}", round.replay, finding.attempt);
    }
    round.not_covered = describe::not_covered(&attempts);
    (round.attempts, round.findings, round.notes, round.counters) = (attempts, findings, notes, counters);
    round.calibration = Some(calibration);
    round.coverage = coverage::after(ran_before, round, &plan.device);
    let earlier = history::earlier_rounds(&request.out, round);
    round.notes.extend(history::regressions(&earlier, round, calibration));
    round.history = history::points(&earlier, round);
    round.seconds = begun.elapsed().as_secs_f64();
    interrupted
}

/// Reports under their names, then the result line; where the reports cannot be written the line says so.
fn conclude(
    lock: &mut RoundLock,
    round: &mut Round,
    request: &Request,
    stem: &str,
    line: Line,
) -> Result<Vec<std::path::PathBuf>> {
    let (foreseen, written) = lock.foresee(line.clone())?;
    let lines: Vec<Line> = lock.lines().iter().cloned().chain([foreseen]).collect();
    round.consecutive_clean = streak::consecutive_clean(&lines);
    round.ledger = Some(written.into());
    let published = publish::stage(&request.out, stem, round).and_then(publish::Staged::publish);
    let reports = match published {
        Ok(reports) => reports,
        Err(error) => {
            let lost = RoundResult::Incomplete("its report could not be written".to_owned());
            let said = Line::of_result(&line.date, &lost);
            lock.finish(Line { result: said.result, reason: said.reason, ..line })?;
            return Err(error);
        }
    };
    if let Err(error) = lock.finish(line) {
        publish::withdraw(&reports);
        return Err(error.into());
    }
    Ok(reports)
}

/// `line` with what it says about subject, configuration and figures.
fn line_of(round: &Round, ground: &Ground, config_sha256: &str, mut line: Line) -> Line {
    line.source_sha256 = ground.subject.source_sha256.clone();
    line.attempts_sha256 = ground.subject.attempts_sha256.clone();
    line.config_sha256 = config_sha256.to_owned();
    let executed = round.attempts.iter().filter(|attempt| !matches!(attempt.result, RoundResult::Incomplete(_)));
    line.counts = Counts {
        attempts: executed.count() as u64,
        findings: round.findings.len() as u64,
        threads: round.config.threads,
        ..Counts::default()
    };
    if line.result == LineResult::Started {
        line.counts = Counts::default();
    }
    if let Some(stress) = judge::stress(&round.attempts) {
        line.ops_per_second = Some(stress.ops_per_second);
        line.counts.operations = stress.total_operations();
        line.counts.errors = stress.total_errors();
        line.counts.values_compared = stress.total_values_compared();
        line.counts.mismatches = stress.total_mismatches();
    }
    line
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use millstream::cpu::{self, CpuOptions};

    use super::*;
    use crate::attempts::Outcome;
    use crate::attempts::probes::Child;
    use crate::model::{Attempt, Finding, Note};
    use crate::plan::{DeviceName, Silent};
    use crate::round::Selection;
    use crate::workload::{Variant, stress};

    /// Rounds until one meets a steady machine.
    const ROUNDS_MAX: u64 = 40;

    /// The stress on a device that delays each operation by up to so many microseconds.
    fn delayed(context: &Context<'_>, delay_micros_max: u32) -> Outcome {
        let options = CpuOptions { delay_seed: Some(7), delay_micros_max, ..CpuOptions::queued() };
        let device = cpu::open_with(options, |_| {}).expect("the CPU is always there");
        let mut attempt = Attempt::new("stress", "Stress");
        attempt.stress = Some(stress(&device, context.plan, Variant::Plain, context.progress));
        attempt.result = RoundResult::Clean;
        Outcome { attempt, findings: Vec::new() }
    }

    const USUAL: Entry =
        Entry { id: "stress", title: "Stress", default: true, claims: &[], run: |context| delayed(context, 200) };
    const SLOW: Entry = Entry { run: |context| delayed(context, 4_000), ..USUAL };
    const FINDS: Entry = Entry {
        run: |_| Outcome { attempt: Attempt::new("stress", "Stress"), findings: vec![Finding::default()] },
        ..USUAL
    };

    /// Where rounds run that have no ledger.
    struct Bench {
        request: Request,
        ground: Ground,
    }

    impl Bench {
        fn new(out: &Path) -> Self {
            let plan = Plan {
                threads: 4,
                iterations: 10,
                sync_every: 5,
                size: 8,
                duration: Duration::ZERO,
                compare: false,
                ..Plan::new(DeviceName::CpuQueued, 3)
            };
            let child = Child { program: "false".into(), arguments: Vec::new(), timeout: Duration::ZERO };
            let (out, selection) = (out.to_path_buf(), Selection::Default);
            let ground = |request: &Request| Ground::survey(request, &request.plan).expect("the CPU is always there");
            let request = Request {
                plan,
                seed: None,
                selection,
                out,
                source: None,
                patience: Duration::ZERO,
                child,
                replay: None,
            };
            Self { ground: ground(&request), request }
        }

        fn round(&self, n: u64, entry: &Entry) -> Round {
            let mut round = describe::blank(&self.ground, &self.request.plan, n);
            round.replay = describe::replay_command(&self.request, &report::stem(n));
            let alone = Circumstances::default();
            execute(&mut round, &[entry], &self.request, &self.request.plan, None, &Silent, alone);
            round
        }
    }

    #[test]
    fn a_workload_that_is_slower_is_a_regression_and_one_that_is_as_fast_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let bench = Bench::new(folder.path());
        for n in 1..=5 {
            let round = bench.round(n, &USUAL);
            assert!(round.result.is_clean() && round.notes.is_empty(), "{:?}", round.notes);
            publish::stage(folder.path(), &report::stem(n), &round)
                .and_then(publish::Staged::publish)
                .expect("reports");
        }
        let (mut noted, mut silent) = (false, false);
        for _ in 0..ROUNDS_MAX {
            let round = bench.round(6, if noted { &USUAL } else { &SLOW });
            let fell = |note: &&Note| note.kind == "REGRESSION" && note.text.starts_with("throughput");
            let note = round.notes.iter().find(fell).map(|note| note.text.as_str());
            match (round.calibration.is_some_and(|calibration| calibration.is_steady()), note) {
                (false, note) => assert_eq!(note, None, "a machine that is not steady says nothing"),
                (true, Some(text)) if !noted => {
                    let rate = judge::stress(&round.attempts).expect("a stress").ops_per_second;
                    assert!(text.starts_with(&format!("throughput {rate:.1} ops/sec")), "{rate}: {text}");
                    noted = true;
                }
                (true, None) if !noted => panic!("twenty times the delay is no fall: {:#?}", round.history),
                // Another load of the machine may slow a round down: one that is as fast is enough.
                (true, note) => silent |= note.is_none(),
            }
            if silent {
                return;
            }
        }
        panic!("of {ROUNDS_MAX} rounds too few on a steady machine: a fall was noted: {noted}, none: {silent}");
    }

    #[test]
    fn a_finding_without_a_command_has_that_of_its_round_and_attempt() {
        let folder = tempfile::tempdir().expect("a folder");
        let round = Bench::new(&folder.path().join("my rounds")).round(3, &FINDS);
        let command = format!("millstream verify --replay '{}/my rounds/round-N3.json'", folder.path().display());
        assert_eq!(round.replay, command);
        assert_eq!(round.findings[0].replay, format!("{command} --attempt stress"));
    }
}
