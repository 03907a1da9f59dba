//! A fall of throughput is noted beside CLEAN: exactly when the machine was steady.

#![cfg(not(feature = "seeded-bugs"))]

use std::fs;

use serde_json::Value;

use crate::tool::Tool;

/// Rounds until one meets a steady machine.
const ROUNDS_MAX: u64 = 20;

/// Makes round `n` ten times as fast as it was: every later one has fallen behind.
fn speed_up(tool: &Tool, n: u64) {
    let name = format!("round-N{n}.json");
    let mut round = tool.json(&name);
    for attempt in round["attempts"].as_array_mut().unwrap() {
        if let Some(rate) = attempt["stress"]["ops_per_second"].as_f64() {
            attempt["stress"]["ops_per_second"] = (rate * 10.0).into();
        }
    }
    fs::write(tool.path(&name), round.to_string()).unwrap();
}

fn is_steady(round: &Value) -> bool {
    let seconds = |key: &str| round["calibration"][key].as_f64().unwrap();
    let (before, after) = (seconds("before_s"), seconds("after_s"));
    (before - after).abs() <= 0.05 * before.min(after)
}

#[test]
fn a_round_that_fell_behind_says_so_exactly_when_the_machine_was_steady() {
    let tool = Tool::new();
    let mut judged = 0;
    for n in 1..=ROUNDS_MAX {
        let round = tool.verify(&["--json"]).ends(0).objects().remove(0);
        let noted =
            |note: &Value| note["kind"] == "REGRESSION" && note["text"].as_str().unwrap().starts_with("throughput");
        let notes = round["notes"].as_array().cloned().unwrap_or_default();
        let fell = notes.iter().any(noted);
        // Five rounds are the measure.
        assert_eq!(fell, n > 5 && is_steady(&round), "N={n}: {} {notes:?}", round["calibration"]);
        if fell {
            assert_eq!(round["result"], "CLEAN", "it is about speed, not about bugs");
            let page = fs::read_to_string(tool.path(&format!("round-N{n}.md"))).unwrap();
            assert!(page.contains("**Note**: REGRESSION - throughput"), "{page}");
            judged += 1;
        }
        if judged > 0 {
            return;
        }
        speed_up(&tool, n);
    }
    panic!("the machine was steady in none of {ROUNDS_MAX} rounds: nothing was shown");
}
