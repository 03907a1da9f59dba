//! Encoders and cross-encoders of a few thousand random weights (`benches/peers/tiny_models.py`), which the reference made together with vectors and scores (`embed_reference.py`, `rerank_reference.py`).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod cross;
mod cross_bad_input;
mod joined;
mod threads;
mod values;

use std::path::{Path, PathBuf};

use millstream_cpu::{CpuBackend, CpuOptions};
use millstream_hal::Backend;
use millstream_runtime::{Device, DeviceOptions};
use millstream_sync::Arc;
use serde::Deserialize;

fn device(options: CpuOptions) -> Device {
    let backend = CpuBackend::new(options);
    let options = DeviceOptions::of(backend.info());
    Device::open_with(Arc::new(backend), options)
}

fn cpu() -> Device {
    device(CpuOptions::inline())
}

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tiny")
}

/// A line of the reference.
#[derive(Deserialize)]
struct Golden {
    text: String,
    tokens: usize,
    embedding: Vec<f32>,
}

fn golden() -> Vec<Golden> {
    include_str!("../golden/tiny.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Greatest difference of two vectors.
fn apart(x: &[f32], y: &[f32]) -> f32 {
    assert_eq!(x.len(), y.len());
    x.iter().zip(y).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}
