//! A round on another machine's terms: the binary and the JSON, in a folder of their own, are enough.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::tool::{Ran, STEADY, Tool};

fn stress(round: &Value) -> &Value {
    round["attempts"].as_array().unwrap().iter().find(|attempt| attempt["id"] == "extended_stress").unwrap()
}

/// Settings of the configurations of a round, and the values that each compared.
fn rows(round: &Value) -> Vec<(&Value, &Value)> {
    let rows = stress(round)["configurations"].as_array().unwrap();
    rows.iter().map(|row| (&row["choice"], &row["values_compared"])).collect()
}

#[test]
fn a_round_runs_again_from_its_json_and_its_binary_alone() {
    let home = Tool::new();
    let _ = home.verify(&["--json"]);
    // A second round: what it ran depends on the first, which the stranger does not have.
    let _ = home.verify(&["--json"]);
    let second = home.json("round-N2.json");
    assert_eq!(second["coverage"]["rounds"], serde_json::json!([1]));

    let elsewhere = tempfile::tempdir().unwrap();
    let binary = elsewhere.path().join("millstream");
    fs::copy(env!("CARGO_BIN_EXE_millstream"), &binary).unwrap();
    fs::copy(home.path("round-N2.json"), elsewhere.path().join("given.json")).unwrap();
    drop(home);
    let mut command = Command::new(&binary);
    command.current_dir(elsewhere.path()).stdin(Stdio::null());
    command.args(["verify", "--replay", "given.json", "--attempt", "extended_stress", "--out", "mine", "--json"]);
    let again = Ran::from(command.output().unwrap()).ends(0).objects().remove(0);

    assert_eq!(stress(&again)["stress"]["values_digest"], stress(&second)["stress"]["values_digest"]);
    assert_eq!(rows(&again), rows(&second));
    assert!(rows(&again).len() >= 2, "{}", stress(&again)["configurations"]);
    assert!(again["notes"][0]["text"].as_str().unwrap().starts_with("values_digest equals that of N=2"));
}

#[test]
fn settings_that_are_no_row_are_refused() {
    let tool = Tool::new();
    let _ = tool.run(&[&["verify", "--attempt", "extended_stress", "--json"], &STEADY[..]].concat());
    let mut round = tool.json("attempt-extended_stress.json");
    for attempt in round["attempts"].as_array_mut().unwrap() {
        attempt["configurations"][0]["choice"]["policy"] = "hope".into();
    }
    fs::write(tool.path("edited.json"), round.to_string()).unwrap();
    tool.run(&["verify", "--replay", "verification/edited.json"]).refuses(65, &["policy is \"hope\""]);
}
