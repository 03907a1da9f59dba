//! Models from their folders: weights, tokenizer, encoders; sentences turned into vectors, and pairs of texts scored.
//!
//! An [`Embedder`] or a [`Reranker`] is one set of weights on one device. It is `Clone + Send + Sync`, every call takes `&self`, and any number of threads call it at once, each on its own stream. It reads folders as the field
//! writes them: `config.json`, `model.safetensors` and `tokenizer.json`, with `modules.json` of sentence-transformers where it is. Nothing is downloaded.
//!
//! A [`BatchQueue`] in front of one joins the requests of many callers into batches.
//!
//! This crate knows tensors and no streams, locks or kernels.
#![forbid(unsafe_code)]

mod batch;
mod bert;
mod config;
mod embedder;
mod encoder;
mod error;
mod family;
mod folder;
mod head;
mod joined;
mod linear;
mod pooling;
mod relative;
mod reranker;
mod scoring;
mod tokenizer;
mod weights;

pub use embedder::{Embedder, Embedding, Options};
pub use error::{Error, Result};
pub use joined::Encoded;
pub use millstream_sync::batch_queue::{
    BatchError, BatchFigures, BatchOptions, BatchQueue, Call, Pending, Priority, Work,
};
pub use pooling::Pooling;
pub use reranker::{Ranked, RerankOptions, Reranker, Score};
pub use scoring::Activation;
