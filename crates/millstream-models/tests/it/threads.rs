//! Twenty threads, one set of weights.

use millstream_cpu::CpuOptions;
use millstream_models::{Embedder, Reranker};
use millstream_sync::thread;

use crate::cross::{folder, pairs};
use crate::{device, golden, tiny};

#[test]
fn a_model_is_shared_by_every_thread() {
    fn shared<T: Clone + Send + Sync>() {}
    shared::<Embedder>();
    shared::<Reranker>();
}

#[test]
fn twenty_threads_get_the_bits_of_one() {
    for options in [CpuOptions::inline(), CpuOptions::queued()] {
        let device = device(options);
        let embedder = Embedder::open(&device, tiny()).unwrap();
        let texts: Vec<String> = golden().into_iter().map(|line| line.text).filter(|text| text.len() < 60).collect();
        let alone: Vec<_> = texts.iter().map(|text| embedder.embed(text).unwrap()).collect();
        let live = device.memory_stats().live_bytes;
        thread::scope(|scope| {
            for start in 0..20 {
                let (embedder, texts, alone) = (embedder.clone(), &texts, &alone);
                scope.spawn(move || {
                    for i in 0..20 {
                        let at = (start + i) % texts.len();
                        assert_eq!(embedder.embed(&texts[at]).unwrap(), alone[at], "{:?}", texts[at]);
                    }
                });
            }
        });
        assert_eq!(device.memory_stats().live_bytes, live, "one copy of the weights, and nothing left of the work");
        drop(embedder);
        let stats = device.memory_stats();
        assert_eq!((stats.live_bytes, stats.imports), (0, 0));
    }
}

#[test]
fn twenty_threads_get_the_scores_of_one() {
    for options in [CpuOptions::inline(), CpuOptions::queued()] {
        let device = device(options);
        let reranker = Reranker::open(&device, folder("bert")).unwrap();
        let pairs: Vec<_> = pairs("bert").into_iter().filter(|pair| pair.tokens < 32).collect();
        let alone: Vec<_> = pairs.iter().map(|pair| reranker.score(&pair.query, &pair.text).unwrap()).collect();
        let live = device.memory_stats().live_bytes;
        thread::scope(|scope| {
            for start in 0..20 {
                let (reranker, pairs, alone) = (reranker.clone(), &pairs, &alone);
                scope.spawn(move || {
                    for at in (0..20).map(|i| (start + i) % pairs.len()) {
                        assert_eq!(reranker.score(&pairs[at].query, &pairs[at].text).unwrap(), alone[at], "{at}");
                    }
                });
            }
        });
        assert_eq!(device.memory_stats().live_bytes, live, "one copy of the weights, and nothing left of the work");
        drop(reranker);
        let stats = device.memory_stats();
        assert_eq!((stats.live_bytes, stats.imports), (0, 0));
    }
}
