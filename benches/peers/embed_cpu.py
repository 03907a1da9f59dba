"""Sentences a second of a BERT encoder on the CPU: ours, PyTorch, ONNX Runtime, in turns, each in a process of its own.

    embed_cpu.py FOLDER OURS --tokens 128 --callers 20 [--onnx FILE] [--rounds 3] [--seconds 4] [--one-core]

FOLDER is that of the model, OURS the program `throughput` (`cargo build --release -p millstream-models --example throughput`). Each caller is a thread that embeds one text of so many tokens
at a time. The others compute the last states alone, without tokens, pooling and normalisation, which ours include; each uses one thread of its own for a call, its best setting with many callers. `--one-core`
binds every process to one processor. Prints a row of a Markdown table: median (least to most) of the rounds.

    embed_cpu.py FOLDER - --export FILE             writes the ONNX file (needs onnx)
"""

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time


def count(call, callers, seconds):
    call()
    done = [0] * callers
    begun = time.perf_counter()

    def work(i):
        while time.perf_counter() - begun < seconds:
            call()
            done[i] += 1

    threads = [threading.Thread(target=work, args=(i,)) for i in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"sentences_per_second": sum(done) / (time.perf_counter() - begun)}))


def torch_child(model, tokens, callers, seconds):
    import torch
    from transformers import AutoModel

    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    encoder = AutoModel.from_pretrained(model).eval()
    ids = torch.full((1, tokens), 2300)
    mask = torch.ones_like(ids)

    def call():
        torch.set_num_threads(1)
        with torch.no_grad():
            encoder(input_ids=ids, attention_mask=mask).last_hidden_state[0, 0, 0].item()

    count(call, callers, seconds)


def onnx_child(model, tokens, callers, seconds):
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    ids = numpy.full((1, tokens), 2300, dtype=numpy.int64)
    feed = {"ids": ids, "mask": numpy.ones_like(ids)}
    count(lambda: session.run(None, feed), callers, seconds)


def export(folder, file):
    import torch
    from transformers import AutoModel

    class States(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

        def forward(self, ids, mask):
            return self.model(input_ids=ids, attention_mask=mask).last_hidden_state

    ids = torch.ones(1, 16, dtype=torch.long)
    axes = {name: {0: "rows", 1: "tokens"} for name in ("ids", "mask")}
    names = dict(input_names=["ids", "mask"], output_names=["states"])
    torch.onnx.export(States(), (ids, torch.ones_like(ids)), file, dynamic_axes=axes, opset_version=17, dynamo=False, **names)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("ours")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--callers", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--onnx")
    parser.add_argument("--one-core", action="store_true")
    parser.add_argument("--export")
    given = parser.parse_args()
    if given.export:
        return export(given.folder, given.export)
    settings = [str(given.tokens), str(given.callers), str(given.seconds)]
    programs = {"ours": [given.ours, given.folder], "PyTorch": [sys.executable, __file__, "torch_child", given.folder]}
    if given.onnx:
        programs["ONNX Runtime"] = [sys.executable, __file__, "onnx_child", given.onnx]
    bound = ["taskset", "-c", "0"] if given.one_core else []
    rates = {name: [] for name in programs}
    for _ in range(given.rounds):
        for name, program in programs.items():
            ran = subprocess.run(bound + program + settings, capture_output=True, text=True, check=True)
            rates[name].append(json.loads(ran.stdout.splitlines()[-1])["sentences_per_second"])
    cells = [f"{statistics.median(r):.0f} ({min(r):.0f} to {max(r):.0f})" for r in rates.values()]
    where = "one core" if given.one_core else "all cores"
    print("| tokens | callers | " + " | ".join(rates) + " |")
    print(f"| {given.tokens} | {given.callers}, {where} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    if len(sys.argv) == 6 and sys.argv[1] in ("torch_child", "onnx_child"):
        globals()[sys.argv[1]](sys.argv[2], *map(int, sys.argv[3:]))
    else:
        main()
