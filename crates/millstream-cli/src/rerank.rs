//! `millstream rerank`: a query and a text a line in, a score a line out, the best first.

#[cfg(feature = "models")]
pub use with_models::run;

#[cfg(not(feature = "models"))]
pub fn run(_arguments: &crate::args::Rerank) -> crate::exit::Ended {
    Err(crate::exit::no_models())
}

#[cfg(feature = "models")]
mod with_models {
    use std::time::Duration;

    use millstream::models::{Activation, RerankOptions, Reranker};
    use millstream_verify::open;
    use serde::Serialize;

    use crate::args;
    use crate::exit::{Ended, Stop};
    use crate::model::{AHEAD, Lines, in_line, shared, stop};
    use crate::output::say_lines;

    #[derive(Clone, Copy, Serialize)]
    struct Line {
        index: usize,
        score: f32,
    }

    /// Runs the command. In the order of the lines what was computed is written before more is read; in the order of the scores nothing is before all are known.
    pub fn run(arguments: &args::Rerank) -> Ended {
        let device = open::open(&arguments.model.device, 0, |_| {}).map_err(millstream_verify::Error::from)?;
        let options = RerankOptions {
            tokens_max: arguments.model.max_tokens,
            truncate: arguments.model.truncate,
            activation: arguments.activation.as_deref().map(|name| match name {
                "identity" => Activation::Identity,
                _ => Activation::Sigmoid,
            }),
        };
        let reranker = Reranker::open_with(&device, &arguments.model.model, &options).map_err(|error| stop(&error))?;
        let [threads, batch] = arguments.model.share();
        let score = |texts: &[&str]| {
            let pairs: Vec<(&str, &str)> = texts.iter().map(|text| (arguments.query.as_str(), *text)).collect();
            reranker.score_batch(&pairs)
        };
        let mut lines = Lines::of_input(arguments.model.jsonl);
        let mut all = Vec::new();
        loop {
            let first = lines.read;
            let (texts, ended) = lines.next(threads * batch * AHEAD);
            let (scores, failed) = shared([threads, batch], &texts, score);
            all.extend((first..).zip(scores).map(|(index, score)| Line { index, score: score.value }));
            if arguments.in_order {
                write(&all)?;
                all.clear();
            }
            if let Some((line, error)) = failed {
                return Err(in_line(first + line + 1, stop(&error)));
            }
            if ended? {
                break;
            }
        }
        all.sort_by(|a, b| b.score.total_cmp(&a.score));
        write(&all)?;
        drop(reranker);
        device.shutdown(Duration::from_secs(5));
        Ok(0)
    }

    fn write(lines: &[Line]) -> Result<(), Stop> {
        say_lines(lines.iter().map(serde_json::to_string))
    }
}
