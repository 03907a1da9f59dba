"""Scores of sentence-transformers, and how far another program's are from them.

    rerank_reference.py FOLDER golden FILE                  reads {"query", "text"} a line, writes {"query", "text", "tokens", "score"} a line
    rerank_reference.py FOLDER encoder FILE                 reads a text a line, writes {"text", "tokens", "embedding"}: the mean of the states of the encoder inside, of no set length
    rerank_reference.py FOLDER compare QUERY TEXTS OURS     OURS: the output of `millstream rerank --in-order --truncate --query QUERY < TEXTS`

FOLDER is that of the model. Needs torch and sentence-transformers. f32, one pair at a time.
"""

import json
import sys

import torch
from sentence_transformers import CrossEncoder
from transformers import AutoModel


def lines(file):
    return [line.removesuffix("\n") for line in file]


def rounded(x):
    return float(f"{x:.8g}")


def main():
    folder, what, *rest = sys.argv[1:]
    torch.set_grad_enabled(False)
    model = CrossEncoder(folder, device="cpu", model_kwargs={"dtype": torch.float32})

    def score(query, text):
        found = model.preprocess([(query, text)])
        return found["input_ids"].shape[1], model.predict([(query, text)], show_progress_bar=False)[0].item()

    if what == "golden":
        with open(rest[0], "w", encoding="utf-8") as file:
            for pair in map(json.loads, lines(sys.stdin)):
                tokens, value = score(pair["query"], pair["text"])
                file.write(json.dumps(pair | {"tokens": tokens, "score": rounded(value)}, ensure_ascii=False) + "\n")
    elif what == "encoder":
        encoder = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        with open(rest[0], "w", encoding="utf-8") as file:
            for text in lines(sys.stdin):
                found = model.tokenizer(text, truncation=True, max_length=model.max_seq_length, return_tensors="pt")
                mean = encoder(**found).last_hidden_state[0].mean(0).tolist()
                file.write(json.dumps({"text": text, "tokens": found["input_ids"].shape[1], "embedding": [rounded(x) for x in mean]}, ensure_ascii=False) + "\n")
    else:
        query, texts, ours = rest
        with open(texts, encoding="utf-8", newline="\n") as file, open(ours, encoding="utf-8") as found:
            texts, found = lines(file), [json.loads(line) for line in found]
        assert [line["index"] for line in found] == list(range(len(texts)))
        apart = [abs(line["score"] - score(query, text)[1]) for line, text in zip(found, texts)]
        print(json.dumps({"pairs": len(texts), "greatest_difference": max(apart), "in_text": apart.index(max(apart))}))
        sys.exit(0 if max(apart) <= 1e-4 else 1)


if __name__ == "__main__":
    main()
