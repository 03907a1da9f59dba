//! Sentences a second: FOLDER TOKENS CALLERS SECONDS; prints one JSON object. Each caller embeds one text of so many tokens at a time.
//!
//! `benches/peers/embed_cpu.py` runs it beside other libraries. `cargo run --release -p millstream-models --example throughput -- FOLDER 128 20 5`

use std::time::{Duration, Instant};

use millstream_cpu::{CpuBackend, CpuOptions};
use millstream_hal::Backend;
use millstream_models::{Embedder, Error, Options};
use millstream_runtime::{Device, DeviceOptions};
use millstream_sync::{Arc, thread};

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, tokens, callers, seconds] = &arguments[..] else { panic!("FOLDER TOKENS CALLERS SECONDS") };
    let number = |text: &String| text.parse::<usize>().expect("a number");
    let (tokens, callers, seconds) = (number(tokens), number(callers), Duration::from_secs(number(seconds) as u64));
    let backend = CpuBackend::new(CpuOptions::inline());
    let options = DeviceOptions::of(backend.info());
    let device = Device::open_with(Arc::new(backend), options);
    let options = Options { tokens_max: Some(tokens), truncate: true, ..Options::default() };
    let embedder = Embedder::open_with(&device, folder, &options)?;
    // More words than tokens are asked for: the limit cuts.
    let text = "water ".repeat(tokens);
    assert_eq!(embedder.embed(&text)?.tokens, tokens);
    let begun = Instant::now();
    let done: usize = thread::scope(|scope| {
        let work = || {
            let mut done = 0;
            while begun.elapsed() < seconds {
                embedder.embed(&text).expect("a vector");
                done += 1;
            }
            done
        };
        let callers: Vec<_> = (0..callers).map(|_| scope.spawn(work)).collect();
        callers.into_iter().map(|caller| caller.join().expect("a caller")).sum()
    });
    let rate = done as f64 / begun.elapsed().as_secs_f64();
    println!("{{\"tokens\":{tokens},\"callers\":{callers},\"sentences\":{done},\"sentences_per_second\":{rate:.1}}}");
    Ok(())
}
