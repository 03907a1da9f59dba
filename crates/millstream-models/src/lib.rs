//! Models from their folders: weights, tokenizer, encoders, and sentences turned into vectors.
//!
//! An [`Embedder`] is one set of weights on one device. It is `Clone + Send + Sync`, every call takes `&self`, and any number of threads embed at once, each on its own stream. It reads folders as the field
//! writes them: `config.json`, `model.safetensors` and `tokenizer.json`, with `modules.json` of sentence-transformers where it is. Nothing is downloaded.
//!
//! This crate knows tensors and no streams, locks or kernels.
#![forbid(unsafe_code)]

mod bert;
mod config;
mod embedder;
mod encoder;
mod error;
mod folder;
mod linear;
mod pooling;
mod tokenizer;
mod weights;

pub use embedder::{Embedder, Embedding, Options};
pub use error::{Error, Result};
pub use pooling::Pooling;
