//! What the commands with a model share: texts from standard input, work that threads share, the exit code of an error.

use std::io::{self, BufRead};

use millstream::models::Error;
use millstream_sync::atomic::{AtomicUsize, Ordering};
use millstream_sync::thread;
use serde::Deserialize;

use crate::exit::{Stop, code};

/// Batches of each thread that are read before the first is written.
pub const AHEAD: usize = 16;

#[derive(Deserialize)]
struct Object {
    text: String,
}

/// What `threads` threads make of the texts, in batches of `batch`: of all, or of those before the first of which nothing can be made, with its place.
pub fn shared<T: Send>(
    [threads, batch]: [usize; 2],
    texts: &[String],
    make: impl Fn(&[&str]) -> Result<Vec<T>, Error> + Sync,
) -> (Vec<T>, Option<(usize, Error)>) {
    let next = AtomicUsize::new(0);
    let batches: Vec<&[String]> = texts.chunks(batch).collect();
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(batch) = batches.get(at) else { return done };
            let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
            done.push((at, make(&batch)));
        }
    };
    let mut results: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(batches.len())).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker returns its errors")).collect()
    });
    results.sort_by_key(|(at, _)| *at);
    let mut all = Vec::with_capacity(texts.len());
    for (at, result) in results {
        match result {
            Ok(batch) => all.extend(batch),
            // One text of a batch is refused: which one is found out one by one, and those before it stand.
            Err(_) => {
                for text in batches[at] {
                    match make(&[text]) {
                        Ok(one) => all.extend(one),
                        Err(error) => {
                            let place = all.len();
                            return (all, Some((place, error)));
                        }
                    }
                }
            }
        }
    }
    (all, None)
}

/// Lines of standard input.
pub struct Lines<R> {
    input: R,
    /// How many were read.
    pub read: usize,
    jsonl: bool,
}

impl Lines<io::StdinLock<'static>> {
    /// With `jsonl` a line is an object with a text.
    pub fn of_input(jsonl: bool) -> Self {
        Self { input: io::stdin().lock(), read: 0, jsonl }
    }
}

impl<R: BufRead> Lines<R> {
    /// The next `most` texts, and whether there are no more; an error stands behind the texts before it.
    pub fn next(&mut self, most: usize) -> (Vec<String>, Result<bool, Stop>) {
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

/// An error of this line.
pub fn in_line(line: usize, stop: Stop) -> Stop {
    match stop {
        Stop::Error(code, text) => Stop::Error(code, format!("line {line}: {text}")),
        other => other,
    }
}

/// The exit code and the line of an error of a model.
pub fn stop(error: &Error) -> Stop {
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
