//! The commands that a report prints do what it says, in the words in which it prints them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::tool::{Ran, STEADY, Tool};

/// A folder with a name that a shell must not take apart.
const OUT: &str = "my rounds";

/// Runs what a report printed, as somebody who copies it into a shell.
fn pasted(tool: &Tool, command: &str) -> Ran {
    let folder = Path::new(env!("CARGO_BIN_EXE_millstream")).parent().unwrap();
    let path = std::env::join_paths(
        [folder.to_owned()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let mut shell = Command::new("sh");
    shell.current_dir(tool.folder.path()).env("PATH", path.unwrap()).env_remove("RUST_BACKTRACE");
    shell.args(["-c", command]).stdin(Stdio::null()).output().map(Ran::from).unwrap()
}

/// A round of the stress alone.
fn stressed(tool: &Tool) -> Value {
    let arguments = ["verify", "--attempt", "extended_stress", "--out", OUT, "--json"];
    tool.run(&[&arguments[..], &STEADY[..]].concat()).objects().remove(0)
}

fn replay(of: &Value) -> &str {
    of["replay"].as_str().unwrap()
}

#[test]
fn the_command_of_a_round_gives_its_values_again() {
    let tool = Tool::new();
    let round = stressed(&tool);
    for command in [replay(&round).to_owned(), format!("{} --attempt extended_stress", replay(&round))] {
        let again = pasted(&tool, &format!("{command} --json")).ends(0).objects().remove(0);
        assert!(again["notes"][0]["text"].as_str().unwrap().starts_with("values_digest equals that of N=1"), "{again}");
    }
}

#[test]
fn the_command_of_a_finding_finds_it_again() {
    let tool = Tool::new();
    let mut round = stressed(&tool);
    for attempt in round["attempts"].as_array_mut().unwrap() {
        attempt["stress"]["values_digest"] = "00".into();
    }
    fs::write(tool.folder.path().join(OUT).join("edited.json"), round.to_string()).unwrap();
    let found = tool.run(&["verify", "--replay", "my rounds/edited.json", "--json"]).ends(1).objects().remove(0);
    let finding = &found["findings"][0];
    let again = pasted(&tool, &format!("{} --json", replay(finding))).ends(1).objects().remove(0);
    assert_eq!(again["findings"][0]["text"], finding["text"]);
}

#[test]
fn a_seed_of_a_scheduled_run_is_the_first_of_its_command() {
    let tool = Tool::new();
    let command = "millstream verify --attempt simulated_schedules --seed 1003 --json";
    let round = pasted(&tool, command).objects().remove(0);
    assert_eq!((&round["seed"], &round["attempts"][0]["id"]), (&1003.into(), &"simulated_schedules".into()));
    assert_eq!(round["attempts"].as_array().unwrap().len(), 1);
}
