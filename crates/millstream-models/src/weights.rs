//! A `model.safetensors`: which tensors it has, and tensors over it.
//!
//! The header is read and checked whole; elements are mapped where the device can and read where it cannot. The format's own crate wants the whole file as bytes, so its header, which is JSON, is read here.
//!
//! **Invariants**
//! * `inside-the-file`: a tensor that is named lies inside the file, and has as many bytes as its shape and type say.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use millstream_hal::DType;
use millstream_runtime::Device;
use millstream_sync::Arc;
use millstream_tensor::Tensor;
use serde::Deserialize;

use crate::error::{Error, Result, weight_type};

/// Most bytes of a header, as everywhere in the field.
const HEADER_MAX: u64 = 100_000_000;

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

/// The weights of a model on a device.
#[derive(Clone)]
pub(crate) struct Weights<'a> {
    device: &'a Device,
    path: PathBuf,
    entries: Arc<HashMap<String, Entry>>,
    /// Byte of the file at which elements begin.
    data: u64,
    /// What stands before the names of the architecture.
    prefix: &'static str,
}

impl<'a> Weights<'a> {
    /// Errors: `Read`, `Damaged`.
    pub(crate) fn open(device: &'a Device, path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::read(path))?;
        let bytes = file.metadata().map_err(Error::read(path))?.len();
        let mut word = [0; 8];
        file.read_exact(&mut word).map_err(|_| Error::damaged(path, format!("{bytes} bytes are no header")))?;
        let header = u64::from_le_bytes(word);
        if header > HEADER_MAX || header > bytes - 8 {
            return Err(Error::damaged(path, format!("a header of {header} bytes in a file of {bytes}")));
        }
        let mut text = vec![0; header as usize];
        file.read_exact(&mut text).map_err(Error::read(path))?;
        let no_header = |error: serde_json::Error| Error::damaged(path, format!("its header cannot be read: {error}"));
        let mut all: HashMap<String, serde_json::Value> = serde_json::from_slice(&text).map_err(no_header)?;
        all.remove("__metadata__");
        let data = 8 + header;
        let entry = |(name, value)| match serde_json::from_value::<Entry>(value) {
            Ok(entry) => Ok((name, entry)),
            Err(error) => Err(no_header(error)),
        };
        let entries: HashMap<String, Entry> = all.into_iter().map(entry).collect::<Result<_>>()?;
        for (name, entry) in &entries {
            let [from, to] = entry.data_offsets;
            if from > to || to > bytes - data {
                let needed = data.saturating_add(to);
                return Err(Error::damaged(path, format!("{name} ends at byte {needed}, the file has {bytes}")));
            }
        }
        Ok(Self { device, path: path.to_owned(), entries: Arc::new(entries), data, prefix: "" })
    }

    /// The same file, where names are looked up behind the first of `prefixes` under which there is a tensor `name`.
    pub(crate) fn behind(&self, prefixes: &[&'static str], name: &str) -> Self {
        let found = prefixes.iter().find(|prefix| self.entries.contains_key(&format!("{prefix}{name}")));
        Self { prefix: found.unwrap_or(&""), ..self.clone() }
    }

    /// The tensor `name` of `shape`, in f32. Errors: `NoTensor`, `Shape`, `WeightType`, `Damaged`, `Tensor`.
    pub(crate) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let name = format!("{}{name}", self.prefix);
        let path = || self.path.clone();
        let Some(entry) = self.entries.get(&name) else { return Err(Error::NoTensor { path: path(), name }) };
        if entry.shape != shape {
            let (expected, found) = (shape.to_vec(), entry.shape.clone());
            return Err(Error::Shape { path: path(), name, expected, found });
        }
        let Some(dtype) = weight_type(&entry.dtype) else {
            return Err(Error::WeightType { path: path(), name, found: entry.dtype.clone() });
        };
        let [from, to] = entry.data_offsets;
        let needed = shape.iter().product::<usize>() * dtype.bytes();
        if to - from != needed as u64 {
            let reason = format!("{name} has {} bytes, {needed} are needed for {shape:?} of {dtype}", to - from);
            return Err(Error::damaged(&self.path, reason));
        }
        let tensor = Tensor::from_file(self.device, &self.path, self.data + from, shape, dtype)?;
        Ok(tensor.to_dtype(DType::F32)?)
    }
}

#[cfg(test)]
#[path = "tests/weights.rs"]
mod tests;
