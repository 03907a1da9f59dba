//! `embed`: vectors in the order of the lines, and one line for everything that cannot be a vector.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::tool::{Ran, Tool};

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../millstream-models/tests/tiny")
}

fn embed(arguments: &[&str], input: &[u8]) -> Ran {
    let tool = Tool::new();
    let model = tiny();
    let all = [&["embed", "--model", model.to_str().unwrap()], arguments].concat();
    let mut command = tool.command(&all);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap().into()
}

fn vector(line: &Value) -> Vec<f64> {
    line["embedding"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn vectors_come_in_the_order_of_the_lines_from_any_number_of_threads() {
    let input: String = (0..500).map(|i| format!("the cat {} sits\n", ["a", "b", "c", "d"][i * i % 4])).collect();
    let one = embed(&["--threads", "1"], input.as_bytes()).ends(0);
    let many = embed(&["--threads", "20"], input.as_bytes()).ends(0);
    assert_eq!(one.out, many.out, "threads change no bit");
    let lines = one.objects();
    assert_eq!(lines.len(), 500);
    for (i, line) in lines.iter().enumerate() {
        assert_eq!((line["index"].as_u64(), line["tokens"].as_u64()), (Some(i as u64), Some(6)));
        assert_eq!(vector(line), vector(&lines[i * i % 4]), "{i}");
    }
    assert_ne!(vector(&lines[0]), vector(&lines[1]));
}

#[test]
fn vectors_are_those_of_the_reference_alone_and_in_a_batch() {
    let golden = include_str!("../../../millstream-models/tests/golden/tiny.jsonl");
    let golden: Vec<Value> = golden.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let input: String = golden.iter().map(|line| format!("{}\r\n", line["text"].as_str().unwrap())).collect();
    for batch in ["1", "3"] {
        let lines = embed(&["--truncate", "--batch", batch], input.as_bytes()).ends(0).objects();
        assert_eq!(lines.len(), golden.len());
        for (found, wanted) in lines.iter().zip(&golden) {
            assert_eq!(found["tokens"], wanted["tokens"]);
            let apart = vector(found).iter().zip(vector(wanted)).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
            assert!(apart < 2e-5, "{} is {apart} away", wanted["text"]);
        }
    }
}

#[test]
fn texts_of_all_threads_are_joined_and_stay_in_their_order() {
    let golden = include_str!("../../../millstream-models/tests/golden/tiny.jsonl");
    let golden: Vec<Value> = golden.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let lines = golden.iter().cycle().take(200).map(|line| format!("{}\n", line["text"].as_str().unwrap()));
    let input: String = lines.collect();
    for batch in ["1", "7"] {
        let arguments = ["--truncate", "--batch-tokens", "64", "--batch", batch];
        let lines = embed(&arguments, input.as_bytes()).ends(0).objects();
        assert_eq!(lines.len(), 200);
        for (i, (found, wanted)) in lines.iter().zip(golden.iter().cycle()).enumerate() {
            assert_eq!((found["index"].as_u64(), &found["tokens"]), (Some(i as u64), &wanted["tokens"]));
            let apart = vector(found).iter().zip(vector(wanted)).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
            assert!(apart < 2e-5, "{} is {apart} away", wanted["text"]);
        }
    }
    embed(&["--batch-tokens", "0"], b"").refuses(64, &["--batch-tokens"]);
}

#[test]
fn objects_are_texts_too_and_no_line_is_no_vector() {
    let plain = embed(&[], b"the cat\nthe mat").ends(0).out;
    let objects = embed(&["--jsonl"], b"{\"text\":\"the cat\"}\n{\"id\":7,\"text\":\"the mat\"}\n").ends(0).out;
    assert_eq!(plain, objects);
    assert_eq!(embed(&[], b"").ends(0).out, "");
    assert_eq!(embed(&[], b"\n").ends(0).objects()[0]["tokens"], 2, "an empty text has its special tokens");
}

#[test]
fn a_line_that_cannot_be_used_is_named_and_the_vectors_before_it_stand() {
    let long = format!("cat\n{}\nmat\n", "cat ".repeat(40));
    for (arguments, input, words) in [
        (&[][..], long.as_bytes(), ["line 2", "42 tokens, 32 at most"]),
        (&["--batch", "3"], long.as_bytes(), ["line 2", "42 tokens, 32 at most"]),
        (&["--batch-tokens", "64", "--batch", "3"], long.as_bytes(), ["line 2", "42 tokens, 32 at most"]),
        (&[], b"cat\nab\xff\n", ["line 2", "no UTF-8 from byte 2 on"]),
        (&["--jsonl"], b"{\"text\":\"cat\"}\n{\"txt\":\"cat\"}\n", ["line 2", "missing field `text`"]),
    ] {
        let ran = embed(arguments, input).ends(64);
        assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
        assert!(ran.err.starts_with("error: ") && words.iter().all(|word| ran.err.contains(word)), "{}", ran.err);
    }
}

#[test]
fn models_that_cannot_be_used_end_with_their_own_code() {
    let tool = Tool::new();
    let model = tool.folder.path().join("model");
    let run = |arguments: &[&str]| tool.run(&[&["embed", "--model", "model"], arguments].concat());
    run(&[]).refuses(64, &["cannot read model", "No such file"]);
    std::fs::create_dir(&model).unwrap();
    run(&[]).refuses(64, &["tokenizer.json"]);
    for name in ["tokenizer.json", "config.json", "model.safetensors"] {
        std::fs::copy(tiny().join(name), model.join(name)).unwrap();
    }
    run(&[]).ends(0);
    run(&["--max-tokens", "41"]).refuses(64, &["41 tokens", "3..=40"]);
    run(&["--pooling", "max"]).refuses(64, &["--pooling", "mean, cls, last"]);
    run(&["--device", "cuda:7"]).refuses(69, &["cuda:7"]);
    let config = std::fs::read_to_string(model.join("config.json")).unwrap();
    std::fs::write(model.join("config.json"), config.replace("BertModel", "Other")).unwrap();
    run(&[]).refuses(64, &["architecture Other", "BertModel"]);
    std::fs::write(model.join("config.json"), config).unwrap();
    let weights = std::fs::read(model.join("model.safetensors")).unwrap();
    std::fs::write(model.join("model.safetensors"), &weights[..weights.len() - 1]).unwrap();
    run(&[]).refuses(65, &["model.safetensors is damaged", "ends at byte"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_73() {
    let tool = Tool::new();
    let model = tiny();
    let mut command = tool.command(&["embed", "--model", model.to_str().unwrap()]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = command.stdin(Stdio::piped()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"the cat\n").unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(73), "{}", String::from_utf8_lossy(&ended.stderr));
}
