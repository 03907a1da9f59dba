//! The `specs` binary: runs the models and prints one line a case.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;
use specs::{CaseReport, Expected, Outcome};

/// Explore the models of Millstream's protocols and compare with their tables.
///
/// Exit code 0 when every case came out as expected, 1 when one deviates or the pattern matches none.
#[derive(Parser)]
#[command(name = "specs")]
struct Arguments {
    /// Print one JSON object a case instead of a line.
    #[arg(long)]
    json: bool,
    /// Print the steps that lead to each broken property.
    #[arg(long)]
    trace: bool,
    /// Print what each model states and which bug breaks what, one JSON object a model, and explore nothing.
    #[arg(long, conflicts_with_all = ["json", "trace", "only"])]
    list: bool,
    /// Run only the cases whose `spec/case` contains this text.
    #[arg(long, default_value = "", hide_default_value = true)]
    only: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        specs::stated().iter().for_each(|model| print_json(&model.spec, model));
        return ExitCode::SUCCESS;
    }
    let report = specs::run_matching(&arguments.only, &mut |case| {
        if arguments.json {
            print_json(&case.case, case);
        } else {
            print_line(case, arguments.trace);
        }
    });
    if report.cases.is_empty() {
        eprintln!("specs: no case contains {:?}", arguments.only);
        return ExitCode::FAILURE;
    }
    let deviations = report.cases.iter().filter(|case| !case.ok).count();
    if !arguments.json {
        println!(
            "{} cases, {} states, {:.1} s: {}",
            report.cases.len(),
            report.states,
            report.seconds,
            if deviations == 0 { "all as expected".to_owned() } else { format!("{deviations} deviate") },
        );
    }
    if deviations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_json(name: &str, value: &impl Serialize) {
    match serde_json::to_string(value) {
        Ok(line) => println!("{line}"),
        Err(error) => eprintln!("specs: {name} cannot be printed as JSON: {error}"),
    }
}

fn print_line(case: &CaseReport, with_trace: bool) {
    let mark = if case.ok { "ok  " } else { "FAIL" };
    let expected = match case.expected {
        Expected::Holds { states } => format!("holds with {states} states"),
        Expected::Fails { property } => format!("breaks {property}"),
    };
    let found = match &case.outcome {
        Outcome::Holds => format!("holds with {} states", case.states),
        Outcome::Fails { properties, trace } => format!("breaks {} in {} steps", properties.join(", "), trace.len()),
    };
    let verdict = if case.ok { found } else { format!("{found}; expected: {expected}") };
    println!("{mark} {:>6.2} s  {}/{}: {verdict}", case.seconds, case.spec, case.case);
    if let (Outcome::Fails { trace, .. }, true) = (&case.outcome, with_trace || !case.ok) {
        for (number, step) in trace.iter().enumerate() {
            println!("         {:>3} {step}", number + 1);
        }
    }
}
