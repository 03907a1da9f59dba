//! `millstream verify --seeded-bugs`: the verifier verified.

use std::time::Duration;

use millstream_verify::plan::DeviceName;
use millstream_verify::seeded::{self, Judged, Outcome, Request};

use crate::args::Verify;
use crate::exit::{Ended, code};
use crate::output::{say, say_json, table};
use crate::progress::Teller;
use crate::verify::own_path;

/// After this long a child with a bug counts as hung.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The same where each of its processes opens a GPU.
const TIMEOUT_DEAR: Duration = Duration::from_secs(180);
const SEED: u64 = 0x5eed;

/// Runs every bug.
pub fn run(arguments: &Verify) -> Ended {
    let out = arguments.out.join("seeded");
    let device = Some(arguments.workload.device.clone()).filter(|device| *device != DeviceName::Cpu);
    let timeout = if device.as_ref().is_some_and(DeviceName::is_dear_to_open) { TIMEOUT_DEAR } else { TIMEOUT };
    let request = Request { program: own_path()?, out, timeout, seed: SEED, device };
    let teller = Teller::new();
    let outcome = seeded::run(&request, &teller)?;
    drop(teller);
    if arguments.json {
        say_json(&outcome)?;
    } else {
        say(&text(&outcome))?;
    }
    Ok(match (&outcome.interrupted, outcome.survived) {
        (true, _) => code::INTERRUPTED,
        (false, 0) => 0,
        (false, _) => code::FINDINGS,
    })
}

fn text(outcome: &Outcome) -> String {
    let row = |bug: &Judged| {
        let nobody = if bug.tried { "SURVIVED" } else { "not here" };
        let by = bug.attempt.clone().unwrap_or_else(|| nobody.to_owned());
        [bug.id.to_owned(), by, format!("{:.1} s", bug.seconds), bug.how.clone()]
    };
    let rows: Vec<[String; 4]> = outcome.bugs.iter().map(row).collect();
    let mut text = table(["Bug", "Caught by", "Time", "How"], &rows, [false, false, true, false]);
    for line in &outcome.unusable {
        text.push_str(&format!("\nnot used, not clean without a bug: {line}"));
    }
    let stopped = if outcome.interrupted { ", interrupted" } else { "" };
    let elsewhere = match outcome.not_here {
        0 => String::new(),
        count => format!(", {count} not tried here"),
    };
    format!("{text}\n\nSeeded bugs: {} caught, {} survived{elsewhere}{stopped}", outcome.caught, outcome.survived)
}
