//! The published schemas hold for every round, and refuse what is no round.

mod fixture;
mod published;

use std::collections::BTreeSet;
use std::time::Duration;

use millstream::{Generator, Tensor};
use millstream_sync::atomic::{AtomicU64, Ordering};
use millstream_verify::attempts::ATTEMPTS;
use millstream_verify::model::{Round, RoundResult};
use millstream_verify::own_code::Rounds;
use millstream_verify::report;
use published::Published;
use serde_json::{Value, json};

fn value(round: &Round) -> Value {
    serde_json::from_str(&report::json(round).expect("a text")).expect("JSON")
}

/// Rounds in which every key of the format occurs.
fn rounds() -> Vec<Value> {
    let mut incomplete = fixture::round();
    incomplete.result = RoundResult::Incomplete("interrupted".to_owned());
    [fixture::round(), fixture::with_findings(), fixture::with_configurations(), incomplete].iter().map(value).collect()
}

#[test]
fn clean_found_and_incomplete_rounds_conform() {
    let schema = Published::round();
    for round in rounds() {
        assert_eq!(schema.problems(&round), Vec::<String>::new(), "{}", round["result"]);
    }
}

/// Places of all values below `value`, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items.iter().take(12).enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (key, value) in below {
        let place = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        found.push(place.clone());
        places(value, &place, found);
    }
}

/// A value of another type.
fn other(value: &Value) -> Value {
    match value {
        Value::String(_) => json!(7),
        Value::Bool(_) => json!("yes"),
        Value::Number(_) => json!("7"),
        Value::Array(_) => json!({}),
        _ => json!([]),
    }
}

#[test]
fn a_value_of_another_type_is_refused_wherever_it_stands() {
    let (schema, mut tried) = (Published::round(), BTreeSet::new());
    for round in rounds() {
        let mut all = Vec::new();
        places(&round, "", &mut all);
        for place in all {
            let mut broken = round.clone();
            let value = broken.pointer_mut(&place).expect("it was found there");
            *value = other(value);
            assert!(!schema.problems(&broken).is_empty(), "{place} may be of another type");
            tried.insert(place);
        }
    }
    assert!(tried.len() > 150, "{} places", tried.len());
}

#[test]
fn what_the_reader_needs_the_schema_requires_and_unknown_keys_are_refused() {
    let (schema, mut refused) = (Published::round(), 0);
    for round in rounds() {
        let mut all = Vec::new();
        places(&round, "", &mut all);
        for place in all {
            let (parent, key) = place.rsplit_once('/').expect("a pointer");
            let mut missing = round.clone();
            let Some(map) = missing.pointer_mut(parent).and_then(Value::as_object_mut) else { continue };
            map.remove(key);
            let conforms = schema.problems(&missing).is_empty();
            assert!(!conforms || report::from_json(&missing.to_string()).is_ok(), "{place} is needed and not required");
            refused += usize::from(!conforms);
            if !place.contains("choice") && !parent.contains("/open/") {
                let mut more = round.clone();
                let map = more.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
                map.insert("surprise".to_owned(), json!(1));
                assert!(!schema.problems(&more).is_empty(), "{parent} takes any key");
            }
        }
    }
    assert!(refused > 200, "{refused} removals were refused");
}

/// Keys under every `properties` of a schema.
fn declared(schema: &Value, keys: &mut BTreeSet<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        keys.extend(properties.keys().cloned());
    }
    let below: Vec<&Value> = match schema {
        Value::Object(map) => map.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    below.into_iter().for_each(|value| declared(value, keys));
}

#[test]
fn every_declared_key_occurs_in_a_round_of_these_tests() {
    let (mut wanted, mut seen) = (BTreeSet::new(), BTreeSet::new());
    declared(&published::round_schema(), &mut wanted);
    for round in rounds() {
        let mut all = Vec::new();
        places(&round, "", &mut all);
        seen.extend(all.iter().filter_map(|place| Some(place.rsplit_once('/')?.1.to_owned())));
    }
    let never: Vec<&String> = wanted.difference(&seen).collect();
    assert!(never.is_empty(), "nothing here shows {never:?}");
}

#[test]
#[ignore = "MILLSTREAM_ROUNDS names a folder of reports; `cargo xtask page` makes one and runs this"]
fn rounds_in_a_folder_conform() {
    let folder = std::env::var("MILLSTREAM_ROUNDS").expect("a folder of reports");
    let schema = Published::round();
    let mut attempts = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
        if entry.path().extension().is_some_and(|end| end == "json") {
            let text = std::fs::read_to_string(entry.path()).expect("a file");
            let round: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(schema.problems(&round), Vec::<String>::new(), "{}", entry.path().display());
            attempts.push(round["attempts"].as_array().map_or(0, Vec::len));
        }
    }
    assert!(attempts.contains(&ATTEMPTS.len()), "no round with all attempts: {attempts:?}");
}

#[test]
fn rounds_of_own_code_conform_to_theirs() {
    let turns = AtomicU64::new(0);
    let rounds = Rounds::new(1).threads(4).iterations(8).attempts(["hand_over"]).workload(move |work| {
        std::thread::sleep(Duration::from_millis(1));
        // Threads race for the turn: a finding.
        let turn = turns.fetch_add(1, Ordering::Relaxed);
        Ok(vec![Tensor::randn(work.device, &[8], &mut Generator::new(turn))?])
    });
    let report = serde_json::to_value(rounds.run().expect("it runs")).expect("JSON");
    let schema = Published::own_code();
    assert_eq!(report["schema"], "millstream.own_code/1");
    assert!(report["rounds"][0]["findings"].as_array().is_some_and(|findings| !findings.is_empty()));
    assert_eq!(schema.problems(&report), Vec::<String>::new());
    let mut broken = report.clone();
    broken["rounds"][0]["seed"] = json!("3");
    assert!(!schema.problems(&broken).is_empty());
    let mut broken = report;
    broken["rounds"][0]["attempts"][0]["patterns"][0]["probes"][0]["runs"] = json!(-1);
    assert!(!schema.problems(&broken).is_empty(), "the attempts are those of a round");
}
