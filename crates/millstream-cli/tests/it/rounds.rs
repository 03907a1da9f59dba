//! Rounds that run: numbers, streak, replay, binding, files.

use std::fs;

use crate::tool::{Ran, SMALL, Tool};

/// Everything but the seeded build: that one never writes a clean line.
#[cfg(not(feature = "seeded-bugs"))]
#[test]
fn three_clean_rounds_count_three() {
    let tool = Tool::new();
    let ran = tool.verify(&["--rounds", "3", "--json"]).ends(0);
    let rounds = ran.objects();
    let numbers: Vec<_> = rounds.iter().map(|round| round["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(rounds[2]["consecutive_clean"]["count"], 3);
    assert_eq!(rounds[2]["consecutive_clean"]["rounds"], serde_json::json!([1, 2, 3]));
    assert_eq!(rounds[2]["attempts"].as_array().unwrap().len(), 3);
    assert_ne!(rounds[0]["seed"], rounds[1]["seed"]);
    assert!(!ran.err.contains('\u{1b}'), "colours");
    for extension in ["md", "json", "html", "junit.xml"] {
        assert!(tool.exists(&format!("round-N3.{extension}")), "{extension}");
    }
    let head = fs::read_to_string(tool.path("ledger.head")).unwrap();
    assert!(head.contains(rounds[2]["ledger"]["line_sha256"].as_str().unwrap()));
    assert_eq!(tool.json("round-N3.json"), rounds[2]);
    let text = fs::read_to_string(tool.path("round-N3.md")).unwrap();
    assert!(text.starts_with("# Verification Round N=3 - 3 Rigorous Attempts\n"), "{text}");
    assert!(text.trim_end().contains("**Consecutive clean rounds**: 3 (N=1, N=2, N=3)"), "{text}");
    let last = tool.verify(&[]).ends(0).out;
    assert!(last.ends_with("CLEAN  N=4  report: verification/round-N4.md\n"), "{last}");
}

#[cfg(not(feature = "seeded-bugs"))]
#[test]
fn same_seed_again_is_a_repeat() {
    let tool = Tool::new();
    let seed = ["--seed", "0x2a", "--json"];
    assert_eq!(tool.verify(&seed).ends(0).objects()[0]["result"], "CLEAN");
    let again = tool.verify(&seed).ends(0).objects();
    assert_eq!(again[0]["result"], "CLEAN (repeat)");
    assert_eq!(again[0]["seed"], 42);
    assert_eq!(again[0]["consecutive_clean"]["count"], 1);
}

#[test]
fn attempts_by_name_leave_the_ledger_alone() {
    let tool = Tool::new();
    let ran = tool.verify(&["--attempt", "extended_stress"]).ends(0);
    assert!(ran.out.contains("N=1 (not in the ledger)"), "{}", ran.out);
    assert!(
        ran.out.contains("Starting 8-thread extended duration stress test (100 iterations each)..."),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("PASS: Extended duration stress test completed with 0 errors"), "{}", ran.out);
    assert!(tool.ledger().is_empty() && !tool.exists("ledger.head"));
    assert!(tool.exists("attempt-extended_stress.md"));
}

#[test]
fn replay_gives_the_same_digest_and_writes_no_line() {
    let tool = Tool::new();
    let digest = |round: &serde_json::Value| {
        let attempts = round["attempts"].as_array().unwrap();
        attempts.iter().find_map(|attempt| attempt["stress"]["values_digest"].as_str()).unwrap().to_owned()
    };
    let _ = tool.verify(&["--json"]);
    let (first, lines) = (tool.json("round-N1.json"), tool.ledger().len());
    let file = "verification/round-N1.json";
    let again = tool.run(&["verify", "--replay", file, "--attempt", "extended_stress", "--json"]).ends(0);
    let again = again.objects().remove(0);
    assert_eq!(digest(&first), digest(&again));
    assert_eq!((&again["seed"], &again["n"], &again["config"]), (&first["seed"], &first["n"], &first["config"]));
    assert!(again["notes"][0]["text"].as_str().unwrap().starts_with("values_digest equals that of N=1"));
    assert_eq!(tool.ledger().len(), lines);
    assert!(again.get("ledger").is_none());

    let mut edited = first.clone();
    for attempt in edited["attempts"].as_array_mut().unwrap() {
        if attempt.get("stress").is_some() {
            attempt["stress"]["values_digest"] = "00".into();
        }
    }
    fs::write(tool.path("edited.json"), edited.to_string()).unwrap();
    let replay = ["verify", "--replay", "verification/edited.json", "--attempt", "extended_stress"];
    assert!(tool.run(&replay).ends(1).out.contains("in the round it was 00"));

    let mut elsewhere = first;
    elsewhere["build_id"] = "11".into();
    fs::write(tool.path("elsewhere.json"), elsewhere.to_string()).unwrap();
    let replay = ["verify", "--replay", "verification/elsewhere.json", "--attempt", "extended_stress"];
    assert!(tool.run(&replay).ends(0).out.contains("own sequential run"));
}

#[test]
fn stale_source_takes_a_number_and_is_incomplete() {
    let tool = Tool::new();
    let tree = tool.folder.path().join("tree");
    fs::create_dir_all(tree.join("crates/millstream-verify")).unwrap();
    for name in ["Cargo.toml", "crates/millstream-verify/Cargo.toml"] {
        fs::write(tree.join(name), "x").unwrap();
    }
    for n in [1, 2] {
        let ran = tool.verify(&["--source", "tree", "--rounds", "3"]).ends(2);
        let expected = format!("INCOMPLETE binary older than its source  N={n}  report: verification/round-N{n}.md\n");
        assert!(ran.out.ends_with(&expected), "{}", ran.out);
    }
    let last = tool.ledger().pop().unwrap();
    assert_eq!((&last["n"], &last["reason"]), (&2.into(), &"binary older than its source".into()));
    assert_eq!(tool.json("round-N2.json")["binding"], "stale");
}

#[test]
fn stress_prints_the_block_or_one_object() {
    let tool = Tool::new();
    let stress = |more: &[&str]| tool.run(&[&["stress"], &SMALL[..], more].concat()).ends(0);
    let block = stress(&[]).out;
    let lines: Vec<&str> = block.lines().collect();
    assert_eq!(lines[0], "Starting 4-thread extended duration stress test (10 iterations each)...");
    assert_eq!(lines[2], "Total operations: 40 (1 op = 2 randn, matmul, sum, mean)");
    assert_eq!(lines[6], "Values compared: 84, mismatches: 0");
    let Ran { out, .. } = stress(&["--no-compare"]);
    assert!(out.contains("Values compared: none, timing only (--no-compare)"), "{out}");
    let (one, two) = (stress(&["--json", "--seed", "7"]).objects(), stress(&["--json", "--seed", "0x7"]).objects());
    assert_eq!(one.len(), 1);
    for key in ["threads", "iterations_per_thread", "sync_every", "size", "operations", "seconds", "ops_per_second"] {
        assert!(one[0][key].is_number(), "{key}");
    }
    for key in ["errors", "values_compared", "mismatches", "max_concurrent", "p50_us", "p99_us"] {
        assert!(one[0][key].is_number(), "{key}");
    }
    assert_eq!(one[0]["values_digest"], two[0]["values_digest"]);
    assert_eq!((&one[0]["operations"], &one[0]["mismatches"]), (&40.into(), &0.into()));
    let warmed = stress(&["--json", "--seed", "7", "--warm-up", "2"]).objects().remove(0);
    assert_eq!((&warmed["operations"], &warmed["values_digest"]), (&one[0]["operations"], &one[0]["values_digest"]));
}

#[test]
fn doctor_names_every_device_with_a_reason_for_the_missing() {
    let tool = Tool::new();
    let report = tool.run(&["doctor", "--json"]).ends(0).objects().remove(0);
    let devices = report["devices"].as_array().unwrap();
    let names: Vec<&str> = devices.iter().filter_map(|device| device["name"].as_str()).collect();
    assert_eq!(names, ["cpu", "cpu:queued", "sim", "cuda:0"]);
    for device in devices {
        let said = device["detail"].as_str().is_some_and(|text| !text.is_empty());
        let advised = device["found"] == true || device["action"].as_str().is_some_and(|text| !text.is_empty());
        assert!(said && advised, "{device}");
    }
    let text = tool.run(&["doctor"]).ends(0).out;
    assert!(text.lines().all(|line| line.chars().count() <= 160) && text.contains("SIMD"), "{text}");
    assert!(!tool.path("").exists());
}
