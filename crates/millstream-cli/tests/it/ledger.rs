//! The ledger from outside: cut, edited, held by another.

use std::fs;

use crate::tool::{LONG, Ran, Tool, interrupt};

#[test]
fn cut_or_edited_ledger_is_65_everywhere_and_left_as_it_is() {
    let tool = Tool::new();
    let _ = tool.verify(&[]);
    let path = tool.path("ledger.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let first = whole.lines().next().unwrap();
    for damaged in [format!("{first}\n"), whole.replacen("\"n\":1", "\"n\":2", 1), whole[..whole.len() - 9].to_owned()]
    {
        fs::write(&path, &damaged).unwrap();
        for command in [&["ledger", "check"][..], &["ledger", "list"], &["ledger", "why", "1"]] {
            tool.run(command).refuses(65, &["damaged at line"]);
        }
        tool.verify(&[]).refuses(65, &["damaged at line", "nothing was changed"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    }
}

#[test]
fn absent_ledger_is_sound_and_empty() {
    let tool = Tool::new();
    for command in ["check", "list"] {
        assert!(tool.run(&["ledger", command]).ends(0).out.contains("no round in ./verification yet"));
    }
    let checked = tool.run(&["ledger", "check", "--json"]).ends(0).objects();
    assert_eq!((&checked[0]["sound"], &checked[0]["lines"]), (&true.into(), &0.into()));
    assert!(!tool.path("").exists());
}

#[test]
fn list_check_and_why_speak_of_the_same_rounds() {
    let tool = Tool::new();
    let _ = (tool.verify(&[]), tool.verify(&[]));
    let lines = tool.run(&["ledger", "list", "--json"]).ends(0).objects();
    assert_eq!(lines.len(), 4);
    assert_eq!((&lines[3]["n"], &lines[0]["result"]), (&2.into(), &"STARTED".into()));
    assert!(tool.run(&["ledger", "list"]).ends(0).out.lines().next().unwrap().starts_with("N  Date"));
    let why = tool.run(&["ledger", "--json", "why", "2"]).ends(0).objects();
    assert_eq!((&why[0]["n"], &why[0]["result"]), (&2.into(), &lines[3]["result"]));
    assert!(tool.run(&["ledger", "why", "2"]).ends(0).out.starts_with("N=2: "));
}

#[cfg(unix)]
#[test]
fn second_writer_is_75_after_its_patience() {
    let tool = Tool::new();
    let first = tool.start_round(&LONG);
    tool.verify(&["--patience", "200ms"]).refuses(75, &["another round holds", "--out"]);
    interrupt(&first);
    Ran::from(first.wait_with_output().unwrap()).ends(130);
    let _ = tool.verify(&[]);
    assert_eq!(tool.ledger().len(), 4);
}
