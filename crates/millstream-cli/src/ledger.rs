//! `millstream ledger`: what the ledger holds, whether it is sound, and what one round did to the count.

use millstream_verify::date;
use millstream_verify::ledger::{Checked, Ledger, Line, LineResult};
use millstream_verify::model::ConsecutiveClean;
use millstream_verify::streak;
use serde::Serialize;

use crate::args::{self, Question};
use crate::exit::{Ended, Stop};
use crate::output::{say, say_json, table};

/// Runs the command.
pub fn run(arguments: &args::Ledger) -> Ended {
    let ledger = Ledger::at(&arguments.out);
    match arguments.question {
        Question::List => list(&ledger.list()?, arguments)?,
        Question::Check => check(&ledger.check()?, arguments)?,
        Question::Why { n } => why(&ledger, n, arguments.json)?,
    }
    Ok(0)
}

fn list(lines: &[Line], arguments: &args::Ledger) -> Result<(), Stop> {
    if arguments.json {
        return lines.iter().try_for_each(say_json);
    }
    if lines.is_empty() {
        return say(&empty(arguments));
    }
    let rows: Vec<[String; 6]> = lines.iter().map(row).collect();
    let heading = ["N", "Date", "Result", "Findings", "Ops/sec", "Reason"];
    say(&table(heading, &rows, [true, false, false, true, true, false]))
}

fn row(line: &Line) -> [String; 6] {
    let started = line.result == LineResult::Started;
    let rate = line.ops_per_second.map(|rate| format!("{rate:.1}")).unwrap_or_default();
    let findings = if started { String::new() } else { line.counts.findings.to_string() };
    let time = line.date.replace('T', " ");
    [line.n.to_string(), time.trim_end_matches('Z').to_owned(), word(line.result), findings, rate, line.reason.clone()]
}

fn word(result: LineResult) -> String {
    match result {
        LineResult::Started => "started",
        LineResult::Clean => "CLEAN",
        LineResult::CleanRepeat => "CLEAN (repeat)",
        LineResult::Findings => "FINDINGS",
        LineResult::Incomplete => "INCOMPLETE",
    }
    .to_owned()
}

fn empty(arguments: &args::Ledger) -> String {
    format!("no round in {} yet: `millstream verify` runs one", arguments.out.display())
}

#[derive(Serialize)]
struct Sound<'a> {
    sound: bool,
    lines: usize,
    last_n: u64,
    head: &'a str,
    unfinished_append: bool,
    consecutive_clean: ConsecutiveClean,
}

fn check(checked: &Checked, arguments: &args::Ledger) -> Result<(), Stop> {
    let clean = streak::consecutive_clean(&checked.lines);
    if arguments.json {
        return say_json(&Sound {
            sound: true,
            lines: checked.lines.len(),
            last_n: checked.last_n(),
            head: &checked.head,
            unfinished_append: checked.unfinished_append,
            consecutive_clean: clean,
        });
    }
    let Some(last) = checked.lines.last() else { return say(&empty(arguments)) };
    let day = date::day(&last.date);
    let mut text = vec![
        format!("Sound: {} lines, last round N={} of {day}", checked.lines.len(), last.n),
        format!("Head: {}", checked.head),
        streak::markdown_line(&clean).replace("**", ""),
    ];
    text.extend(streak::not_counted_line(&clean));
    if checked.unfinished_append {
        text.push("The last append was cut by a crash; the next round completes it".to_owned());
    }
    say(&text.join("\n"))
}

#[derive(Serialize)]
struct Answer {
    n: u64,
    result: Option<LineResult>,
    reason: String,
    effect: String,
}

fn why(ledger: &Ledger, n: u64, json: bool) -> Result<(), Stop> {
    let why = ledger.why(n)?;
    if !json {
        return say(&why.to_string());
    }
    let finished = why.finished.as_ref();
    say_json(&Answer {
        n: why.n,
        result: finished.map(|line| line.result),
        reason: finished.map(|line| line.reason.clone()).unwrap_or_default(),
        effect: why.effect.to_string(),
    })
}
