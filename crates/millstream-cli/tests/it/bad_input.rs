//! What cannot be run says so in one line, with its own exit code, and leaves nothing behind.

use std::fs;

use crate::tool::{SMALL, Tool};

#[test]
fn values_out_of_range_name_the_range() {
    let tool = Tool::new();
    for command in ["verify", "stress"] {
        for (flag, value, range) in [
            ("--threads", "0", "1..=1024"),
            ("--threads", "1025", "1..=1024"),
            ("--iterations", "0", "1..=10000000"),
            ("--iterations", "10000001", "1..=10000000"),
            ("--sync-every", "0", "1..=10000000"),
            ("--size", "0", "1..=8192"),
            ("--size", "8193", "1..=8192"),
            ("--seed", "18446744073709551616", "0..=18446744073709551615"),
            ("--duration", "5", "5s, 500ms"),
            ("--device", "tpu", "cpu, cpu:queued, sim and cuda[:I]"),
            ("--threads", "many", "invalid"),
        ] {
            tool.run(&[command, flag, value]).refuses(64, &[flag, range]);
        }
    }
    tool.run(&["verify", "--rounds", "0"]).refuses(64, &["1..=1000000"]);
    tool.run(&["ledger", "why", "0"]).refuses(64, &["why"].map(|_| "0"));
    assert!(!tool.path("").exists());
}

#[test]
fn unknown_words_say_what_there_is() {
    let tool = Tool::new();
    tool.run(&["verify", "--attempt", "luck"]).refuses(64, &["thread_local, lock_order, extended_stress"]);
    tool.run(&["verify", "--thread", "3"]).refuses(64, &["--threads"]);
    tool.run(&["bogus"]).refuses(64, &["bogus"]);
    tool.run(&["ledger", "why", "1"]).refuses(64, &["no round N=1"]);
    tool.run(&["verify", "--replay", "absent.json"]).refuses(64, &["absent.json"]);
    tool.run(&["verify", "--replay", "x.json", "--threads", "3"]).refuses(64, &["--replay", "--threads"]);
    tool.run(&["verify", "--all", "--attempt", "lock_order"]).refuses(64, &["--all"]);
    tool.run(&["verify", "--source", "."]).refuses(64, &["not in a millstream source tree"]);
    assert!(!tool.path("").exists());
}

#[test]
fn no_arguments_print_the_help_and_help_is_no_error() {
    let tool = Tool::new();
    let bare = tool.run(&[]).ends(64);
    assert!(bare.out.is_empty() && bare.err.contains("verify"), "{}", bare.err);
    for arguments in [&["--help"][..], &["verify", "--help"], &["--version"], &["help"]] {
        let ran = tool.run(arguments).ends(0);
        assert!(ran.out.contains("millstream") && ran.err.is_empty(), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn absent_device_is_69_and_takes_no_number() {
    let tool = Tool::new();
    tool.run(&["verify", "--device", "cuda:7"]).refuses(69, &["cuda:7", "not available"]);
    tool.run(&["stress", "--device", "cuda"]).refuses(69, &["cuda:0"]);
    assert!(!tool.path("").exists());
}

#[test]
fn size_that_cannot_be_allocated_is_refused_with_both_figures() {
    let tool = Tool::new();
    let huge = ["--threads", "1024", "--size", "8192"];
    for command in ["verify", "stress"] {
        tool.run(&[&[command], &huge[..]].concat()).refuses(64, &["need 1374389534720 bytes", "device cpu has"]);
    }
    assert!(!tool.path("").exists());
}

#[cfg(not(feature = "seeded-bugs"))]
#[test]
fn what_the_build_lacks_is_69_with_the_command_that_has_it() {
    let tool = Tool::new();
    let command = "cargo run --release --features seeded-bugs -- verify --seeded-bugs";
    tool.run(&["verify", "--seeded-bugs"]).refuses(69, &[command]);
    tool.run(&["--plant", "lock-order", "doctor"]).refuses(69, &[command]);
    assert!(!tool.path("").exists());
}

#[test]
fn folder_that_cannot_be_written_is_73() {
    let tool = Tool::new();
    fs::write(tool.folder.path().join("file"), "x").unwrap();
    tool.verify(&["--out", "file/below"]).refuses(73, &["cannot write file/below", "--out"]);
}

#[test]
fn round_that_cannot_write_its_report_is_73_and_incomplete() {
    let tool = Tool::new();
    fs::create_dir_all(tool.path("round-N1.html")).unwrap();
    let ran = tool.verify(&[]).ends(73);
    assert!(ran.out.is_empty() && ran.err.contains("round-N1.html"), "{}", ran.err);
    let last = tool.ledger().pop().unwrap();
    assert_eq!((&last["n"], &last["result"]), (&1.into(), &"INCOMPLETE".into()));
    assert_eq!(last["reason"], "its report could not be written");
    assert!(!tool.exists("round-N1.md") && !tool.exists(".round-N1.md.new"));
}

#[test]
fn file_that_is_no_round_is_65() {
    let tool = Tool::new();
    let path = tool.folder.path().join("x.json");
    for (text, words) in [("", "not the JSON of a round"), ("{\"schema\":\"other/9\"}", "other/9")] {
        fs::write(&path, text).unwrap();
        tool.run(&["verify", "--replay", "x.json"]).refuses(65, &[words]);
    }
}

#[test]
fn replay_of_another_subject_names_the_source_it_needs() {
    let tool = Tool::new();
    tool.verify(&["--attempt", "extended_stress"]).ends(0);
    let mut round = tool.json("attempt-extended_stress.json");
    let other = "12ab".repeat(16);
    round["source_sha256"] = other.clone().into();
    fs::write(tool.folder.path().join("other.json"), round.to_string()).unwrap();
    tool.run(&["verify", "--replay", "other.json"]).refuses(65, &["another subject", &other]);
    let mut round = tool.json("attempt-extended_stress.json");
    round["config"]["threads"] = 5000.into();
    fs::write(tool.folder.path().join("other.json"), round.to_string()).unwrap();
    tool.run(&["verify", "--replay", "other.json"]).refuses(65, &["number of threads is 5000, not in 1..=1024"]);
}

#[test]
fn closed_pipe_ends_quietly() {
    let tool = Tool::new();
    for arguments in [&["doctor"][..], &["--help"], &[&["stress", "--json"], &SMALL[..]].concat()] {
        let mut child = tool.command(arguments).stdout(std::process::Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}");
    }
}
