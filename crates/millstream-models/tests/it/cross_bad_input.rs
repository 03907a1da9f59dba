//! Cross-encoders and pairs that cannot be used.

use std::fs;
use std::path::Path;

use millstream_models::{Error, RerankOptions, Reranker};

use crate::cpu;
use crate::cross::{KINDS, changed, folder, replaced};

fn refused(folder: &Path) -> Error {
    Reranker::open(&cpu(), folder).unwrap_err()
}

/// The header with `from` in the place of `to`, of the same length.
fn header(from: &'static str, to: &'static str) -> impl FnOnce(&mut Vec<u8>) {
    assert_eq!(from.len(), to.len());
    move |bytes| {
        let at = bytes.windows(from.len()).position(|found| found == from.as_bytes()).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
}

#[test]
fn tensors_that_are_absent_or_of_another_shape_or_type_are_named() {
    for (kind, from, to, words) in [
        ("bert", "bert.pooler.dense.weight", "bert.pooler.dense.wexght", "has no tensor bert.pooler.dense.weight"),
        ("bert", "\"classifier.bias\"", "\"classifxer.bias\"", "has no tensor classifier.bias"),
        ("roberta", "classifier.out_proj.bias", "classifier.out_proj.bxas", "has no tensor classifier.out_proj.bias"),
        (
            "distilbert",
            "layer.1.ffn.lin2.bias",
            "layer.1.ffn.lin2.bxas",
            "has no tensor distilbert.transformer.layer.1.ffn.lin2.bias",
        ),
        ("xlm_roberta", "\"F32\"", "\"I32\"", "is I32, F32, F16 or BF16 is needed"),
        ("roberta", "[1,24]", "[24,1]", "is [24, 1], [1, 24] is needed"),
    ] {
        let error = refused(changed(kind, |config| config, header(from, to)).path());
        assert!(error.to_string().contains(words), "{kind}: {error}");
    }
}

#[test]
fn what_is_not_built_is_named_with_what_is() {
    for (kind, from, to, words) in [
        (
            "bert",
            "BertForSequenceClassification",
            "DebertaV2ForSequenceClassification",
            ["DebertaV2", "RobertaForSequenceClassification"],
        ),
        (
            "bert",
            "BertForSequenceClassification",
            "BertModel",
            ["BertModel is not supported", "BertForSequenceClassification"],
        ),
        ("bert", "\"0\": \"LABEL_0\"", "\"0\": \"NO\", \"1\": \"YES\"", ["labels of 2", "supported: 1"]),
        (
            "bert",
            "torch.nn.modules.activation.Sigmoid",
            "torch.nn.modules.activation.Tanh",
            ["Tanh", "torch.nn.Sigmoid"],
        ),
        (
            "roberta",
            "torch.nn.modules.linear.Identity",
            "their.own.Sigmoid",
            ["their.own.Sigmoid", "torch.nn.Identity"],
        ),
    ] {
        let error = refused(changed(kind, replaced(from, to), |_| {}).path());
        assert!(matches!(error, Error::Architecture { .. } | Error::Unsupported { .. }), "{error:?}");
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
    let copy = changed("bert", |config| config, |_| {});
    let modules = r#"[{"path":"","type":"x.Transformer"},{"path":"1_Pooling","type":"x.Pooling"}]"#;
    fs::write(copy.path().join("modules.json"), modules).unwrap();
    let text = refused(copy.path()).to_string();
    assert!(text.contains("x.Transformer, x.Pooling") && text.contains("Transformer alone"), "{text}");
    let only = r#"[{"path":"","type":"sentence_transformers.base.modules.transformer.Transformer"}]"#;
    fs::write(copy.path().join("modules.json"), only).unwrap();
    Reranker::open(&cpu(), copy.path()).unwrap();
}

#[test]
fn a_pair_beyond_the_limit_says_both_lengths_and_the_reranker_goes_on() {
    for (kind, _) in KINDS {
        let reranker = Reranker::open(&cpu(), folder(kind)).unwrap();
        let long = "on ".repeat(40);
        for (query, text) in [("the cat", long.as_str()), (&long, "the cat"), (&long, &long), (&long, "")] {
            let error = reranker.score(query, text).unwrap_err();
            assert!(matches!(error, Error::TooLong { tokens: 43.., limit: 32 }), "{kind}: {error}");
        }
        let error = reranker.score_batch(&[("the", "cat"), ("the", &long)]).unwrap_err();
        assert!(matches!(error, Error::TooLong { .. }), "{error}");
        assert!(reranker.score("", "").unwrap().value.is_finite(), "{kind}");
    }
}

#[test]
fn a_cut_pair_loses_the_end_of_the_longer_text() {
    let options = RerankOptions { truncate: true, tokens_max: Some(9), ..RerankOptions::default() };
    let reranker = Reranker::open_with(&cpu(), folder("bert"), &options).unwrap();
    // Six tokens are left for both.
    for (query, text, kept) in [
        ("the cat", "on the mat the cat sits", ("the cat", "on the mat the")),
        ("on the mat the cat sits", "the cat", ("on the mat the", "the cat")),
        ("on the mat the cat sits", "the cat sits on the mat", ("on the mat", "the cat sits")),
    ] {
        let found = reranker.score(query, text).unwrap();
        assert_eq!(found.tokens, 9);
        assert_eq!(found, reranker.score(kept.0, kept.1).unwrap(), "{query:?} and {text:?}");
    }
}

#[test]
fn a_limit_is_in_the_range_of_the_model() {
    // Three or four special tokens, and one more; RoBERTa loses the places up to the padding's.
    for (kind, least, most) in
        [("bert", 4, 40), ("roberta", 5, 38), ("xlm_roberta", 5, 38), ("mpnet", 5, 38), ("distilbert", 4, 40)]
    {
        for asked in [0, least - 1, most + 1] {
            let options = RerankOptions { tokens_max: Some(asked), ..RerankOptions::default() };
            let error = Reranker::open_with(&cpu(), folder(kind), &options).unwrap_err();
            let same = matches!(error, Error::Limit { least: l, most: m, .. } if (l, m) == (least, most));
            assert!(same, "{kind} with {asked}: {error}");
        }
        let options = RerankOptions { tokens_max: Some(most), truncate: true, ..RerankOptions::default() };
        let reranker = Reranker::open_with(&cpu(), folder(kind), &options).unwrap();
        let found = reranker.score("the cat", &"on ".repeat(100)).unwrap();
        assert!(found.tokens == most && found.value.is_finite(), "{kind}: {found:?}");
    }
}

#[test]
fn a_type_of_tokens_that_the_model_does_not_know_is_an_error_of_the_pair() {
    let cut = |bytes: &mut Vec<u8>| {
        header("[2,24],\"data_offsets\":[4032,4224]", "[1,24],\"data_offsets\":[4032,4128]")(bytes)
    };
    let folder = changed("bert", replaced("\"type_vocab_size\": 2", "\"type_vocab_size\": 1"), cut);
    let error = Reranker::open(&cpu(), folder.path()).unwrap().score("the", "cat").unwrap_err();
    assert!(error.to_string().contains("type 1, the model knows 1 of them"), "{error}");
}
