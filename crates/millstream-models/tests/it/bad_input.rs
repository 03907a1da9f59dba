//! Folders and texts that cannot be used: each is an error of its own that names what is wrong.

use std::fs;
use std::path::Path;

use millstream_models::{Embedder, Error, Options};

use crate::{cpu, tiny};

/// A copy of the model, changed.
fn changed(change: impl FnOnce(&Path)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors", "modules.json", "sentence_bert_config.json"] {
        fs::copy(tiny().join(name), folder.path().join(name)).unwrap();
    }
    fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    fs::copy(tiny().join("1_Pooling/config.json"), folder.path().join("1_Pooling/config.json")).unwrap();
    change(folder.path());
    folder
}

/// A copy in which `from` stands as `to` in one file.
fn replaced(name: &str, from: &str, to: &str) -> tempfile::TempDir {
    changed(|folder| {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        assert!(text.contains(from), "{from} is not in {name}");
        fs::write(folder.join(name), text.replace(from, to)).unwrap();
    })
}

fn refused(folder: &tempfile::TempDir) -> Error {
    Embedder::open(&cpu(), folder.path()).unwrap_err()
}

#[test]
fn a_copy_that_is_not_changed_is_used() {
    Embedder::open(&cpu(), changed(|_| {}).path()).unwrap();
}

#[test]
fn files_that_are_not_there_are_named() {
    let absent = Embedder::open(&cpu(), "no/such/folder").unwrap_err();
    assert!(matches!(&absent, Error::Read { path, .. } if path.ends_with("no/such/folder")), "{absent}");
    for name in ["config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"] {
        let error = refused(&changed(|folder| fs::remove_file(folder.join(name)).unwrap()));
        assert!(matches!(&error, Error::Read { path, .. } if path.ends_with(name)), "{name}: {error}");
    }
}

#[test]
fn files_that_are_damaged_are_named() {
    for name in ["config.json", "tokenizer.json", "model.safetensors", "modules.json", "1_Pooling/config.json"] {
        let error = refused(&changed(|folder| {
            let bytes = fs::read(folder.join(name)).unwrap();
            fs::write(folder.join(name), &bytes[..bytes.len() / 2]).unwrap();
        }));
        assert!(matches!(&error, Error::Damaged { path, .. } if path.ends_with(name)), "{name}: {error}");
    }
}

#[test]
fn sizes_that_the_weights_do_not_have_are_named_with_what_was_found() {
    let error = refused(&replaced("config.json", "\"intermediate_size\": 40", "\"intermediate_size\": 41"));
    let text = error.to_string();
    assert!(text.contains("encoder.layer.0.intermediate.dense.weight is [40, 24], [41, 24] is needed"), "{text}");
    let error = refused(&replaced("config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"));
    assert!(error.to_string().contains("has no tensor encoder.layer.2."), "{error}");
    let error = refused(&replaced("config.json", "\"num_attention_heads\": 3", "\"num_attention_heads\": 5"));
    assert!(error.to_string().contains("hidden_size 24 in 5 heads"), "{error}");
    let error = refused(&replaced("config.json", "\"num_attention_heads\": 3", "\"num_attention_heads\": 0"));
    assert!(error.to_string().contains("num_attention_heads is 0"), "{error}");
}

#[test]
fn a_tokenizer_of_another_model_is_seen() {
    let error = refused(&replaced("tokenizer.json", "\"mat\": ", "\"mat\": 1"));
    assert!(error.to_string().contains("the model knows 64"), "{error}");
}

#[test]
fn what_is_not_built_is_named_with_what_is() {
    for (name, from, to, words) in [
        ("config.json", "BertModel", "GPT2LMHeadModel", ["GPT2LMHeadModel", "BertModel"]),
        ("config.json", "\"gelu\"", "\"swish\"", ["activation swish", "gelu"]),
        ("config.json", "\"use_cache\": true", "\"position_embedding_type\": \"rotary\"", ["rotary", "absolute"]),
        (
            "modules.json",
            "2_Normalize\",\n  \"type\": \"sentence_transformers.models.Normalize",
            "2_Dense\",\n  \"type\": \"sentence_transformers.models.Dense",
            ["Dense", "Pooling"],
        ),
        (
            "1_Pooling/config.json",
            "pooling_mode_mean_tokens",
            "pooling_mode_max_tokens",
            ["max_tokens", "pooling_mode_cls_token"],
        ),
        ("1_Pooling/config.json", "false", "true", ["pooling_mode_cls_token, pooling_mode_mean_tokens", "one of"]),
    ] {
        let error = refused(&replaced(name, from, to));
        assert!(matches!(error, Error::Architecture { .. } | Error::Unsupported { .. }), "{error:?}");
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
}

#[test]
fn a_text_beyond_the_limit_says_both_lengths_and_the_embedder_goes_on() {
    let embedder = Embedder::open(&cpu(), tiny()).unwrap();
    let long = "cat ".repeat(40);
    let error = embedder.embed(&long).unwrap_err();
    assert!(matches!(error, Error::TooLong { tokens: 42, limit: 32 }), "{error}");
    let error = embedder.embed_batch(&["cat", &long]).unwrap_err();
    assert!(matches!(error, Error::TooLong { .. }), "{error}");
    assert_eq!(embedder.embed("cat").unwrap().tokens, 3);
}

#[test]
fn a_limit_is_in_the_range_of_the_model() {
    for asked in [0, 2, 41] {
        let options = Options { tokens_max: Some(asked), ..Options::default() };
        let error = Embedder::open_with(&cpu(), tiny(), &options).unwrap_err();
        assert!(matches!(error, Error::Limit { least: 3, most: 40, .. }), "{asked}: {error}");
    }
}

#[test]
fn control_characters_and_foreign_letters_are_texts() {
    let embedder = Embedder::open(&cpu(), tiny()).unwrap();
    for text in ["\u{0}\u{7}", "\r", "\t\t", "猫", "e\u{301}", "\u{feff}cat", "😀"] {
        let found = embedder.embed(text).unwrap();
        assert!(found.tokens >= 2 && found.values.iter().all(|x| x.is_finite()), "{text:?}");
    }
}
