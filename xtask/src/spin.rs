//! Runs the SPIN twins in `specs/spin`: what must happen in the end, under weak fairness.
//!
//! Each row of the table is one verifier of its own, made by `spin`, compiled by the C compiler and run to its end. A row *holds* with its number
//! of states pinned, or carries a planted bug and *fails*. SPIN is a program of the system (Debian: `spin`), so its version is part of the pin:
//! with another one the counts are printed and not compared.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::step;

/// What the counts were pinned with.
const VERSION: &str = "Spin Version 6.5.2";
/// Longest path that is searched; one that is longer is no result.
const DEPTH: &str = "-m1000000";
/// Rows that are verified at the same time.
const WORKERS: usize = 2;
/// The property that is not a formula: in every state something can move, or all threads have gone.
pub const NO_DEADLOCK: &str = "no-deadlock";

/// What must come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// No error, in so many states.
    Holds(u64),
    /// This planted bug breaks it.
    Breaks(&'static str),
}

use Expected::{Breaks, Holds};

/// One verification.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The file in `specs/spin` without its ending.
    pub twin: &'static str,
    /// The name of the formula.
    pub property: &'static str,
    /// Macros that make the configuration.
    defines: &'static str,
    /// What must come out.
    pub expected: Expected,
}

const fn permits(property: &'static str, defines: &'static str, expected: Expected) -> Row {
    Row { twin: "lease_and_permits", property, defines, expected }
}

const fn shutdown(property: &'static str, defines: &'static str, expected: Expected) -> Row {
    Row { twin: "shutdown_and_flush", property, defines, expected }
}

/// All that is verified.
pub const ROWS: [Row; 30] = [
    permits("served", "", Holds(18_615)),
    permits("served", "THREADS=4", Holds(378_518)),
    permits("served", "TIMED", Holds(33_603)),
    permits("served", "SLOTS=2 TIMED CLOSES", Holds(738_942)),
    permits("served", "", Breaks("NO_RECHECK")),
    permits("served", "", Breaks("NO_GRANT")),
    permits("served", "", Breaks("NEWEST_FIRST")),
    permits("served", "TIMED", Breaks("PERMIT_SWALLOWED")),
    permits("gets", "", Holds(23_244)),
    permits("gets", "THREADS=4 SLOTS=2", Holds(726_702)),
    permits("gets", "", Breaks("NO_LOOK_FOR_WAITERS")),
    permits("closes", "TIMED CLOSES", Holds(1_070_615)),
    permits("closes", "CLOSES", Breaks("NO_FIRST_CHECK")),
    permits(NO_DEADLOCK, "TIMED CLOSES", Holds(596_933)),
    permits(NO_DEADLOCK, "", Breaks("NO_RECHECK")),
    shutdown("returns", "", Holds(40_831)),
    shutdown("returns", "THREADS=3 CLOSERS=1", Holds(106_593)),
    shutdown("returns", "HANGS DEADLINE", Holds(158_440)),
    shutdown("returns", "", Breaks("NO_FIRST_CHECK")),
    shutdown("returns", "", Breaks("COUNT_KEPT")),
    shutdown("returns", "", Breaks("NO_THIRD_CHECK")),
    shutdown("returns", "", Breaks("NO_LOOK_BEFORE_SLEEP")),
    shutdown("returns", "", Breaks("REPORT_LOST")),
    shutdown("returns", "HANGS DEADLINE", Breaks("DEADLINE_IGNORED")),
    shutdown("ends", "", Holds(40_467)),
    shutdown("ends", "", Breaks("REFUSED_TRIES_AGAIN")),
    shutdown("empties", "", Holds(50_936)),
    shutdown("empties", "", Breaks("NO_FIRST_CHECK")),
    shutdown(NO_DEADLOCK, "", Holds(22_504)),
    shutdown(NO_DEADLOCK, "", Breaks("NO_THIRD_CHECK")),
];

/// What a verifier said.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    errors: u64,
    states: u64,
}

/// Verifies all rows and prints a line for each.
pub fn run() -> Result<()> {
    let Ok(output) = Command::new("spin").arg("-V").output() else {
        bail!("spin: not run: there is no `spin` (Debian: apt-get install spin)");
    };
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let pinned = version.starts_with(VERSION);
    let compared = if pinned { "" } else { ", counts not compared: they were pinned with 6.5.2" };
    println!("{version}{compared}");
    let started = Instant::now();
    let worker = |first: usize| {
        let rows = ROWS.iter().enumerate().skip(first).step_by(WORKERS);
        let deviates = |(number, row): &(usize, &Row)| {
            let (line, good) = judge(row, verify(row, *number), pinned);
            println!("{} {line}", if good { "ok  " } else { "FAIL" });
            !good
        };
        rows.filter(deviates).count()
    };
    let deviations: usize = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|first| scope.spawn(move || worker(first))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(ROWS.len())).sum()
    });
    println!("spin: {} rows, {deviations} deviate, {:.1} s", ROWS.len(), started.elapsed().as_secs_f64());
    if deviations > 0 {
        bail!("spin: {deviations} rows deviate");
    }
    Ok(())
}

/// The line to print, and whether the row came out as its table says.
fn judge(row: &Row, found: Result<(Found, f64)>, pinned: bool) -> (String, bool) {
    let bug = if let Breaks(bug) = row.expected { bug } else { "" };
    let what = format!("{}/{}", row.twin, row.property);
    let with = [row.defines, bug].join(" ").trim().to_owned();
    let (found, seconds) = match found {
        Ok(found) => found,
        Err(error) => return (format!("{what} [{with}]: {error:#}"), false),
    };
    let good = match row.expected {
        Holds(states) => found.errors == 0 && (found.states == states || !pinned),
        Breaks(_) => found.errors > 0,
    };
    let came = if found.errors == 0 { "holds with" } else { "breaks after" };
    let note = if good { String::new() } else { format!("; expected: {:?}", row.expected) };
    (format!("{seconds:>6.2} s  {what} [{with}]: {came} {} states{note}", found.states), good)
}

/// Makes the verifier of a row and runs it.
fn verify(row: &Row, number: usize) -> Result<(Found, f64)> {
    let folder = step::target("spin").join(number.to_string());
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let model = step::root().join("specs/spin").join(row.twin).with_extension("pml");
    let bug = if let Breaks(bug) = row.expected { Some(bug) } else { None };
    let defines = row.defines.split_whitespace().chain(bug).map(|define| format!("-D{define}"));
    step::output(Command::new("spin").current_dir(&folder).args(defines).arg("-a").arg(&model))?;
    let deadlock = row.property == NO_DEADLOCK;
    let flags: &[&str] = if deadlock { &["-DNOCLAIM", "-DSAFETY"] } else { &["-DNFAIR=3"] };
    step::output(Command::new("cc").current_dir(&folder).args(["-O1", "-w", "-o", "pan"]).args(flags).arg("pan.c"))?;
    let started = Instant::now();
    let mut verifier = Command::new(folder.join("pan"));
    verifier.current_dir(&folder).arg(DEPTH);
    if !deadlock {
        verifier.args(["-a", "-f", "-N", row.property]);
    }
    let printed = step::output(&mut verifier)?;
    Ok((read(&printed)?, started.elapsed().as_secs_f64()))
}

/// What a verifier printed. Errors: it did not come to its end.
fn read(printed: &str) -> Result<Found> {
    let errors = printed.lines().find_map(|line| line.split_once("errors: ")?.1.trim().parse().ok());
    let states = printed.lines().find_map(|line| line.split_once(" states, stored")?.0.trim().parse().ok());
    let (Some(errors), Some(states)) = (errors, states) else { bail!("no result:\n{printed}") };
    for unfinished in ["max search depth too small", "out of memory", "too many processes"] {
        if printed.contains(unfinished) {
            bail!("{unfinished}");
        }
    }
    if errors == 0 && printed.contains("Search not completed") {
        bail!("the search was not completed");
    }
    Ok(Found { errors, states })
}

/// Properties with what is said to break them, for the table of the README.
pub fn stated() -> BTreeSet<(&'static str, &'static str, BTreeSet<&'static str>)> {
    let properties: BTreeSet<_> = ROWS.iter().map(|row| (row.twin, row.property)).collect();
    let breaks = |twin, property| {
        let rows = ROWS.iter().filter(|row| row.twin == twin && row.property == property);
        rows.filter_map(|row| if let Breaks(bug) = row.expected { Some(bug) } else { None }).collect()
    };
    properties.into_iter().map(|(twin, property)| (twin, property, breaks(twin, property))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLDS: &str =
        "State-vector 72 byte, depth reached 7147, errors: 0\n    18615 states, stored (43466 visited)\n";

    fn row(expected: Expected) -> Row {
        permits("served", "", expected)
    }

    #[test]
    fn another_count_and_an_error_that_is_missing_are_deviations() {
        let found = || Ok((read(HOLDS).unwrap(), 0.0));
        assert!(judge(&row(Holds(18_615)), found(), true).1);
        assert!(!judge(&row(Holds(18_616)), found(), true).1);
        assert!(judge(&row(Holds(18_616)), found(), false).1, "another version counts otherwise");
        assert!(!judge(&row(Breaks("NO_RECHECK")), found(), true).1);
        let broken = || Ok((Found { errors: 1, states: 18_615 }, 0.0));
        assert!(!judge(&row(Holds(18_615)), broken(), true).1);
        assert!(judge(&row(Breaks("NO_RECHECK")), broken(), true).1);
        assert!(!judge(&row(Breaks("NO_RECHECK")), Err(anyhow::anyhow!("no compiler")), true).1);
    }

    #[test]
    fn a_search_that_did_not_end_is_no_result() {
        assert_eq!(read(HOLDS).unwrap(), Found { errors: 0, states: 18_615 });
        assert!(read("pan: error: too many processes").is_err());
        assert!(read(&format!("error: max search depth too small\n{HOLDS}")).is_err());
        assert!(read(&format!("Warning: Search not completed\n{HOLDS}")).is_err());
    }

    #[test]
    fn every_property_holds_somewhere_and_is_broken_by_a_bug() {
        for (twin, property, bugs) in stated() {
            assert!(!bugs.is_empty(), "{twin}/{property} is broken by nothing");
            let holds = |row: &Row| row.twin == twin && row.property == property && matches!(row.expected, Holds(_));
            assert!(ROWS.iter().any(holds), "{twin}/{property} holds nowhere");
        }
    }
}
