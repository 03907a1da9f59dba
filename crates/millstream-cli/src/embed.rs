//! `millstream embed`: a text a line in, a vector a line out, in the same order.

#[cfg(feature = "models")]
pub use with_models::run;

#[cfg(not(feature = "models"))]
pub fn run(_arguments: &crate::args::Embed) -> crate::exit::Ended {
    let text = "this build has no models: build it with `--features models`";
    Err(crate::exit::Stop::Error(crate::exit::code::ABSENT, text.to_owned()))
}

#[cfg(feature = "models")]
mod with_models {
    use std::fmt::Write;
    use std::io::{self, BufRead};
    use std::time::Duration;

    use millstream::models::{Embedder, Embedding, Error, Options, Pooling};
    use millstream_sync::atomic::{AtomicUsize, Ordering};
    use millstream_sync::thread;
    use millstream_verify::open;
    use serde::{Deserialize, Serialize};

    use crate::args;
    use crate::exit::{Ended, Stop, code};
    use crate::output::say;

    /// Batches of each thread that are read before the first is written.
    const AHEAD: usize = 16;

    #[derive(Serialize)]
    struct Line<'a> {
        index: usize,
        tokens: usize,
        embedding: &'a [f32],
    }

    #[derive(Deserialize)]
    struct Object {
        text: String,
    }

    /// Runs the command.
    pub fn run(arguments: &args::Embed) -> Ended {
        let device = open::open(&arguments.device, 0, |_| {}).map_err(millstream_verify::Error::from)?;
        let options = Options {
            tokens_max: arguments.max_tokens,
            truncate: arguments.truncate,
            pooling: arguments.pooling.as_deref().map(|name| match name {
                "cls" => Pooling::Cls,
                "last" => Pooling::Last,
                _ => Pooling::Mean,
            }),
        };
        let embedder = Embedder::open_with(&device, &arguments.model, &options).map_err(|error| stop(&error))?;
        let mut lines = Lines { input: io::stdin().lock(), read: 0, jsonl: arguments.jsonl };
        loop {
            let (first, ahead) = (lines.read, arguments.threads * arguments.batch * AHEAD);
            let (texts, ended) = lines.next(ahead);
            let (vectors, failed) = embed(&embedder, arguments, &texts);
            write(first, &vectors)?;
            if let Some((line, error)) = failed {
                return Err(in_line(first + line + 1, stop(&error)));
            }
            match ended {
                Ok(false) => {}
                Ok(true) => break,
                Err(stop) => return Err(stop),
            }
        }
        drop(embedder);
        device.shutdown(Duration::from_secs(5));
        Ok(0)
    }

    /// The vectors of all texts, or of those before the first that has none.
    fn embed(
        embedder: &Embedder,
        arguments: &args::Embed,
        texts: &[String],
    ) -> (Vec<Embedding>, Option<(usize, Error)>) {
        let next = AtomicUsize::new(0);
        let batches: Vec<&[String]> = texts.chunks(arguments.batch).collect();
        let work = || {
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(batch) = batches.get(at) else { return done };
                let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
                done.push((at, embedder.embed_batch(&batch)));
            }
        };
        let mut results: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..arguments.threads.min(batches.len())).map(|_| scope.spawn(work)).collect();
            workers.into_iter().flat_map(|worker| worker.join().expect("a worker returns its errors")).collect()
        });
        results.sort_by_key(|(at, _)| *at);
        let mut vectors = Vec::with_capacity(texts.len());
        for (at, result) in results {
            match result {
                Ok(batch) => vectors.extend(batch),
                // One text of a batch is refused: which one is found out one by one, and those before it have their vectors.
                Err(_) => {
                    for text in batches[at] {
                        match embedder.embed(text) {
                            Ok(vector) => vectors.push(vector),
                            Err(error) => {
                                let line = vectors.len();
                                return (vectors, Some((line, error)));
                            }
                        }
                    }
                }
            }
        }
        (vectors, None)
    }

    fn write(first: usize, vectors: &[Embedding]) -> Result<(), Stop> {
        if vectors.is_empty() {
            return Ok(());
        }
        let mut text = String::new();
        for (index, vector) in (first..).zip(vectors) {
            let line = Line { index, tokens: vector.tokens, embedding: &vector.values };
            let line = serde_json::to_string(&line)
                .map_err(|error| Stop::Error(code::INTERNAL, format!("a vector has no JSON: {error}")))?;
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = write!(text, "{gap}{line}");
        }
        say(&text)
    }

    /// Lines of standard input.
    struct Lines<R> {
        input: R,
        read: usize,
        jsonl: bool,
    }

    impl<R: BufRead> Lines<R> {
        /// The next `most` texts, and whether there are no more; an error stands behind the texts before it.
        fn next(&mut self, most: usize) -> (Vec<String>, Result<bool, Stop>) {
            let mut texts = Vec::new();
            while texts.len() < most {
                match self.line() {
                    Ok(Some(text)) => texts.push(text),
                    Ok(None) => return (texts, Ok(true)),
                    Err(stop) => return (texts, Err(in_line(self.read + 1, stop))),
                }
                self.read += 1;
            }
            (texts, Ok(false))
        }

        fn line(&mut self) -> Result<Option<String>, Stop> {
            let refused = |text: String| Stop::Error(code::USAGE, text);
            let mut bytes = Vec::new();
            let read = self.input.read_until(b'\n', &mut bytes);
            if read.map_err(|error| refused(format!("cannot read standard input: {error}")))? == 0 {
                return Ok(None);
            }
            if bytes.last() == Some(&b'\n') {
                bytes.pop();
                if bytes.last() == Some(&b'\r') {
                    bytes.pop();
                }
            }
            let text = String::from_utf8(bytes)
                .map_err(|error| refused(format!("no UTF-8 from byte {} on", error.utf8_error().valid_up_to())))?;
            match self.jsonl {
                false => Ok(Some(text)),
                true => match serde_json::from_str::<Object>(&text) {
                    Ok(object) => Ok(Some(object.text)),
                    Err(error) => Err(refused(format!("no object with a text: {error}"))),
                },
            }
        }
    }

    fn in_line(line: usize, stop: Stop) -> Stop {
        match stop {
            Stop::Error(code, text) => Stop::Error(code, format!("line {line}: {text}")),
            other => other,
        }
    }

    /// The exit code and the line of an error of a model.
    fn stop(error: &Error) -> Stop {
        let code = match error {
            Error::Damaged { .. } | Error::NoTensor { .. } | Error::Shape { .. } | Error::WeightType { .. } => {
                code::DAMAGED
            }
            Error::Tensor(millstream::Error::Runtime(millstream::RuntimeError::OutOfMemory { .. })) => code::USAGE,
            Error::Tensor(_) => code::INTERNAL,
            _ => code::USAGE,
        };
        let mut text = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(lower) = source {
            text.push_str(&format!(": {lower}"));
            source = lower.source();
        }
        if matches!(error, Error::TooLong { .. }) {
            text.push_str(" (--truncate)");
        }
        Stop::Error(code, text)
    }
}
