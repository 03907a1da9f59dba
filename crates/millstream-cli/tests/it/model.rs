//! `verify --model`: the attempt on the user's model, and folders that are none.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::tool::Tool;

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../millstream-models/tests/tiny")
}

/// A copy of the model that may be changed.
fn copy(to: &Path) {
    fs::create_dir_all(to.join("1_Pooling")).unwrap();
    let files = ["config.json", "model.safetensors", "modules.json", "sentence_bert_config.json", "tokenizer.json"];
    for name in files.into_iter().chain(["tokenizer_config.json", "1_Pooling/config.json"]) {
        fs::copy(tiny().join(name), to.join(name)).unwrap();
    }
}

#[test]
fn a_model_is_verified_from_all_threads_and_replayed_with_the_same_files_alone() {
    let (tool, folder) = (Tool::new(), tempfile::tempdir().unwrap());
    copy(folder.path());
    let model = folder.path().to_str().unwrap();
    let round = ["verify", "--attempt", "model", "--threads", "4", "--seed", "7", "--json"];
    let ran = tool.run(&[&round[..], &["--model", model]].concat()).ends(0);
    let round: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((round["result"].as_str(), round["attempts"][0]["id"].as_str()), (Some("CLEAN"), Some("model")));
    assert_eq!(round["config"]["model"]["folder"].as_str(), Some(model));
    let patterns = round["attempts"][0]["patterns"].as_array().unwrap();
    let probes: Vec<&Value> = patterns.iter().flat_map(|pattern| pattern["probes"].as_array().unwrap()).collect();
    assert!(probes.len() == 4 && probes.iter().all(|probe| probe["status"] == "Passed"), "{probes:?}");

    let file = tool.path("attempt-model.json");
    let replay = ["verify", "--replay", file.to_str().unwrap(), "--json"];
    tool.run(&replay).ends(0);
    // Elsewhere, with the same files.
    let other = tempfile::tempdir().unwrap();
    copy(other.path());
    let there = [&replay[..], &["--model", other.path().to_str().unwrap()]].concat();
    tool.run(&there).ends(0);
    let path = other.path().join("config.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text} ")).unwrap();
    let refused = tool.run(&there).ends(65);
    assert!(refused.err.contains("--model names another folder"), "{}", refused.err);
}

#[test]
fn what_is_no_model_is_told_before_anything_is_written() {
    let tool = Tool::new();
    let empty = tempfile::tempdir().unwrap();
    let with = |folder: &str| tool.run(&["verify", "--attempt", "model", "--threads", "2", "--model", folder]);
    assert!(with("no/such/folder").ends(64).err.contains("no/such/folder"));
    assert!(with(empty.path().to_str().unwrap()).ends(64).err.contains("tokenizer.json"));
    let damaged = tempfile::tempdir().unwrap();
    copy(damaged.path());
    let weights = damaged.path().join("model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    assert!(with(damaged.path().to_str().unwrap()).ends(65).err.contains("model.safetensors"));
    assert!(tool.run(&["verify", "--attempt", "model"]).ends(64).err.contains("--model"));
    assert!(!tool.exists(""), "a folder for reports of no round");
}
