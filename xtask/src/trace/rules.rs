//! The rules, from the files and the models to findings.

use std::collections::{BTreeMap, BTreeSet};

use super::heads::heads_are_true;
use super::tables::{kinds, rows, ticked};
use super::{Findings, README, World};

const SPECS: [&str; 4] = ["spec", "source", "tests", "invariants"];
const INVARIANTS: [&str; 4] = ["spec", "invariant", "the sentence", "broken by"];
const TWINS: [&str; 4] = ["twin", "property", "the sentence", "broken by"];
const OTHERS: [&str; 2] = ["file", "why it is no protocol"];
const SYNC: &str = "crates/millstream-sync/src/";
/// Files in `specs/src` that are no models.
const RUNNER: [&str; 3] = ["check", "lib", "main"];

pub fn all(world: &World) -> Findings {
    let rules: [fn(&World) -> Findings; 7] = [
        models_have_rows,
        sources_exist,
        tests_exist,
        invariants_are_stated,
        twins_are_stated,
        protocols_are_checked,
        heads_are_true,
    ];
    rules.iter().flat_map(|rule| rule(world)).collect()
}

fn set<'a>(items: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    items.into_iter().collect()
}

/// Two sets that must be equal: a finding for each item that only one has.
fn differ(left: &BTreeSet<&str>, where_left: &str, right: &BTreeSet<&str>, where_right: &str) -> Findings {
    let only = |a: &BTreeSet<&str>, in_a: &str, b: &BTreeSet<&str>, in_b: &str| -> Findings {
        a.difference(b).map(|item| format!("`{item}` is in {in_a} and not in {in_b}")).collect()
    };
    let mut findings = only(left, where_left, right, where_right);
    findings.extend(only(right, where_right, left, where_left));
    findings
}

/// Every file of a model is listed by the binary and has a row, and there is no other row.
pub fn models_have_rows(world: &World) -> Findings {
    let table = rows(world.readme(), &SPECS);
    let listed = set(world.models.iter().map(|model| model.spec.as_str()));
    let stems = world.files.iter().filter_map(|file| file.path.strip_prefix("specs/src/")?.strip_suffix(".rs"));
    let files = set(stems.filter(|name| !name.contains('/') && !RUNNER.contains(name)));
    let mut findings = differ(&files, "specs/src", &listed, "what `specs --list` says");
    findings.extend(differ(&set(table.iter().flat_map(|row| ticked(&row[0]))), README, &listed, "the models"));
    findings
}

/// Every source that a row names is a file.
pub fn sources_exist(world: &World) -> Findings {
    let paths = set(world.files.iter().map(|file| file.path.as_str()));
    let mut findings = Findings::new();
    for row in rows(world.readme(), &SPECS) {
        let sources = ticked(&row[1]);
        if sources.is_empty() {
            findings.push(format!("{}: no source", row[0]));
        }
        let absent = sources.into_iter().filter(|source| !paths.contains(format!("crates/{source}").as_str()));
        findings.extend(absent.map(|source| format!("{}: there is no crates/{source}", row[0])));
    }
    findings
}

/// The names of the cases of a checker: what stands after `name: ` in its files.
fn cases<'a>(world: &'a World, checker: &str) -> BTreeSet<&'a str> {
    let folder = format!("crates/millstream-sync/tests/{checker}/");
    let files = world.files.iter().filter(|file| file.path.starts_with(&folder));
    files.flat_map(|file| file.text.split("name: \"").skip(1)).filter_map(|rest| rest.split('"').next()).collect()
}

/// The protocols that a checker has cases of.
pub fn protocols_of<'a>(world: &'a World, checker: &str) -> BTreeSet<&'a str> {
    cases(world, checker).into_iter().filter_map(|case| Some(case.split_once('/')?.0)).collect()
}

/// Whether an attempt has a probe of this name.
pub fn is_probe(world: &World, name: &str) -> bool {
    let name = format!("\"{name}\"");
    world.below("crates/millstream-verify/src/attempts", ".rs").any(|file| file.text.contains(&name))
}

/// Whether some test has this name.
fn is_test(world: &World, name: &str) -> bool {
    let head = format!("fn {name}()");
    world.below("crates/", ".rs").any(|file| {
        let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
        lines.windows(2).any(|pair| pair[0] == "#[test]" && pair[1].starts_with(&head))
    })
}

/// Every loom or shuttle case, test and probe that a row names is there, and every row names one.
pub fn tests_exist(world: &World) -> Findings {
    let mut findings = Findings::new();
    let (loom, shuttle) = (protocols_of(world, "loom"), protocols_of(world, "shuttle"));
    for row in rows(world.readme(), &SPECS) {
        let named = kinds(&row[2]);
        if named.is_empty() {
            findings.push(format!("{}: no test", row[0]));
        }
        for (kind, name) in named {
            let found = match kind {
                "loom" => loom.contains(name),
                "shuttle" => shuttle.contains(name),
                "test" => is_test(world, name),
                "probe" => is_probe(world, name),
                _ => false,
            };
            if !found {
                findings.push(format!("{}: there is no {kind} `{name}`", row[0]));
            }
        }
    }
    findings
}

/// The invariants of the two tables are those of the models, and what is said to break each is what does.
pub fn invariants_are_stated(world: &World) -> Findings {
    let mut findings = Findings::new();
    let (first, second) = (rows(world.readme(), &SPECS), rows(world.readme(), &INVARIANTS));
    for model in &world.models {
        let spec = model.spec.as_str();
        let is_of = |row: &&Vec<String>| ticked(&row[0]) == [spec];
        let stated = set(model.invariants.iter().map(String::as_str));
        let in_first = set(first.iter().filter(is_of).flat_map(|row| ticked(&row[3])));
        findings.extend(differ(&in_first, &format!("the first row of {spec}"), &stated, "its model"));
        let in_second = set(second.iter().filter(is_of).flat_map(|row| ticked(&row[1])));
        findings.extend(differ(&in_second, &format!("the invariants of {spec}"), &stated, "its model"));
        for row in second.iter().filter(is_of) {
            for invariant in ticked(&row[1]) {
                let breaks = model.broken.iter().filter(|(property, _)| property == invariant);
                let breaks = set(breaks.map(|(_, bug)| bug.as_str()));
                if breaks.is_empty() {
                    findings.push(format!("{spec}: no planted bug breaks `{invariant}`"));
                }
                let said = set(ticked(&row[3]));
                findings.extend(differ(&said, &format!("the row of {spec}/{invariant}"), &breaks, "its model"));
            }
        }
    }
    let known = set(world.models.iter().map(|model| model.spec.as_str()));
    let others = second.iter().filter(|row| !ticked(&row[0]).iter().all(|spec| known.contains(spec)));
    findings.extend(others.map(|row| format!("{README} has invariants of {}, which is no model", row[0])));
    findings
}

/// The properties of the SPIN twins are those that are verified and stand in their files, and what is said to break each is what does.
pub fn twins_are_stated(world: &World) -> Findings {
    let mut said: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for row in rows(world.readme(), &TWINS) {
        for (twin, property) in ticked(&row[0]).into_iter().zip(ticked(&row[1])) {
            let bugs = ticked(&row[3]).into_iter().map(str::to_owned).collect();
            said.insert((twin.to_owned(), property.to_owned()), bugs);
        }
    }
    let mut findings = Findings::new();
    for (twin, property, bugs) in &world.twins {
        let name = format!("{twin}/{property}");
        let Some(of_row) = said.remove(&((*twin).to_owned(), (*property).to_owned())) else {
            findings.push(format!("{README} has no row of {name}"));
            continue;
        };
        findings.extend(differ(
            &set(of_row.iter().map(String::as_str)),
            &format!("the row of {name}"),
            bugs,
            "the table of `cargo xtask spin`",
        ));
        let path = format!("specs/spin/{twin}.pml");
        let text = world.files.iter().find(|file| file.path == path).map_or("", |file| &file.text);
        if *property != crate::spin::NO_DEADLOCK && !text.contains(&format!("ltl {property} ")) {
            findings.push(format!("{path} has no formula `{property}`"));
        }
        let absent = bugs.iter().filter(|bug| !text.contains(&format!("def {bug}\n")));
        findings.extend(absent.map(|bug| format!("{path} has no bug `{bug}`")));
    }
    findings.extend(said.keys().map(|(twin, property)| format!("nothing verifies {twin}/{property}")));
    findings
}

/// Every file of the crate for protocols has a spec, or cases, or a reason to have none; and only those without have one.
pub fn protocols_are_checked(world: &World) -> Findings {
    let specs = rows(world.readme(), &SPECS);
    let sources = specs.iter().flat_map(|row| ticked(&row[1]));
    let mut checked = set(sources.filter_map(|s| s.strip_prefix("millstream-sync/src/")?.strip_suffix(".rs")));
    checked.extend(protocols_of(world, "loom"));
    checked.extend(protocols_of(world, "shuttle"));
    let paths = world.below(SYNC, ".rs").filter_map(|file| file.path.strip_prefix(SYNC));
    let protocols = set(paths.filter_map(|path| path.split(['/', '.']).next()));
    let table = rows(world.readme(), &OTHERS);
    let mut findings = Findings::new();
    let excused = set(table.iter().flat_map(|row| ticked(&row[0])));
    for protocol in &protocols {
        match (checked.contains(*protocol), excused.contains(protocol)) {
            (false, false) => findings.push(format!("{SYNC}{protocol} has no spec, no loom case and no shuttle case")),
            (true, true) => findings.push(format!("`{protocol}` is checked, and {README} says why it is not")),
            _ => {}
        }
    }
    findings.extend(excused.difference(&protocols).map(|other| format!("{README}: there is no {SYNC}{other}")));
    let silent = table.iter().filter(|row| row[1].is_empty());
    findings.extend(silent.map(|row| format!("{README}: no reason for {}", row[0])));
    findings
}
