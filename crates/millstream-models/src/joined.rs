//! Models behind a batch queue: the requests of many callers are computed together.
//!
//! A caller's own thread turns its text into tokens; a text that has none, or too many, is refused there and meets no other. The queue knows nothing of models, this file nothing of threads.

use millstream_runtime::Device;
use millstream_sync::batch_queue::{BatchOptions, Work};
use millstream_sync::thread;

use crate::batch::Tokens;
use crate::embedder::{Embedder, Embedding};
use crate::error::{Error, Result};
use crate::reranker::{Reranker, Score};

/// The tokens of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded(Tokens);

fn tokens<'a>(batch: &[&'a Encoded]) -> Vec<&'a Tokens> {
    batch.iter().map(|encoded| &encoded.0).collect()
}

/// A worker for each processor where products are computed by the thread that asks for them, else one: a single stream keeps a device of its own busy.
fn options(device: &Device) -> BatchOptions {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let workers = if device.info().host_addressable { processors } else { 1 };
    BatchOptions { workers, ..BatchOptions::default() }
}

impl Embedder {
    /// How to join requests on this device: the default, with a worker for each processor on the CPU.
    #[must_use]
    pub fn batch_options(&self) -> BatchOptions {
        options(self.device())
    }
}

/// Texts to vectors, as [`Embedder::embed_batch`].
impl Work for Embedder {
    type Asked = str;
    type Input = Encoded;
    type Output = Embedding;
    type Error = Error;

    fn prepare(&self, text: &str) -> Result<Encoded> {
        self.encode(text).map(Encoded)
    }

    fn tokens(&self, encoded: &Encoded) -> usize {
        encoded.0.ids.len()
    }

    fn run(&self, batch: &[&Encoded]) -> Result<Vec<Embedding>> {
        self.embed_tokens(&tokens(batch))
    }
}

impl Reranker {
    /// As [`Embedder::batch_options`].
    #[must_use]
    pub fn batch_options(&self) -> BatchOptions {
        options(self.device())
    }
}

/// Pairs of a query and a text to scores, as [`Reranker::score_batch`].
impl Work for Reranker {
    type Asked = (String, String);
    type Input = Encoded;
    type Output = Score;
    type Error = Error;

    fn prepare(&self, (query, text): &(String, String)) -> Result<Encoded> {
        self.encode(query, text).map(Encoded)
    }

    fn tokens(&self, encoded: &Encoded) -> usize {
        encoded.0.ids.len()
    }

    fn run(&self, batch: &[&Encoded]) -> Result<Vec<Score>> {
        self.score_tokens(&tokens(batch))
    }
}
