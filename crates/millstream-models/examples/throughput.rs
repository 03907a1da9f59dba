//! Sentences a second: FOLDER TOKENS CALLERS SECONDS [BATCH_TOKENS WORKERS DELAY_US]; prints one JSON object. Each caller embeds one text at a time, of so many tokens, or of lengths in turn: `16,24,100`. With
//! BATCH_TOKENS a queue joins them.
//!
//! `benches/peers/embed_cpu.py` runs it beside other libraries. `cargo run --release -p millstream-models --example throughput -- FOLDER 128 20 5`

use std::time::{Duration, Instant};

use millstream_cpu::{CpuBackend, CpuOptions};
use millstream_hal::Backend;
use millstream_models::{BatchOptions, BatchQueue, Embedder, Options};
use millstream_runtime::{Device, DeviceOptions};
use millstream_sync::{Arc, thread};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, lengths, callers, seconds, joined @ ..] = &arguments[..] else {
        panic!("FOLDER TOKENS CALLERS SECONDS [BATCH_TOKENS WORKERS DELAY_US]")
    };
    let number = |text: &str| text.parse::<usize>().expect("a number");
    let lengths: Vec<usize> = lengths.split(',').map(number).collect();
    let (callers, seconds) = (number(callers), Duration::from_secs(number(seconds) as u64));
    let backend = CpuBackend::new(CpuOptions::inline());
    let options = DeviceOptions::of(backend.info());
    let device = Device::open_with(Arc::new(backend), options);
    let longest = lengths.iter().copied().max().expect("a length");
    let options = Options { tokens_max: Some(longest), truncate: true, ..Options::default() };
    let embedder = Embedder::open_with(&device, folder, &options)?;
    let texts: Vec<String> = lengths.iter().map(|tokens| "water ".repeat(tokens - 2)).collect();
    for (text, tokens) in texts.iter().zip(&lengths) {
        assert_eq!(embedder.embed(text)?.tokens, *tokens);
    }
    let queue = match joined {
        [tokens, workers, delay] => Some(BatchQueue::new(
            embedder.clone(),
            BatchOptions {
                batch_tokens: number(tokens),
                workers: number(workers),
                max_delay: Duration::from_micros(number(delay) as u64),
                ..BatchOptions::default()
            },
        )?),
        _ => None,
    };
    let begun = Instant::now();
    let work = |caller: usize| {
        let mut waits = Vec::new();
        while begun.elapsed() < seconds {
            let (text, asked) = (&texts[(caller + waits.len()) % texts.len()], Instant::now());
            match &queue {
                Some(queue) => drop(queue.call(text).expect("a vector")),
                None => drop(embedder.embed(text).expect("a vector")),
            }
            waits.push(asked.elapsed());
        }
        waits
    };
    let mut waits: Vec<Duration> = thread::scope(|scope| {
        let work = &work;
        let callers: Vec<_> = (0..callers).map(|caller| scope.spawn(move || work(caller))).collect();
        callers.into_iter().flat_map(|caller| caller.join().expect("a caller")).collect()
    });
    let rate = waits.len() as f64 / begun.elapsed().as_secs_f64();
    waits.sort_unstable();
    let at = |part: usize| waits[(waits.len() - 1) * part / 100].as_secs_f64() * 1e3;
    let batches = queue.as_ref().and_then(BatchQueue::figures).map_or(String::new(), |figures| {
        let rows = figures.requests as f64 / figures.batches as f64;
        let filled = figures.filled_tokens as f64 / figures.tokens as f64;
        format!(",\"rows_per_batch\":{rows:.1},\"filled_up\":{filled:.3}")
    });
    println!(
        "{{\"tokens\":{longest},\"callers\":{callers},\"sentences\":{},\"sentences_per_second\":{rate:.1},\"p50_ms\":{:.1},\"p99_ms\":{:.1}{batches}}}",
        waits.len(),
        at(50),
        at(99)
    );
    Ok(())
}
