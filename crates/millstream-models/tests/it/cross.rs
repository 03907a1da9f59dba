//! Cross-encoders and their encoders against the reference: every kind, one pair at a time and together, and with an error planted.

use std::fs;
use std::path::{Path, PathBuf};

use millstream_models::{Activation, Embedder, Options, RerankOptions, Reranker};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{Golden, apart, cpu};

/// Greatest difference of a score or of an element; states are up to 3 here.
const NEAR: f32 = 2e-5;

/// The folders, and the encoder that each has inside.
pub(crate) const KINDS: [(&str, &str); 5] = [
    ("bert", "BertModel"),
    ("roberta", "RobertaModel"),
    ("xlm_roberta", "XLMRobertaModel"),
    ("mpnet", "MPNetModel"),
    ("distilbert", "DistilBertModel"),
];

/// A line of the reference.
#[derive(Deserialize)]
pub(crate) struct Pair {
    pub(crate) query: String,
    pub(crate) text: String,
    pub(crate) tokens: usize,
    pub(crate) score: f32,
}

pub(crate) fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cross").join(kind)
}

fn lines<T: DeserializeOwned>(kind: &str, name: &str) -> Vec<T> {
    let text = fs::read_to_string(folder(kind).join(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn pairs(kind: &str) -> Vec<Pair> {
    lines(kind, "pairs.jsonl")
}

/// A copy of a model, its configuration and its weights changed.
pub(crate) fn changed(
    kind: &str,
    config: impl FnOnce(String) -> String,
    weights: impl FnOnce(&mut Vec<u8>),
) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        fs::copy(folder(kind).join(name), copy.path().join(name)).unwrap();
    }
    let before = fs::read_to_string(folder(kind).join("config.json")).unwrap();
    fs::write(copy.path().join("config.json"), config(before)).unwrap();
    let mut bytes = fs::read(folder(kind).join("model.safetensors")).unwrap();
    weights(&mut bytes);
    fs::write(copy.path().join("model.safetensors"), bytes).unwrap();
    copy
}

/// A configuration in which `from` stands as `to`.
pub(crate) fn replaced(from: &str, to: &str) -> impl FnOnce(String) -> String {
    move |text| {
        assert!(text.contains(from), "{from} is not in {text}");
        text.replace(from, to)
    }
}

/// The folder as one of the encoder alone.
fn encoder(kind: &str, architecture: &str) -> tempfile::TempDir {
    let line = |text: &str| {
        let of_pairs = |name: &&str| name.contains("ForSequenceClassification");
        text.split('"').find(of_pairs).unwrap().to_owned()
    };
    changed(kind, |config| config.replace(&line(&config), architecture), |_| {})
}

fn cutting() -> RerankOptions {
    RerankOptions { truncate: true, ..RerankOptions::default() }
}

fn open(folder: &Path) -> Reranker {
    Reranker::open_with(&cpu(), folder, &cutting()).unwrap()
}

/// Greatest difference from the reference.
fn away(reranker: &Reranker, kind: &str) -> f32 {
    let one = |pair: &Pair| {
        let found = reranker.score(&pair.query, &pair.text).unwrap();
        assert_eq!(found.tokens, pair.tokens, "{kind}: {:?} and {:?}", pair.query, pair.text);
        (found.value - pair.score).abs()
    };
    pairs(kind).iter().map(one).fold(0.0, f32::max)
}

#[test]
fn scores_are_those_of_the_reference_alone_and_together() {
    for (kind, _) in KINDS {
        let reranker = open(&folder(kind));
        let alone = away(&reranker, kind);
        assert!(alone < NEAR, "{kind} is {alone} away");
        let pairs = pairs(kind);
        let all: Vec<(&str, &str)> = pairs.iter().map(|pair| (pair.query.as_str(), pair.text.as_str())).collect();
        let together = reranker.score_batch(&all).unwrap();
        let apart = |(found, pair): (&millstream_models::Score, &Pair)| (found.value - pair.score).abs();
        let together = together.iter().zip(&pairs).map(apart).fold(0.0, f32::max);
        assert!(together < NEAR, "{kind} in a batch is {together} away");
        println!("{kind}: {alone:e} alone, {together:e} in a batch");
    }
}

#[test]
fn states_are_those_of_the_reference_alone_and_together() {
    for (kind, architecture) in KINDS {
        let folder = encoder(kind, architecture);
        let options = Options { truncate: true, ..Options::default() };
        let embedder = Embedder::open_with(&cpu(), folder.path(), &options).unwrap();
        assert_eq!(embedder.tokens_max(), 32, "the tokenizer's limit");
        let golden: Vec<Golden> = lines(kind, "texts.jsonl");
        let texts: Vec<&str> = golden.iter().map(|line| line.text.as_str()).collect();
        let together = embedder.embed_batch(&texts).unwrap();
        let mut greatest = 0.0;
        for (line, together) in golden.iter().zip(&together) {
            for found in [&embedder.embed(&line.text).unwrap(), together] {
                assert_eq!(found.tokens, line.tokens, "{kind}: {:?}", line.text);
                greatest = f32::max(greatest, apart(&found.values, &line.embedding));
            }
        }
        assert!(greatest < NEAR, "{kind} is {greatest} away");
        println!("{kind}: {greatest:e}");
    }
}

#[test]
fn a_configuration_that_is_off_by_one_thing_is_far_from_the_reference() {
    for (kind, from, to) in [
        // Places from the wrong token on.
        ("roberta", "\"pad_token_id\": 1", "\"pad_token_id\": 0"),
        ("xlm_roberta", "\"pad_token_id\": 1", "\"pad_token_id\": 3"),
        // Heads of another size, another activation, another constant of the normalisation.
        ("bert", "\"num_attention_heads\": 3", "\"num_attention_heads\": 4"),
        ("distilbert", "\"gelu\"", "\"relu\""),
        ("xlm_roberta", "\"layer_norm_eps\": 1e-05", "\"layer_norm_eps\": 0.1"),
    ] {
        let folder = changed(kind, replaced(from, to), |_| {});
        let away = away(&open(folder.path()), kind);
        assert!(away > 100.0 * NEAR, "{kind} with {to} is only {away} away");
    }
}

/// Where a tensor's elements begin and end.
fn place(bytes: &[u8], name: &str) -> std::ops::Range<usize> {
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let all: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let at = |i: usize| all[name]["data_offsets"][i].as_u64().unwrap() as usize + 8 + header;
    at(0)..at(1)
}

#[test]
fn a_tensor_that_is_left_out_is_far_from_the_reference() {
    for (kind, name) in [
        ("bert", "bert.embeddings.token_type_embeddings.weight"),
        ("bert", "bert.pooler.dense.bias"),
        ("bert", "classifier.bias"),
        ("bert", "bert.encoder.layer.1.output.LayerNorm.bias"),
        ("roberta", "roberta.embeddings.token_type_embeddings.weight"),
        ("roberta", "classifier.dense.bias"),
        ("roberta", "roberta.encoder.layer.0.attention.self.query.bias"),
        ("xlm_roberta", "classifier.out_proj.bias"),
        ("mpnet", "mpnet.encoder.relative_attention_bias.weight"),
        ("mpnet", "mpnet.encoder.layer.1.attention.attn.o.bias"),
        ("distilbert", "pre_classifier.bias"),
        ("distilbert", "distilbert.transformer.layer.1.attention.v_lin.bias"),
    ] {
        let zeros = |bytes: &mut Vec<u8>| {
            let at = place(bytes, name);
            bytes[at].fill(0);
        };
        let folder = changed(kind, |config| config, zeros);
        let away = away(&open(folder.path()), kind);
        assert!(away > 20.0 * NEAR, "{kind} without {name} is only {away} away");
    }
}

#[test]
fn the_second_text_is_told_from_the_first() {
    // The same model, whose tokenizer does not say the types of tokens.
    let folder = changed("bert", |config| config, |_| {});
    let path = folder.path().join("tokenizer_config.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, replaced("\"token_type_ids\",", "")(text)).unwrap();
    let away = away(&open(folder.path()), "bert");
    assert!(away > 100.0 * NEAR, "without types only {away} away");
}

#[test]
fn the_folder_says_how_a_score_is_made_and_the_caller_may_say_otherwise() {
    let with = |path: &Path, activation| {
        let options = RerankOptions { activation, ..cutting() };
        Reranker::open_with(&cpu(), path, &options).unwrap()
    };
    for (kind, said) in
        [("bert", Activation::Sigmoid), ("roberta", Activation::Identity), ("xlm_roberta", Activation::Sigmoid)]
    {
        let reranker = with(&folder(kind), None);
        assert_eq!(reranker.activation(), said, "{kind}");
        let number = with(&folder(kind), Some(Activation::Identity)).score("the cat", "the mat").unwrap().value;
        let score = with(&folder(kind), Some(Activation::Sigmoid)).score("the cat", "the mat").unwrap().value;
        assert!((score - 1.0 / (1.0 + (-number).exp())).abs() < 1e-6, "{score} of {number}");
        let found = reranker.score("the cat", "the mat").unwrap().value;
        assert_eq!(found, if said == Activation::Sigmoid { score } else { number });
    }
    // A file of sentence-transformers' own says it before the configuration does, and versions before 4 had another key.
    let copy = changed("bert", |config| config, |_| {});
    let own = copy.path().join("config_sentence_transformers.json");
    fs::write(own, r#"{"activation_fn":"torch.nn.modules.linear.Identity"}"#).unwrap();
    assert_eq!(with(copy.path(), None).activation(), Activation::Identity);
    let old = replaced("\"id2label\"", "\"sbert_ce_default_activation_function\": \"torch.nn.Identity\", \"id2label\"");
    assert_eq!(with(changed("distilbert", old, |_| {}).path(), None).activation(), Activation::Identity);
}

#[test]
fn texts_are_ranked_by_score_and_equal_ones_keep_their_order() {
    let reranker = open(&folder("bert"));
    let texts = ["on the mat", "a dog", "on the mat", "the cat sits", ""];
    let ranked = reranker.rank("the cat", &texts).unwrap();
    let mut found: Vec<usize> = ranked.iter().map(|ranked| ranked.index).collect();
    assert!(ranked.is_sorted_by(|a, b| a.score > b.score || a.score == b.score && a.index < b.index), "{ranked:?}");
    let pairs: Vec<(&str, &str)> = texts.iter().map(|text| ("the cat", *text)).collect();
    let scores = reranker.score_batch(&pairs).unwrap();
    assert!(ranked.iter().all(|ranked| ranked.score == scores[ranked.index].value));
    found.sort_unstable();
    assert_eq!(found, [0, 1, 2, 3, 4]);
    assert!(reranker.rank("the cat", &[]).unwrap().is_empty());
}
