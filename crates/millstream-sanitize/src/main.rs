//! Programs that drive the runtime from twenty threads, to be built with a sanitizer: `cargo xtask sanitize thread|address`.
//!
//! A plain program, since the test harness and the standard library's scoped threads look like races to ThreadSanitizer. Two parts. **Cases** must end without a
//! report, and compare every value. **Planted** is broken on purpose, and must be reported: else the first part shows nothing. Each runs in a process of
//! its own. Without a sanitizer the cases run all the same, and nothing can be reported.
#![forbid(unsafe_code)]

mod cases;
mod crowd;
mod planted;

use std::process::{Command, ExitCode, ExitStatus};
use std::time::Instant;

use cases::MODES;
use planted::{PLANTED, Planted};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--case", name] => child(name),
        ["--case", name, "--planted", bug] => {
            planted::named(bug).plant();
            child(name)
        }
        ["--case", name, "--weakened", file] => {
            planted::weaken(file);
            child(name)
        }
        [sanitizer @ ("thread" | "address" | "none")] => drive(sanitizer, ""),
        [sanitizer @ ("thread" | "address" | "none"), only] => drive(sanitizer, only),
        _ => {
            eprintln!("usage: millstream-sanitize thread|address|none [TEXT]");
            ExitCode::FAILURE
        }
    }
}

/// Runs one case in this process. The sanitizer's own exit code comes at its end, if there is a report.
fn child(name: &str) -> ExitCode {
    let (case, mode) = cases::named(name);
    match (case.run)(mode) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn drive(sanitizer: &str, only: &str) -> ExitCode {
    let started = Instant::now();
    let mut failed = 0;
    let mut judge = |name: &str, begun: Instant, complaint: Option<String>| {
        let mark = if complaint.is_none() { "ok  " } else { "FAIL" };
        println!("{mark} {name} ({:.1} s)", begun.elapsed().as_secs_f64());
        if let Some(complaint) = complaint {
            println!("{complaint}");
            failed += 1;
        }
    };
    for (case, mode) in cases::ALL.iter().flat_map(|case| MODES.map(|mode| (case, mode))) {
        let name = case.name_in(mode);
        if name.contains(only) {
            let begun = Instant::now();
            judge(&name, begun, clean(&name));
        }
    }
    for planted in PLANTED.iter().filter(|planted| planted.sanitizer == sanitizer) {
        let name = format!("planted {}", planted.name);
        if name.contains(only) {
            let begun = Instant::now();
            judge(&name, begun, caught(planted));
        }
    }
    println!("{sanitizer}: {failed} failed, {:.1} s", started.elapsed().as_secs_f64());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn this() -> Command {
    Command::new(std::env::current_exe().expect("a running program has a path"))
}

/// Runs it; what it wrote to its error output, where the reports are.
fn run(command: &mut Command) -> (ExitStatus, String) {
    let output = command.output().expect("this program starts");
    (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What is wrong with a case that must be clean.
fn clean(name: &str) -> Option<String> {
    let (status, text) = run(this().args(["--case", name]));
    (!status.success() || text.contains("Sanitizer")).then(|| format!("{status}\n{text}"))
}

/// How often a planted bug may run until it is reported: a race shows when its two threads meet, which one run cannot promise.
const PLANTED_RUNS: u32 = 8;

/// What is wrong with a planted bug: no run reported it as what it is.
fn caught(planted: &Planted) -> Option<String> {
    // One report is enough, and there may be thousands.
    let options = std::env::var("TSAN_OPTIONS").unwrap_or_default() + ":halt_on_error=1";
    let mut command = this();
    command.args(["--case", planted.case, "--planted", planted.name]).env("TSAN_OPTIONS", options);
    let mut complaint = None;
    for _ in 0..PLANTED_RUNS {
        let (status, text) = run(&mut command);
        if !status.success() && text.contains(planted.report) {
            return None;
        }
        complaint = Some(format!("{PLANTED_RUNS} runs, the last {status}: no \"{}\" in\n{text}", planted.report));
    }
    complaint
}
