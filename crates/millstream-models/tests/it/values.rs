//! The reference's vectors: one text at a time, and together.

use millstream_models::{Embedder, Options, Pooling};

use crate::{apart, cpu, golden, tiny};

const NEAR: f32 = 2e-5;

fn cutting() -> Options {
    Options { truncate: true, ..Options::default() }
}

#[test]
fn vectors_are_those_of_the_reference() {
    let embedder = Embedder::open_with(&cpu(), tiny(), &cutting()).unwrap();
    assert_eq!((embedder.width(), embedder.tokens_max()), (24, 32));
    for line in golden() {
        let found = embedder.embed(&line.text).unwrap();
        assert_eq!(found.tokens, line.tokens, "{:?}", line.text);
        let apart = apart(&found.values, &line.embedding);
        assert!(apart < NEAR, "{:?} is {apart} away", line.text);
    }
}

#[test]
fn texts_of_one_batch_do_not_see_each_other() {
    let embedder = Embedder::open_with(&cpu(), tiny(), &cutting()).unwrap();
    let golden = golden();
    let texts: Vec<&str> = golden.iter().map(|line| line.text.as_str()).collect();
    let found = embedder.embed_batch(&texts).unwrap();
    assert_eq!(found.len(), texts.len());
    for (found, line) in found.iter().zip(&golden) {
        assert_eq!(found.tokens, line.tokens);
        let apart = apart(&found.values, &line.embedding);
        assert!(apart < NEAR, "{:?} in a batch is {apart} away", line.text);
    }
    assert!(embedder.embed_batch(&[]).unwrap().is_empty());
}

#[test]
fn the_other_ways_of_pooling_take_one_state_each() {
    let device = cpu();
    let with =
        |pooling| Embedder::open_with(&device, tiny(), &Options { pooling: Some(pooling), ..cutting() }).unwrap();
    let golden = golden();
    let texts: Vec<&str> = golden.iter().map(|line| line.text.as_str()).collect();
    for pooling in [Pooling::Cls, Pooling::Last] {
        let embedder = with(pooling);
        let together = embedder.embed_batch(&texts).unwrap();
        for (text, together) in texts.iter().zip(&together) {
            let alone = embedder.embed(text).unwrap();
            assert!(apart(&alone.values, &together.values) < NEAR, "{pooling:?} of {text:?}");
            let length: f32 = alone.values.iter().map(|x| x * x).sum();
            assert!((length - 1.0).abs() < 1e-5, "length {length}");
        }
    }
    let first = with(Pooling::Cls).embed("the cat").unwrap();
    let last = with(Pooling::Last).embed("the cat").unwrap();
    let mean = with(Pooling::Mean).embed("the cat").unwrap();
    assert!(apart(&first.values, &last.values) > 0.01 && apart(&first.values, &mean.values) > 0.01);
}

#[test]
fn a_cut_text_is_the_text_of_its_first_tokens() {
    let device = cpu();
    let embedder = Embedder::open_with(&device, tiny(), &Options { tokens_max: Some(5), ..cutting() }).unwrap();
    let cut = embedder.embed("the cat sits on the mat.").unwrap();
    assert_eq!(cut.tokens, 5);
    assert_eq!(cut, embedder.embed("the cat sits").unwrap());
}
