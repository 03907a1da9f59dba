//! The JSON of real rounds conforms to the published schema.

use std::fs;

use serde_json::Value;

use crate::published::Published;
use crate::tool::{LONG, Ran, Tool, interrupt};

/// The file and the line of a round are one, and conform.
#[track_caller]
fn conforms(tool: &Tool, file: &str, ran: &Ran, result: &str) -> Value {
    let round = ran.objects().pop().unwrap();
    assert!(round["result"].as_str().unwrap().starts_with(result), "{}", round["result"]);
    assert_eq!(Published::round().problems(&round), Vec::<String>::new());
    assert_eq!(tool.json(file), round);
    round
}

#[test]
fn rounds_of_every_result_conform() {
    let tool = Tool::new();
    let clean = if cfg!(feature = "seeded-bugs") { "INCOMPLETE" } else { "CLEAN" };
    let ran = tool.verify(&["--json"]);
    let mut round = conforms(&tool, "round-N1.json", &ran, clean);

    for attempt in round["attempts"].as_array_mut().unwrap() {
        if attempt.get("stress").is_some() {
            attempt["stress"]["values_digest"] = "00".into();
        }
    }
    fs::write(tool.path("edited.json"), round.to_string()).unwrap();
    let replay = ["verify", "--replay", "verification/edited.json", "--attempt", "extended_stress", "--json"];
    conforms(&tool, "replay-N1-extended_stress.json", &tool.run(&replay).ends(1), "FINDINGS 1");

    let tree = tool.folder.path().join("tree");
    fs::create_dir_all(tree.join("crates/millstream-verify")).unwrap();
    for name in ["Cargo.toml", "crates/millstream-verify/Cargo.toml"] {
        fs::write(tree.join(name), "x").unwrap();
    }
    let stale = tool.verify(&["--source", "tree", "--json"]).ends(2);
    conforms(&tool, "round-N2.json", &stale, "INCOMPLETE binary older than its source");

    let child = tool.start_round(&[&LONG[..], &["--json"]].concat());
    std::thread::sleep(std::time::Duration::from_millis(300));
    interrupt(&child);
    let stopped = Ran::from(child.wait_with_output().unwrap()).ends(130);
    conforms(&tool, "round-N3.json", &stopped, "INCOMPLETE interrupted");
}
