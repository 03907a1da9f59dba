//! The user's model: every thread embeds the same texts with one set of weights, and each vector is compared with that of the same call made alone.
//!
//! It runs where a round is given a folder, `verify --model DIR`, after the other attempts. A text alone, and a batch of one shape, must have the same bits whatever the threads. A text in a batch must be within
//! [`APART_MAX`] of its vector alone: sums are cut by shape, so bits may differ there.

use millstream::Device;
use millstream::models::{Embedder, Embedding, Error, Options};
use millstream_sync::Arc;

use super::Entry;
use super::probes::{Driven, Verdict, What, text, threads, zero};
use super::sheet::{Row, Sheet};
use super::stage::at_rest;
use crate::open;
use crate::plan::Plan;

/// As on the command line.
pub const ID: &str = "model";

/// Of the greatest element of a vector: how far an element may be from the same text's alone when other texts are in its batch.
pub const APART_MAX: f32 = 1e-4;

/// Several lengths, scripts and languages; one without a word.
const TEXTS: [&str; 12] = [
    "",
    "A cat sits on the mat.",
    "Wie spät ist es, und wann fährt der letzte Zug nach Hause?",
    "The stream of a thread is bound at its first use of the device and comes home when the thread ends.",
    "Où est la bibliothèque ?",
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty",
    "東京は日本の首都です。",
    "Quality is never an accident; it is always the result of intelligent effort, of attention to what is small, and of the will to make a thing that is better than the one before.",
    "naïve café, 3.14159, e-mail: someone@example.org",
    "Москва, как много в этом звуке",
    "short",
    "A memory allocator that hands out a block before its last reader is done gives wrong values to somebody who did nothing wrong, and it does so seldom enough to be blamed on everything else first.",
];
/// Texts of a batch, by number.
const BATCHES: [&[usize]; 4] = [&[1, 10], &[0, 3, 6, 9], &[11, 2, 8], &[5, 4, 7, 1, 10]];
/// Waves of threads that come and go, and those after which all that is kept has been made.
const WAVES: usize = 6;
const SETTLED: usize = 3;

const ALONE: &str = "One text";
const BATCH: &str = "A batch";
const REFUSED: &str = "A text too long";
const MEMORY: &str = "Memory of a model";

/// The attempt.
pub static ENTRY: Entry =
    Entry { id: ID, title: SHEET.title, default: false, claims: &[], run: |context| SHEET.run(context) };

/// Its sheet.
pub static SHEET: Sheet = Sheet {
    id: ID,
    title: "Own Model",
    methods: &[
        "The folder's model is opened once a probe; all threads of the round share its weights and embed 12 texts of mixed length and language, each thread in an order of its own",
        "Every element of every vector is compared with the same call made by one thread before: bit for bit, for single texts and for batches of one shape",
        "Texts in a batch are compared with themselves alone: at most 0.0001 of the greatest element apart",
        "Waves of threads that come and go: live bytes and reserved bytes after each",
    ],
    rows: &[
        Row {
            pattern: ALONE,
            place: ("crates/millstream-models/src/embedder.rs", "pub fn embed(&self"),
            mechanism: "weights are read by every stream and written by none; a call's tensors are its own",
        },
        Row {
            pattern: BATCH,
            place: ("crates/millstream-models/src/embedder.rs", "pub fn embed_batch(&self"),
            mechanism: "what a row is filled up with is masked, and the order of every sum follows from the shape",
        },
        Row {
            pattern: REFUSED,
            place: ("crates/millstream-models/src/tokenizer.rs", "TooLong"),
            mechanism: "an error concerns its call alone, and comes before anything is enqueued",
        },
        Row {
            pattern: MEMORY,
            place: ("crates/millstream-runtime/src/memory/trim.rs", "pub(crate) fn flush"),
            mechanism: "one copy of the weights; what a call took is used again by the next",
        },
    ],
    probes: &[
        Driven { pattern: ALONE, name: "all threads, one text a call", runs: 1, what: What::Measured(one_text_a_call) },
        Driven { pattern: BATCH, name: "all threads, batches", runs: 1, what: What::Measured(batches) },
        Driven {
            pattern: REFUSED,
            name: "every second thread's text is refused",
            runs: 1,
            what: What::Here(refused_texts),
        },
        Driven { pattern: MEMORY, name: "6 waves of threads", runs: 1, what: What::Measured(waves) },
    ],
    properties: &[
        "Vectors have the bits of a run on one thread, whatever the threads",
        "A refused text changed nobody else's vector",
        "Memory was flat: one copy of the weights, and what the first calls took served all that followed",
    ],
};

fn model(plan: &Plan, device: &Device, truncate: bool) -> Result<Embedder, String> {
    let folder = plan.model.as_ref().ok_or("the round was given no model")?;
    Embedder::open_with(device, &folder.path, &Options { truncate, ..Options::default() }).map_err(text)
}

fn device(plan: &Plan, run: u64) -> Result<Device, String> {
    open::open(&plan.device, plan.seed ^ run, |_| {}).map_err(text)
}

/// Opens device and model, runs `body`, and looks at what is left after both.
fn with_model(
    plan: &Plan,
    run: u64,
    body: impl FnOnce(&Device, &Embedder) -> Result<String, String>,
) -> Result<String, String> {
    let device = device(plan, run)?;
    let embedder = model(plan, &device, true)?;
    let said = body(&device, &embedder)?;
    drop(embedder);
    at_rest(&device)?;
    Ok(said)
}

fn bits(embedding: &Embedding) -> Vec<u32> {
    embedding.values.iter().map(|x| x.to_bits()).collect()
}

/// The first element that differs.
fn same(what: &str, found: &Embedding, wanted: &Embedding) -> Verdict {
    if bits(found) == bits(wanted) {
        return Ok(());
    }
    let differing = found.values.iter().zip(&wanted.values).position(|(x, y)| x.to_bits() != y.to_bits());
    match differing {
        Some(i) => Err(format!("{what}: element {i} is {}, alone it was {}", found.values[i], wanted.values[i])),
        None => Err(format!("{what}: {} elements, alone {}", found.values.len(), wanted.values.len())),
    }
}

fn alone(embedder: &Embedder) -> Result<Arc<Vec<Embedding>>, String> {
    TEXTS.iter().map(|words| embedder.embed(words)).collect::<Result<Vec<_>, _>>().map(Arc::new).map_err(text)
}

fn one_text_a_call(plan: &Plan, run: u64) -> Result<String, String> {
    with_model(plan, run, |_, embedder| {
        let wanted = alone(embedder)?;
        let (shared, expected) = (embedder.clone(), wanted.clone());
        threads(plan.threads, move |thread| {
            for i in 0..TEXTS.len() {
                let at = (thread * 5 + i) % TEXTS.len();
                let found = shared.embed(TEXTS[at]).map_err(text)?;
                same(&format!("thread {thread}, text {at}"), &found, &expected[at])?;
            }
            Ok(())
        })?;
        let elements = plan.threads * TEXTS.len() * embedder.width();
        Ok(format!("{} vectors, {elements} elements compared, none differs", plan.threads * TEXTS.len()))
    })
}

fn batches(plan: &Plan, run: u64) -> Result<String, String> {
    with_model(plan, run, |_, embedder| {
        let single = alone(embedder)?;
        let texts = |batch: &[usize]| batch.iter().map(|at| TEXTS[*at]).collect::<Vec<_>>();
        let mut apart_most = 0f32;
        let mut wanted = Vec::new();
        for batch in BATCHES {
            let vectors = embedder.embed_batch(&texts(batch)).map_err(text)?;
            for (vector, at) in vectors.iter().zip(batch) {
                let apart = apart(vector, &single[*at]);
                if apart.is_nan() || apart > APART_MAX {
                    return Err(format!("text {at} in a batch is {apart} of its greatest element from itself alone"));
                }
                apart_most = apart_most.max(apart);
            }
            wanted.push(vectors);
        }
        let shared = embedder.clone();
        threads(plan.threads, move |thread| {
            for i in 0..BATCHES.len() {
                let number = (thread + i) % BATCHES.len();
                let found = shared.embed_batch(&texts(BATCHES[number])).map_err(text)?;
                for (row, (found, wanted)) in found.iter().zip(&wanted[number]).enumerate() {
                    same(&format!("thread {thread}, batch {number}, row {row}"), found, wanted)?;
                }
            }
            Ok(())
        })?;
        Ok(format!("in a batch at most {apart_most:.1e} of the greatest element from alone, {APART_MAX:.0e} allowed"))
    })
}

/// The greatest difference of an element, in parts of the greatest element. Not a number where either has one.
fn apart(found: &Embedding, wanted: &Embedding) -> f32 {
    let greatest = wanted.values.iter().fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
    let differences = found.values.iter().zip(&wanted.values).map(|(x, y)| (x - y).abs() / greatest);
    differences.fold(0.0, |most, x| if x.is_nan() || x > most { x } else { most })
}

fn refused_texts(plan: &Plan, run: u64) -> Verdict {
    let device = device(plan, run)?;
    let embedder = model(plan, &device, false)?;
    let limit = embedder.tokens_max();
    // Each of these words has a token at least.
    let long = Arc::new("a ".repeat(limit));
    let fitting = |at: &usize| !matches!(embedder.embed(TEXTS[*at]), Err(Error::TooLong { .. }));
    let fits: Vec<usize> = (0..TEXTS.len()).filter(fitting).collect();
    if fits.is_empty() {
        return Err(format!("no text fits into {limit} tokens"));
    }
    let wanted = fits.iter().map(|at| embedder.embed(TEXTS[*at])).collect::<Result<Vec<_>, _>>().map_err(text)?;
    let (shared, wanted, fits) = (embedder.clone(), Arc::new(wanted), Arc::new(fits));
    threads(plan.threads.max(2), move |thread| {
        for i in 0..fits.len() {
            if thread % 2 == 1 {
                match shared.embed(&long) {
                    Err(Error::TooLong { tokens, limit: said }) if tokens > limit && said == limit => continue,
                    other => return Err(format!("a text of more than {limit} tokens: {other:?}")),
                }
            }
            let at = (thread + i) % fits.len();
            same(
                &format!("thread {thread}, text {}", fits[at]),
                &shared.embed(TEXTS[fits[at]]).map_err(text)?,
                &wanted[at],
            )?;
        }
        Ok(())
    })?;
    drop(embedder);
    at_rest(&device)
}

fn waves(plan: &Plan, run: u64) -> Result<String, String> {
    with_model(plan, run, |device, embedder| {
        let weights = device.memory_stats();
        let wanted = alone(embedder)?;
        // What the first waves reserved, and a small segment for each thread: how many are at the same place of a call at once differs from wave to wave.
        let mut most = 0;
        for wave in 0..WAVES {
            let (shared, expected) = (embedder.clone(), wanted.clone());
            threads(plan.threads, move |thread| {
                for i in 0..TEXTS.len() / 2 {
                    let at = (thread + wave + i) % TEXTS.len();
                    same(
                        &format!("thread {thread}, text {at}"),
                        &shared.embed(TEXTS[at]).map_err(text)?,
                        &expected[at],
                    )?;
                }
                Ok(())
            })?;
            device.synchronize_all(None).map_err(text)?;
            let now = device.memory_stats();
            zero("live bytes beside the weights after a wave", now.live_bytes.abs_diff(weights.live_bytes) as u64)?;
            if wave < SETTLED {
                most = most.max(now.reserved_bytes + SEGMENT * plan.threads);
            } else if now.reserved_bytes > most {
                return Err(format!("{} bytes reserved after wave {wave}, {most} is enough", now.reserved_bytes));
            }
        }
        let reserved = device.memory_stats().reserved_bytes_max;
        Ok(format!(
            "weights {} bytes, at most {reserved} bytes reserved with {} threads",
            weights.live_bytes, plan.threads
        ))
    })
}

/// The smallest segment of the allocator.
const SEGMENT: usize = 2 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn embedding(values: &[f32]) -> Embedding {
        Embedding { tokens: 1, values: values.to_vec() }
    }

    #[test]
    fn one_bit_is_a_difference_and_is_named() {
        let (a, b) = (embedding(&[1.0, 2.0]), embedding(&[1.0, 2.0f32.next_up()]));
        assert!(same("x", &a, &a).is_ok());
        assert!(same("x", &a, &b).unwrap_err().contains("element 1"));
        assert!(same("x", &a, &embedding(&[1.0])).is_err());
        assert!(same("x", &embedding(&[0.0]), &embedding(&[-0.0])).is_err());
    }

    #[test]
    fn how_far_apart_is_in_parts_of_the_greatest_and_no_number_is_no_agreement() {
        assert_eq!(apart(&embedding(&[1.0, 3.0]), &embedding(&[1.0, 4.0])), 0.25);
        assert_eq!(apart(&embedding(&[0.0]), &embedding(&[0.0])), 0.0);
        assert!(apart(&embedding(&[f32::NAN, 1.0]), &embedding(&[1.0, 1.0])).is_nan());
    }
}
