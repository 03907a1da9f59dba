//! What is run and what is expected of it.

use std::collections::BTreeMap;
use std::panic::PanicHookInfo;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;

use millstream_sync::atomic::mutant;
use millstream_sync::seeded::{self, Bug};

use crate::driver::{self, Ended, FOUND, Run, SCHEDULES};
use crate::protocols;

/// A small program that must hold in every schedule.
pub struct Case {
    /// `protocol/what_holds`; the protocol is a file of the crate.
    pub name: &'static str,
    /// Preemptions per schedule.
    pub bound: usize,
    /// Number of schedules.
    pub pinned: u64,
    /// Bugs that make it fail.
    pub bugs: &'static [Bug],
    /// The program.
    pub body: fn(),
}

impl Case {
    fn protocol(&self) -> &'static str {
        self.name.split('/').next().unwrap_or(self.name)
    }
}

/// Operations whose weakening no case can notice: (file, part of the line, kind, why).
const NOT_NEEDED: &[(&str, &str, &str, &str)] = &[
    ("permits", "self.waits.fetch_add", "torn", "a statistic"),
    ("permits", "self.waiters.fetch_add", "torn", "counted under the lock"),
    ("permits", "self.waiters.fetch_sub", "torn", "counted under the lock"),
    ("permits", "self.overtakes.fetch_add", "torn", "a statistic"),
    ("permits", "self.passed_on.fetch_add", "torn", "a statistic, counted under the lock"),
    (
        "moves",
        "self.put_down.fetch_add",
        "torn",
        "shows when two are counted while a third is torn: more preemptions than a case has",
    ),
];

pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--case", name] => child(name),
        ["--case", name, "--bug", bug] => {
            seeded::plant(Bug::named(bug).expect("a bug of the crate"));
            child(name)
        }
        ["--case", name, "--mutant", mutant] => {
            mutant::choose(mutant);
            child(name)
        }
        [] => drive(""),
        ["--cases", only] => {
            let started = Instant::now();
            driver::verdict("loom", judge_cases(&cases(only)).0, started)
        }
        [only] => drive(only),
        _ => ExitCode::FAILURE,
    }
}

/// Exit code of a run that saw no end of one schedule.
const ENDLESS: i32 = 4;

/// Ends the process with the first panic's text: a broken property. What a case wants to unwind it resumes without the hook.
fn exit_on_panic() {
    std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let text = info.payload_as_str().unwrap_or("not a text");
        println!("{}", text.lines().next().unwrap_or_default());
        println!("schedules {}", SCHEDULES.load(Ordering::Relaxed));
        std::process::exit(if text.contains("maximum number of branches") { ENDLESS } else { FOUND });
    }));
}

fn child(name: &str) -> ExitCode {
    exit_on_panic();
    let case = protocols::all().into_iter().find(|case| case.name == name).expect("a case of this binary");
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(case.bound);
    builder.max_branches = 2_000;
    builder.check(move || {
        driver::begin_schedule();
        (case.body)();
    });
    for seen in mutant::seen() {
        println!("seen {seen}");
    }
    println!("schedules {}", SCHEDULES.load(Ordering::Relaxed));
    ExitCode::SUCCESS
}

fn run(case: &Case, more: &[&str]) -> Ended {
    let arguments = ["--case", case.name].iter().chain(more).map(|a| (*a).to_owned()).collect();
    Run { arguments }.run()
}

fn cases(only: &str) -> Vec<Case> {
    protocols::all().into_iter().filter(|case| case.name.contains(only)).collect()
}

/// The mutants that were met, each with the cases that can notice it.
type Mutants<'a> = BTreeMap<String, Vec<&'a Case>>;

/// The number of cases that are not as they should be.
fn judge_cases(cases: &[Case]) -> (u32, Mutants<'_>) {
    println!("{} cases", cases.len());
    let mutants = std::sync::Mutex::new(Mutants::new());
    let failures = driver::all(cases.iter().collect(), |case| {
        let ended = run(case, &[]);
        let file = format!("/src/{}.rs:", case.protocol());
        for seen in ended.output.lines().filter_map(|line| line.strip_prefix("seen ")).filter(|s| s.contains(&file)) {
            mutants.lock().expect("nobody panics").entry(seen.to_owned()).or_default().push(case);
        }
        let holds = ended.code == Some(0);
        let good = holds && ended.schedules == case.pinned;
        let note = match (good, holds) {
            (true, _) => String::new(),
            (false, true) => format!(" (pinned {}: only the number of schedules is another)", case.pinned),
            (false, false) => format!(" (pinned {}): {}", case.pinned, ended.output),
        };
        (format!("{:>8} schedules {:>6.2} s  {}{note}", ended.schedules, ended.time.as_secs_f64(), case.name), good)
    });
    (failures, mutants.into_inner().expect("nobody panics"))
}

fn drive(only: &str) -> ExitCode {
    let started = Instant::now();
    let cases = cases(only);
    let (mut failures, mutants) = judge_cases(&cases);
    let bugs: Vec<(&Case, Bug)> = cases.iter().flat_map(|case| case.bugs.iter().map(move |bug| (case, *bug))).collect();
    println!("{} seeded bugs", bugs.len());
    failures += driver::all(bugs, |(case, bug)| {
        let ended = run(case, &["--bug", bug.id()]);
        (format!("{} {}", found(&ended), bug.id()) + " in " + case.name, ended.code == Some(FOUND))
    });
    let mut mutants: Vec<(String, Vec<&Case>)> = mutants.into_iter().collect();
    for (_, cases) in &mut mutants {
        cases.sort_by_key(|case| case.pinned);
    }
    println!("{} mutants", mutants.len());
    failures += driver::all(mutants, |(mutant, cases)| judge_mutant(&mutant, &cases));
    driver::verdict("loom", failures, started)
}

fn found(ended: &Ended) -> String {
    let text = ended.output.lines().next().unwrap_or_default();
    format!("found after {:>6} schedules {:>6.2} s ({text:.60}): ", ended.schedules, ended.time.as_secs_f64())
}

fn judge_mutant(mutant: &str, cases: &[&Case]) -> (String, bool) {
    let text = source_line(mutant);
    let needless = NOT_NEEDED.iter().find(|(file, part, kind, _)| {
        mutant.contains(&format!("{file}.rs:")) && text.contains(part) && mutant.ends_with(kind)
    });
    let mut schedules = 0;
    for case in cases {
        let ended = run(case, &["--mutant", mutant]);
        if matches!(ended.code, Some(FOUND | ENDLESS)) {
            let good = needless.is_none();
            let note = if good { "" } else { "  is found, though NOT_NEEDED names it" };
            return (format!("{} {mutant}: {text}{note}", found(&ended)), good);
        }
        schedules += ended.schedules;
    }
    match needless {
        Some((_, _, _, why)) => (format!("not needed ({why}), {schedules} schedules: {mutant}: {text}"), true),
        None => (format!("NOT FOUND in {schedules} schedules: {mutant}: {text}"), false),
    }
}

/// The text of a mutant's line, for people.
fn source_line(mutant: &str) -> String {
    let place = mutant.split(' ').next().unwrap_or_default();
    let (file, line) = place.rsplit_once(':').unwrap_or((place, "0"));
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
    let number: usize = line.parse().unwrap_or(0);
    text.lines().nth(number.saturating_sub(1)).unwrap_or_default().trim().to_owned()
}
