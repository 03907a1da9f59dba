//! Shows changes of the protocols' code to their tests: cargo-mutants makes the changes, this picks who judges them and adds up what comes out.
//!
//! A judge is one build and its tests. A protocol has one or two, the one that sees most first; only what survives it is shown to the next. A
//! survivor is explained by a row in `docs/mutants.md`, or the command fails.

mod judges;
mod list;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::step;
use judges::{Group, Judge};
use list::Mutant;
use table::Verdict;

/// The page that explains survivors.
const PAGE: &str = "docs/mutants.md";

/// What is run. Without a crate: both.
#[derive(Args)]
pub struct Options {
    /// The protocols of millstream-sync.
    #[arg(long)]
    sync: bool,
    /// The protocols of millstream-runtime.
    #[arg(long)]
    runtime: bool,
    /// Only files whose path ends with this.
    #[arg(long, value_name = "FILE", default_value = "")]
    file: String,
    /// Of each file one mutant in N.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    sample: u32,
    /// Which of the N samples, which together are all mutants.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u32,
}

/// Runs what the options say and prints one table.
pub fn run(options: &Options) -> Result<()> {
    if step::output(&mut step::cargo(&["mutants", "--version"])).is_err() {
        bail!("mutants: needs cargo-mutants (cargo install cargo-mutants --locked)");
    }
    if options.seed >= options.sample {
        bail!("mutants: --seed must be below --sample");
    }
    let both = options.sync == options.runtime;
    let mut groups = Vec::new();
    if options.sync || both {
        groups.extend(judges::sync(&options.file)?);
    }
    if options.runtime || both {
        groups.extend(judges::runtime(&options.file)?);
    }
    if groups.is_empty() {
        bail!("mutants: no file of a protocol ends with {:?}", options.file);
    }
    let mut all = Vec::new();
    let mut seen = BTreeMap::new();
    for group in &groups {
        all.extend(list::mutants(group, None)?);
        judge(group, options, &mut seen)?;
    }
    let page = std::fs::read_to_string(step::root().join(PAGE)).context(PAGE)?;
    println!("\n{}", table::text(&all, &seen));
    let unexplained = table::unexplained(&seen, &page);
    if !unexplained.is_empty() {
        bail!("mutants: {} survive and {PAGE} does not say why\n  {}", unexplained.len(), unexplained.join("\n  "));
    }
    println!("mutants: {} of {} run; every survivor is explained in {PAGE}", seen.len(), all.len());
    Ok(())
}

/// Shows the sample of a group to its judges, in turn.
fn judge(group: &Group, options: &Options, seen: &mut BTreeMap<Mutant, Verdict>) -> Result<()> {
    let mut left = list::mutants(group, Some((options.seed, options.sample)))?;
    for judge in &group.judges {
        if left.is_empty() {
            break;
        }
        println!("{}: {} mutants, judged by {} ...", group.name, left.len(), judge.name);
        let verdicts = show(group, judge, &left)?;
        left.clear();
        for (mutant, verdict) in verdicts {
            if verdict.is_open() {
                left.push(mutant.clone());
            }
            let best = seen.get(&mutant).map_or(verdict, |before| verdict.or(*before));
            seen.insert(mutant, best);
        }
    }
    Ok(())
}

/// Runs cargo-mutants for these mutants with this judge.
fn show(group: &Group, judge: &Judge, mutants: &[Mutant]) -> Result<Vec<(Mutant, Verdict)>> {
    let output = step::target("mutants").join(judge.target);
    pass(group, judge, output.join("build"))?;
    let mut command = list::command(group);
    for mutant in mutants {
        command.arg(format!("--re=^{}$", list::escaped(&mutant.name)));
    }
    command.args(["--test-package", judge.package, "--baseline=skip", "--timeout", judge.seconds]);
    command.args(["--no-shuffle", "--colors=never"]);
    command.arg("--output").arg(&output).args(judge.cargo.iter().map(|option| format!("--cargo-arg={option}")));
    command.args(["--", "--"]).args(&judge.tests);
    environment(&mut command, judge, output.join("build"));
    let status = command.status().context("cargo mutants")?;
    // 0: all were caught; 2: some survived; 3: some did not end.
    if !matches!(status.code(), Some(0 | 2 | 3)) {
        bail!("mutants: cargo-mutants: {status}");
    }
    table::verdicts(&output.join("mutants.out"))
}

/// Without a change the judge must pass. cargo-mutants itself would look for its tests in the package that it changes. What it built there last was a mutant, and to
/// cargo its copy of the tree is this one: so that goes first.
fn pass(group: &Group, judge: &Judge, target: PathBuf) -> Result<()> {
    let mut clean = step::cargo(&["clean", "--quiet", "--package", group.package]);
    step::output(clean.env("CARGO_TARGET_DIR", &target))?;
    let mut command = step::cargo(&["test", "--package", judge.package]);
    command.args(judge.cargo).arg("--").args(&judge.tests);
    environment(&mut command, judge, target);
    let output = command.output().context("cargo test")?;
    if !output.status.success() {
        let printed = [output.stdout, output.stderr].concat();
        bail!("mutants: without a change: {}: {}\n{}", judge.name, output.status, String::from_utf8_lossy(&printed));
    }
    Ok(())
}

/// What makes a build quick, in a target folder of its own.
fn environment(command: &mut Command, judge: &Judge, target: PathBuf) {
    let quick = [
        ("CARGO_INCREMENTAL", "1"),
        ("CARGO_PROFILE_DEV_DEBUG", "0"),
        ("CARGO_PROFILE_DEV_OPT_LEVEL", "0"),
        ("RUST_BACKTRACE", "0"),
    ];
    command.env("CARGO_TARGET_DIR", target).envs(quick).envs(judge.environment.iter().copied());
}
