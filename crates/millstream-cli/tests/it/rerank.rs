//! `rerank`: scores, the best first or in the order of the lines.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::tool::{Ran, Tool};

fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../millstream-models/tests/cross/bert")
}

fn rerank(arguments: &[&str], input: &[u8]) -> Ran {
    let tool = Tool::new();
    let model = model();
    let all = [&["rerank", "--model", model.to_str().unwrap()], arguments].concat();
    let mut command = tool.command(&all);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap().into()
}

fn score(line: &Value) -> f64 {
    line["score"].as_f64().unwrap()
}

#[test]
fn scores_are_those_of_the_reference_in_the_order_that_is_asked_for() {
    let golden = include_str!("../../../millstream-models/tests/cross/bert/pairs.jsonl");
    let golden: Vec<Value> = golden.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for query in ["the cat", "where is the cat?"] {
        let wanted: Vec<&Value> = golden.iter().filter(|line| line["query"] == query).collect();
        assert!(wanted.len() > 1);
        let input: String = wanted.iter().map(|line| format!("{}\r\n", line["text"].as_str().unwrap())).collect();
        for batch in ["1", "3"] {
            let lines = rerank(&["--query", query, "--in-order", "--batch", batch], input.as_bytes()).ends(0).objects();
            assert_eq!(lines.len(), wanted.len());
            for (index, (found, wanted)) in lines.iter().zip(&wanted).enumerate() {
                assert_eq!(found["index"].as_u64(), Some(index as u64));
                let apart = (score(found) - score(wanted)).abs();
                assert!(apart < 2e-5, "{} is {apart} away", wanted["text"]);
            }
            let mut ordered = lines.clone();
            ordered.sort_by(|a, b| score(b).total_cmp(&score(a)));
            assert_ne!(ordered, lines, "the order of the lines is not that of the scores");
            let best_first = rerank(&["--query", query, "--batch", batch], input.as_bytes()).ends(0).objects();
            assert_eq!(best_first, ordered);
        }
    }
}

#[test]
fn every_device_of_this_machine_gives_the_scores_of_the_reference() {
    let golden = include_str!("../../../millstream-models/tests/cross/bert/pairs.jsonl");
    let golden: Vec<Value> = golden.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let wanted: Vec<&Value> = golden.iter().filter(|line| line["query"] == "where is the cat?").collect();
    let input: String = wanted.iter().map(|line| format!("{}\n", line["text"].as_str().unwrap())).collect();
    for device in ["cpu", "cpu:queued", "sim"] {
        let arguments = ["--query", "where is the cat?", "--in-order", "--threads", "2", "--device", device];
        let lines = rerank(&arguments, input.as_bytes()).ends(0).objects();
        let apart = lines.iter().zip(&wanted).map(|(found, wanted)| (score(found) - score(wanted)).abs());
        assert!(lines.len() == wanted.len() && apart.fold(0.0, f64::max) < 2e-5, "{device}: {lines:?}");
    }
}

#[test]
fn threads_change_no_bit_and_equal_scores_keep_the_order_of_their_lines() {
    let input: String = (0..500).map(|i| format!("the cat {} sits\n", ["a", "b", "c", "d"][i * i % 4])).collect();
    let with = |threads| rerank(&["--query", "a cat", "--threads", threads], input.as_bytes()).ends(0);
    let one = with("1");
    assert_eq!(one.out, with("20").out);
    let lines = one.objects();
    assert_eq!(lines.len(), 500);
    let index = |line: &Value| line["index"].as_u64().unwrap();
    assert!(lines.is_sorted_by(|a, b| score(a) > score(b) || score(a) == score(b) && index(a) < index(b)));
    assert_eq!(lines.iter().filter(|line| score(line) == score(&lines[0])).count(), 250);
}

#[test]
fn objects_are_texts_too_and_no_line_is_no_score() {
    let query = ["--query", "cat"];
    let plain = rerank(&query, b"the cat\nthe mat").ends(0).out;
    let input = b"{\"text\":\"the cat\"}\n{\"id\":7,\"text\":\"the mat\"}\n";
    assert_eq!(plain, rerank(&[&query[..], &["--jsonl"]].concat(), input).ends(0).out);
    assert_eq!(rerank(&query, b"").ends(0).out, "");
    assert_eq!(rerank(&["--query", ""], b"\n").ends(0).objects().len(), 1, "empty texts have a score too");
    let numbers = rerank(&[&query[..], &["--activation", "identity"]].concat(), b"the cat\nthe mat").ends(0).objects();
    assert!(numbers.iter().any(|line| score(line) < 0.0 || score(line) > 1.0), "{numbers:?}");
}

#[test]
fn a_line_that_cannot_be_used_is_named() {
    let long = format!("cat\n{}\nmat\n", "cat ".repeat(40));
    for (arguments, input, words) in [
        (&["--batch", "1"][..], long.as_bytes(), ["line 2", "44 tokens, 32 at most"]),
        (&["--batch", "3"], long.as_bytes(), ["line 2", "44 tokens, 32 at most"]),
        (&[], b"cat\nab\xff\n", ["line 2", "no UTF-8 from byte 2 on"]),
        (&["--jsonl"], b"{\"text\":\"cat\"}\n{\"txt\":\"cat\"}\n", ["line 2", "missing field `text`"]),
    ] {
        for (order, written) in [(&["--in-order"][..], 1), (&[], 0)] {
            let ran = rerank(&[&["--query", "the"], arguments, order].concat(), input).ends(64);
            assert_eq!(ran.out.lines().count(), written, "{}", ran.out);
            assert!(ran.err.starts_with("error: ") && words.iter().all(|word| ran.err.contains(word)), "{}", ran.err);
        }
    }
    assert_eq!(rerank(&["--query", "the", "--truncate"], long.as_bytes()).ends(0).objects().len(), 3);
}

#[test]
fn models_that_cannot_be_used_end_with_their_own_code() {
    let tool = Tool::new();
    let run = |arguments: &[&str]| tool.run(&[&["rerank", "--model", "model"], arguments].concat());
    run(&[]).refuses(64, &["--query"]);
    run(&["--query", "x"]).refuses(64, &["cannot read model", "No such file"]);
    let folder = tool.folder.path().join("model");
    std::fs::create_dir(&folder).unwrap();
    for name in ["tokenizer.json", "config.json", "model.safetensors"] {
        std::fs::copy(model().join(name), folder.join(name)).unwrap();
    }
    run(&["--query", "x"]).ends(0);
    run(&["--query", "x", "--max-tokens", "41"]).refuses(64, &["41 tokens", "4..=40"]);
    run(&["--query", "x", "--activation", "tanh"]).refuses(64, &["--activation", "sigmoid, identity"]);
    run(&["--query", "x", "--device", "cuda:7"]).refuses(69, &["cuda:7"]);
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    std::fs::write(folder.join("config.json"), config.replace("BertForSequenceClassification", "BertModel")).unwrap();
    run(&["--query", "x"]).refuses(64, &["architecture BertModel", "BertForSequenceClassification"]);
    std::fs::write(folder.join("config.json"), config).unwrap();
    let weights = std::fs::read(folder.join("model.safetensors")).unwrap();
    std::fs::write(folder.join("model.safetensors"), &weights[..weights.len() - 1]).unwrap();
    run(&["--query", "x"]).refuses(65, &["model.safetensors is damaged", "ends at byte"]);
}
