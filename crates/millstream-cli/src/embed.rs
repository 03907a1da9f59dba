//! `millstream embed`: a text a line in, a vector a line out, in the same order.

#[cfg(feature = "models")]
pub use with_models::run;

#[cfg(not(feature = "models"))]
pub fn run(_arguments: &crate::args::Embed) -> crate::exit::Ended {
    Err(crate::exit::no_models())
}

#[cfg(feature = "models")]
mod with_models {
    use std::time::Duration;

    use millstream::models::{BatchOptions, BatchQueue, Call, Embedder, Embedding, Error, Options, Pooling};
    use millstream_verify::open;
    use serde::Serialize;

    use crate::args;
    use crate::exit::{Ended, Stop, code};
    use crate::model::{AHEAD, Lines, in_line, shared, stop};
    use crate::output::say_lines;

    #[derive(Serialize)]
    struct Line<'a> {
        index: usize,
        tokens: usize,
        embedding: &'a [f32],
    }

    /// Runs the command.
    pub fn run(arguments: &args::Embed) -> Ended {
        let device = open::open(&arguments.model.device, 0, |_| {}).map_err(millstream_verify::Error::from)?;
        let options = Options {
            tokens_max: arguments.model.max_tokens,
            truncate: arguments.model.truncate,
            pooling: arguments.pooling.as_deref().map(|name| match name {
                "cls" => Pooling::Cls,
                "last" => Pooling::Last,
                _ => Pooling::Mean,
            }),
        };
        let embedder = Embedder::open_with(&device, &arguments.model.model, &options).map_err(|error| stop(&error))?;
        let [threads, batch] = arguments.model.share();
        let queue = match arguments.batch_tokens {
            None => None,
            Some(batch_tokens) => {
                let options = BatchOptions { batch_tokens, capacity: threads * batch, ..embedder.batch_options() };
                let queue = BatchQueue::new(embedder.clone(), options);
                Some(queue.map_err(|error| Stop::Error(code::INTERNAL, format!("no threads for the queue: {error}")))?)
            }
        };
        let mut lines = Lines::of_input(arguments.model.jsonl);
        loop {
            let first = lines.read;
            let (texts, ended) = lines.next(threads * batch * AHEAD);
            let (vectors, failed) = shared([threads, batch], &texts, |batch| match &queue {
                None => embedder.embed_batch(batch),
                Some(queue) => joined(queue, batch),
            });
            write(first, &vectors)?;
            if let Some((line, error)) = failed {
                return Err(in_line(first + line + 1, stop(&error)));
            }
            if ended? {
                break;
            }
        }
        if let Some(queue) = queue {
            queue.drain(None);
        }
        drop(embedder);
        device.shutdown(Duration::from_secs(5));
        Ok(0)
    }

    /// The vectors of texts that are in the queue together with those of other threads. Errors: that of the first text that has one.
    fn joined(queue: &BatchQueue<Embedder>, texts: &[&str]) -> Result<Vec<Embedding>, Error> {
        let asked: Vec<_> = texts.iter().map(|text| queue.submit(text, Call::default())).collect::<Result<_, _>>()?;
        let all: Result<Vec<_>, _> = asked.into_iter().map(|pending| pending.wait()).collect();
        Ok(all?)
    }

    fn write(first: usize, vectors: &[Embedding]) -> Result<(), Stop> {
        let line = |(index, vector): (usize, &'_ Embedding)| -> Result<String, serde_json::Error> {
            serde_json::to_string(&Line { index, tokens: vector.tokens, embedding: &vector.values })
        };
        say_lines((first..).zip(vectors).map(line))
    }
}
