"""Models of a few thousand random weights, for tests.

    tiny_models.py KIND FOLDER

KIND: `encoder` (BERT, with the modules of sentence-transformers around it), or the cross-encoder `bert`, `roberta`, `xlm_roberta`, `mpnet` or `distilbert`. Needs torch, transformers and tokenizers.
"""

import json
import pathlib
import sys

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

LETTERS = "abcdefghijklmnopqrstuvwxyz.,?"
WORDS = ["cat", "mat", "sits", "the", "on"]


def word_pieces(special, unknown):
    vocabulary = special + list(LETTERS) + ["##" + letter for letter in LETTERS[:26]] + WORDS
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(vocabulary)}, unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def bert_pieces(pair=True):
    tokenizer = word_pieces(["[PAD]", "[UNK]", "[CLS]", "[SEP]"], "[UNK]")
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    two = dict(pair="[CLS] $A [SEP] $B:1 [SEP]:1") if pair else {}
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=ends, **two)
    return tokenizer, dict(pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]")


ROUND = dict(pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>", bos_token="<s>", eos_token="</s>")


def mpnet_pieces():
    tokenizer = word_pieces(["<s>", "<pad>", "</s>", "[UNK]"], "[UNK]")
    two = "<s> $A </s> </s> $B </s>"
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", pair=two, special_tokens=[("<s>", 0), ("</s>", 2)])
    return tokenizer, ROUND | dict(unk_token="[UNK]")


def byte_pairs():
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>"] + sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("a", "t"), ("c", "at"), ("m", "at"), ("\u0120", "the")]
    vocabulary += [left + right for left, right in merges]
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(vocabulary)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return tokenizer, ROUND


def unigrams():
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [("\u2581", -3.0)] + [(letter, -4.0) for letter in LETTERS] + [("\u2581" + word, -5.0) for word in WORDS]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    two = "<s> $A </s> </s> $B </s>"
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", pair=two, special_tokens=[("<s>", 0), ("</s>", 2)])
    return tokenizer, ROUND


def uneven(model):
    """Biases and factors that are not those of a model that has learned nothing."""
    for name, weight in model.named_parameters():
        if weight.dim() == 1:
            weight.data += torch.randn_like(weight) * 0.2
    return model


def encoder(folder):
    tokenizer, names = bert_pieces(pair=False)
    # What a reader must leave out.
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8)
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    torch.manual_seed(7)
    sizes = dict(vocab_size=tokenizer.get_vocab_size(), hidden_size=24, num_hidden_layers=2, num_attention_heads=3)
    config = transformers.BertConfig(**sizes, intermediate_size=40, max_position_embeddings=40, initializer_range=0.5)
    uneven(transformers.BertModel(config, add_pooling_layer=False)).save_pretrained(folder)
    kinds = ["", "1_Pooling", "2_Normalize"]
    modules = [{"idx": i, "name": str(i), "path": kind, "type": "sentence_transformers.models." + (kind[2:] or "Transformer")} for i, kind in enumerate(kinds)]
    (folder / "1_Pooling").mkdir(exist_ok=True)
    for name, content in {
        "modules.json": modules,
        "sentence_bert_config.json": {"max_seq_length": 32, "do_lower_case": False},
        "1_Pooling/config.json": {"word_embedding_dimension": 24, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False},
    }.items():
        (folder / name).write_text(json.dumps(content, indent=1) + "\n")


WITH_TYPES = ["input_ids", "token_type_ids", "attention_mask"]
SIGMOID, IDENTITY = (f"torch.nn.modules.{name}" for name in ("activation.Sigmoid", "linear.Identity"))

# The tokenizer, what the model is given, the class, and what is said of the score.
CROSS = {
    "bert": (bert_pieces, WITH_TYPES, "Bert", dict(sentence_transformers={"activation_fn": SIGMOID})),
    "roberta": (byte_pairs, WITH_TYPES[::2], "Roberta", dict(sentence_transformers={"activation_fn": IDENTITY})),
    "xlm_roberta": (unigrams, WITH_TYPES[::2], "XLMRoberta", {}),
    "mpnet": (mpnet_pieces, WITH_TYPES[::2], "MPNet", dict(sbert_ce_default_activation_function=IDENTITY)),
    "distilbert": (bert_pieces, WITH_TYPES[::2], "DistilBert", {}),
}


def cross_encoder(kind, folder):
    pieces, inputs, name, score = CROSS[kind]
    tokenizer, names = pieces()
    names |= dict(model_input_names=inputs, model_max_length=32)
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    torch.manual_seed(11)
    ids = {f"{part}_token_id": tokenizer.token_to_id(names[f"{part}_token"]) for part in ("pad", "bos", "eos") if f"{part}_token" in names}
    shape = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40)
    if kind == "distilbert":
        shape = dict(dim=24, n_layers=2, n_heads=3, hidden_dim=40)
    sizes = shape | ids | dict(vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=40, initializer_range=0.5, num_labels=1)
    if kind.endswith("roberta"):
        sizes |= dict(type_vocab_size=1, layer_norm_eps=1e-5)
    config = getattr(transformers, name + "Config")(**sizes, **score)
    uneven(getattr(transformers, name + "ForSequenceClassification")(config)).save_pretrained(folder)


def main():
    kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    encoder(folder) if kind == "encoder" else cross_encoder(kind, folder)


if __name__ == "__main__":
    main()
