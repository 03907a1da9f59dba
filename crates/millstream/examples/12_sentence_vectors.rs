//! A sentence encoder that twenty threads share: one set of weights, the bits of one thread.
//!
//! Without an argument it takes the encoder of the tests, whose weights are random numbers; give the folder of a real one, such as all-MiniLM-L6-v2, and the nearest sentences make sense.
//!
//! `cargo run --release --features models --example 12_sentence_vectors -- FOLDER`

use std::path::Path;

use millstream::cpu;
use millstream::models::{Embedder, Embedding, Error};

const TEXTS: [&str; 4] =
    ["A cat sits on the mat.", "A kitten lies on a rug.", "The invoice is due.", "Pay this bill by Friday."];

/// Runs the example. Errors: those of the library; a wrong claim panics.
pub fn run(folder: &Path) -> Result<(), Error> {
    let device = cpu::open().map_err(|error| Error::Tensor(error.into()))?;
    let embedder = Embedder::open(&device, folder)?;
    let alone: Vec<Embedding> = TEXTS.iter().map(|text| embedder.embed(text)).collect::<Result<_, _>>()?;
    let before = device.memory_stats().live_bytes;

    let all: Vec<Embedding> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..20)
            .map(|i| {
                let embedder = embedder.clone();
                scope.spawn(move || embedder.embed(TEXTS[i % TEXTS.len()]))
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker panicked")).collect::<Result<_, _>>()
    })?;
    for (i, found) in all.iter().enumerate() {
        assert_eq!(found, &alone[i % TEXTS.len()], "a thread changes no bit");
    }
    assert_eq!(device.memory_stats().live_bytes, before, "one copy of the weights, however many threads");

    let nearness = |a: &Embedding, b: &Embedding| a.values.iter().zip(&b.values).map(|(x, y)| x * y).sum::<f32>();
    for (i, text) in TEXTS.iter().enumerate() {
        let others = (0..TEXTS.len()).filter(|other| *other != i);
        let nearest = others.max_by(|a, b| nearness(&alone[i], &alone[*a]).total_cmp(&nearness(&alone[i], &alone[*b])));
        let nearest = nearest.expect("there are other texts");
        println!("{text:<26} is nearest to {:<26} {:.3}", TEXTS[nearest], nearness(&alone[i], &alone[nearest]));
    }
    Ok(())
}

/// The encoder of the tests.
pub fn tiny() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../millstream-models/tests/tiny"))
}

#[allow(dead_code, reason = "the tests call `run`")]
fn main() -> Result<(), Error> {
    match std::env::args_os().nth(1) {
        Some(folder) => run(Path::new(&folder)),
        None => run(tiny()),
    }
}
