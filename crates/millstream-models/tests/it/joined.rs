//! Models behind a batch queue.

use std::time::Duration;

use millstream_models::{BatchError, BatchOptions, BatchQueue, Embedder, Error, Options, Reranker};
use millstream_sync::thread;

use crate::{apart, cpu, golden, tiny};

const LONG: Duration = Duration::from_secs(20);

#[test]
fn twenty_callers_get_the_vectors_of_the_reference_from_joined_batches() {
    let device = cpu();
    let options = Options { truncate: true, ..Options::default() };
    let embedder = Embedder::open_with(&device, tiny(), &options).unwrap();
    let before = device.memory_stats().live_bytes;
    let queue = BatchQueue::new(embedder.clone(), BatchOptions { workers: 2, ..embedder.batch_options() }).unwrap();
    let golden = golden();
    thread::scope(|scope| {
        for start in 0..20 {
            let (queue, golden) = (&queue, &golden);
            scope.spawn(move || {
                for line in golden.iter().cycle().skip(start).take(20) {
                    let found = queue.call(&line.text).unwrap();
                    assert_eq!(found.tokens, line.tokens);
                    assert!(apart(&found.values, &line.embedding) < 2e-5, "{}", line.text);
                }
            });
        }
    });
    let figures = queue.figures().unwrap();
    assert_eq!(figures.requests, 400);
    assert!(figures.batches < 400, "nothing was joined: {figures:?}");
    assert!(queue.drain(Some(LONG)));
    assert_eq!(device.memory_stats().live_bytes, before, "nothing is left of the work");
}

#[test]
fn a_text_that_is_refused_meets_no_other() {
    let queue = BatchQueue::new(Embedder::open(&cpu(), tiny()).unwrap(), BatchOptions::default()).unwrap();
    let long = "cat ".repeat(100);
    match queue.call(&long) {
        Err(BatchError::Work(Error::TooLong { limit: 32, .. })) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(queue.call("the cat").unwrap().tokens, 4);
    assert_eq!(queue.figures().unwrap().requests, 1, "the long one was not queued");
    let error = Error::from(queue.call(&long).unwrap_err());
    assert!(matches!(error, Error::TooLong { .. }), "{error}");
    assert!(queue.drain(Some(LONG)));
    let error = Error::from(queue.call("the cat").unwrap_err());
    assert_eq!(error.to_string(), "the queue takes no more requests");
}

#[test]
fn a_reranker_may_sit_behind_a_queue_too() {
    let folder = tiny().join("../cross/roberta");
    let reranker = Reranker::open(&cpu(), folder).unwrap();
    let pair = ("the cat".to_owned(), "the mat".to_owned());
    let alone = reranker.score(&pair.0, &pair.1).unwrap();
    let queue = BatchQueue::new(reranker.clone(), reranker.batch_options()).unwrap();
    assert_eq!(queue.call(&pair).unwrap(), alone);
}
