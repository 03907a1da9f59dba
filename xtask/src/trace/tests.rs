//! Each rule is seen to fire, and to be silent where all is well.

use super::heads::heads_are_true;
use super::rules::*;
use super::*;

const PAGE: &str = "\
| spec | source | tests | invariants |
|---|---|---|---|
| `lane` | `millstream-sync/src/lane.rs` | loom `lane`, shuttle `lane`, test `a_lane_is_kept`, probe `lane-change` | `one-car`, `no-deadlock` |

| spec | invariant | the sentence | broken by |
|---|---|---|---|
| `lane` | `one-car` | One car. | `NoLook`, `NoLine` |
| | `no-deadlock` | All go home. | `NoLine` |

| twin | property | the sentence | broken by |
|---|---|---|---|
| `lane` | `arrives` | Who sets out arrives. | `NO_GREEN` |

| file | why it is no protocol |
|---|---|
| `lib` | the list of the modules |
";

fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}

/// A world in which all is well, but for the page.
fn world(page: &str) -> World {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let broken = [("one-car", "NoLook"), ("one-car", "NoLine"), ("no-deadlock", "NoLine")];
    World {
        files: vec![
            file(README, page),
            file("crates/millstream-sync/src/lib.rs", "mod lane;"),
            file("crates/millstream-sync/src/lane.rs", "//! **Checked by** specs/lane."),
            file("crates/millstream-sync/tests/loom/protocols/lane.rs", "Case { name: \"lane/keeps\" }"),
            file("crates/millstream-sync/tests/shuttle/subsystems.rs", "Case { name: \"lane/changes\" }"),
            file("crates/millstream/tests/it/lanes.rs", "#[test]\nfn a_lane_is_kept() {}"),
            file("crates/millstream-verify/src/attempts/lanes.rs", "What::Child(\"lane-change\")"),
            file("specs/src/lane.rs", ""),
            file("specs/src/lib.rs", ""),
            file("specs/spin/lane.pml", "#ifdef NO_GREEN\nltl arrives { <> home }"),
        ],
        models: vec![Stated {
            spec: "lane".to_owned(),
            invariants: names(&["one-car", "no-deadlock"]),
            broken: broken.iter().map(|(property, bug)| ((*property).to_owned(), (*bug).to_owned())).collect(),
        }],
        twins: BTreeSet::from([("lane", "arrives", BTreeSet::from(["NO_GREEN"]))]),
    }
}

/// What the rule says when this text of the page is another.
fn with(rule: fn(&World) -> Findings, from: &str, to: &str) -> Findings {
    assert!(PAGE.contains(from), "the page has no {from}");
    rule(&world(&PAGE.replace(from, to)))
}

/// What the rule says when this file is not there.
fn without(rule: fn(&World) -> Findings, path: &str) -> Findings {
    let mut world = world(PAGE);
    world.files.retain(|file| file.path != path);
    rule(&world)
}

#[test]
fn a_world_in_which_all_is_well_has_no_findings() {
    assert_eq!(all(&world(PAGE)), Findings::new());
}

#[test]
fn a_model_without_a_row_and_a_row_without_a_model_are_found() {
    let row = "| `lane` | `millstream-sync/src/lane.rs`";
    assert_eq!(with(models_have_rows, row, "| `road` | `millstream-sync/src/lane.rs`").len(), 2);
    assert_eq!(without(models_have_rows, "specs/src/lane.rs").len(), 1);
    let mut more = world(PAGE);
    more.files.push(file("specs/src/road.rs", ""));
    assert_eq!(models_have_rows(&more), ["`road` is in specs/src and not in what `specs --list` says"]);
}

#[test]
fn a_source_that_is_not_there_is_found() {
    let gone = without(sources_exist, "crates/millstream-sync/src/lane.rs");
    assert_eq!(gone, ["`lane`: there is no crates/millstream-sync/src/lane.rs"]);
    assert_eq!(with(sources_exist, "| `millstream-sync/src/lane.rs` |", "| |"), ["`lane`: no source"]);
}

#[test]
fn a_case_a_test_or_a_probe_that_is_not_there_is_found() {
    assert_eq!(with(tests_exist, "loom `lane`", "loom `road`"), ["`lane`: there is no loom `road`"]);
    assert_eq!(with(tests_exist, "shuttle `lane`", "shuttle `lan`"), ["`lane`: there is no shuttle `lan`"]);
    assert_eq!(with(tests_exist, "a_lane_is_kept", "a_lane_is").len(), 1);
    assert_eq!(with(tests_exist, "lane-change", "lane-chang").len(), 1);
    assert_eq!(with(tests_exist, "loom `lane`", "seen `lane`").len(), 1, "a kind of its own");
    assert_eq!(without(tests_exist, "crates/millstream-sync/tests/loom/protocols/lane.rs").len(), 1);
    let mut other = world(PAGE);
    other.files.iter_mut().for_each(|file| file.text = file.text.replace("#[test]\n", ""));
    assert_eq!(tests_exist(&other).len(), 1, "a function that is no test");
    let cell = "loom `lane`, shuttle `lane`, test `a_lane_is_kept`, probe `lane-change`";
    assert_eq!(with(tests_exist, cell, "none"), ["`lane`: no test"]);
}

#[test]
fn an_invariant_that_is_not_stated_or_not_broken_is_found() {
    assert_eq!(with(invariants_are_stated, "`one-car`, `no-deadlock`", "`one-car`").len(), 1);
    let renamed = with(invariants_are_stated, "| `one-car` | One", "| `two-cars` | One");
    assert!(renamed.contains(&"`one-car` is in its model and not in the invariants of lane".to_owned()), "{renamed:?}");
    assert!(renamed.contains(&"lane: no planted bug breaks `two-cars`".to_owned()), "{renamed:?}");
    assert_eq!(with(invariants_are_stated, "`NoLook`, `NoLine`", "`NoLook`").len(), 1);
    assert_eq!(with(invariants_are_stated, "`NoLook`, `NoLine`", "`NoLook`, `NoLine`, `NoCar`").len(), 1);
    let other = with(invariants_are_stated, "| `lane` | `one-car`", "| `road` | `one-car`");
    assert!(other.contains(&"specs/README.md has invariants of `road`, which is no model".to_owned()), "{other:?}");
    let mut unbroken = world(PAGE);
    unbroken.models[0].broken.retain(|(property, _)| property != "no-deadlock");
    let findings = invariants_are_stated(&unbroken);
    assert!(findings.contains(&"lane: no planted bug breaks `no-deadlock`".to_owned()), "{findings:?}");
}

#[test]
fn a_twin_that_is_not_stated_or_not_verified_is_found() {
    assert_eq!(with(twins_are_stated, "| `arrives` |", "| `arrive` |").len(), 2);
    assert_eq!(with(twins_are_stated, "`NO_GREEN`", "`NO_RED`").len(), 2);
    let mut other = world(PAGE);
    other.files.iter_mut().for_each(|file| file.text = file.text.replace("ltl arrives", "ltl leaves"));
    assert_eq!(twins_are_stated(&other), ["specs/spin/lane.pml has no formula `arrives`"]);
    other.files.iter_mut().for_each(|file| file.text = file.text.replace("NO_GREEN\n", "NO_GREENS\n"));
    assert_eq!(twins_are_stated(&other).len(), 2);
}

#[test]
fn a_protocol_that_nothing_checks_is_found() {
    let mut more = world(PAGE);
    more.files.push(file("crates/millstream-sync/src/road/bend.rs", ""));
    let finding = "crates/millstream-sync/src/road has no spec, no loom case and no shuttle case";
    assert_eq!(protocols_are_checked(&more), [finding]);
    assert_eq!(with(protocols_are_checked, "| `lib` | the", "| `lane` | the").len(), 2);
    assert_eq!(with(protocols_are_checked, "the list of the modules", ""), ["specs/README.md: no reason for `lib`"]);
    assert_eq!(without(protocols_are_checked, "crates/millstream-sync/src/lib.rs").len(), 1);
}

/// What is found where the head of the lane's source says this.
fn head(says: &str) -> Findings {
    let mut other = world(PAGE);
    other.files.push(file("crates/millstream-sync/src/seeded.rs", "\"no-line\""));
    other.files[2].text = format!("//! A lane.\n//!\n//! **Checked by** {says}.\n//!\n//! More: specs/none.\n");
    heads_are_true(&other)
}

#[test]
fn a_head_that_names_what_is_not_there_is_found() {
    let all = "specs/lane, loom `lane`, the probes `lane-change` and\n//! `lane-change`, the seeded bug `no-line`, tests/it/lanes.rs, tests/loom";
    assert_eq!(head(all), Findings::new());
    assert_eq!(head("specs/lanes"), ["crates/millstream-sync/src/lane.rs: there is no specs/lanes"]);
    for false_name in [
        "loom `road`",
        "shuttle `road`",
        "the probe `turn`",
        "the probes `lane-change` and `turn`",
        "the seeded bug `turn`",
        "tests/it/roads.rs",
    ] {
        assert_eq!(head(false_name).len(), 1, "{false_name}");
    }
}
