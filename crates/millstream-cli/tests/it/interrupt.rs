//! ^C in mid round.

#![cfg(unix)]

use crate::tool::{LONG, Ran, Tool, interrupt};

#[test]
fn interrupted_round_is_130_with_its_line_and_its_report() {
    let tool = Tool::new();
    let child = tool.start_round(&[&LONG[..], &["--json"]].concat());
    std::thread::sleep(std::time::Duration::from_millis(300));
    interrupt(&child);
    let ran = Ran::from(child.wait_with_output().unwrap()).ends(130);
    assert_eq!(ran.objects()[0]["result"], "INCOMPLETE interrupted");
    let last = tool.ledger().pop().unwrap();
    assert_eq!((&last["result"], &last["reason"]), (&"INCOMPLETE".into(), &"interrupted".into()));
    assert_eq!(tool.json("round-N1.json")["result"], "INCOMPLETE interrupted");
    tool.run(&["ledger", "check"]).ends(0);
    assert!(tool.run(&["ledger", "why", "1"]).ends(0).out.contains("not counted: interrupted"));
}

#[test]
fn interrupted_stress_is_130_with_its_figures() {
    let tool = Tool::new();
    let mut command = tool.command(&[&["stress", "--json"], &LONG[..]].concat());
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(800));
    interrupt(&child);
    let ran = Ran::from(child.wait_with_output().unwrap()).ends(130);
    assert_eq!(ran.objects()[0]["errors"], 0);
}
