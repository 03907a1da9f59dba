#!/usr/bin/env python3
"""Millstream, hand-written CUDA, PyTorch threads, libtorch and burn on one GPU, in turns: the stress workload.

    python3 benches/peers/cuda.py [--quick] [--python PY] [--binary BIN] [--burn PROGRAM] [--rounds N] [--minutes M] [--out FILE] [--date YYYY-MM-DD]

Before it: cargo build --release -p millstream-cli --features cuda, and for burn cargo build --release --manifest-path benches/peers/burn_cuda/Cargo.toml. It builds the programs in C++ itself, in a folder that it throws away, with nvcc, and with g++ against the torch of the Python that
is named. A peer that cannot be built or run is named in the page with the reason.

Each round runs every programme once in a cell (size, threads) before the next cell, so that all meet the same machine. No round is begun that would end after --minutes. The result is
docs/peers-cuda.md, or the file of --out; --quick is one round of short runs, printed only.
"""

import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import cuda_page
from cuda_programs import HERE, OURS, PEERS, TOTAL, Programs

ROOT = HERE.resolve().parents[1]
THREADS = (1, 20, 64)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of short runs, printed only")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "peers-cuda.md", help="file of the page")
    parser.add_argument("--python", default=os.environ.get("PEERS_PYTHON", sys.executable), help="interpreter that has torch")
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser.add_argument("--binary", default=target / "release" / "millstream", help="the release build of millstream, with CUDA")
    parser.add_argument("--burn", type=pathlib.Path, default=HERE / "burn_cuda" / "target" / "release" / "burn_cuda", help="the release build of burn_cuda")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=8.5)
    parser.add_argument("--date", default=datetime.date.today().isoformat())
    return parser.parse_args()


def machine():
    asked = subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"], capture_output=True, text=True)
    gpu = asked.stdout.strip().splitlines()[0] if asked.returncode == 0 and asked.stdout.strip() else "a GPU that nvidia-smi does not name, driver unknown"
    name, driver = (part.strip() for part in gpu.split(",", 1))
    with open("/proc/cpuinfo", encoding="utf-8") as text:
        processor = next((line.split(":", 1)[1].strip() for line in text if line.startswith("model name")), "unknown processor")
    return f"one {name}, driver {driver}, {os.cpu_count()} processors of {processor}"


def measure(programs, rounds, seconds, deadline):
    """Figures by cell and programme, driver calls by cell, and the rounds that were made."""
    cells = {(size, threads): {name: [] for name in (OURS, *PEERS)} for size in TOTAL for threads in THREADS}
    calls, longest, made = {}, 0.0, 0
    while made < rounds and time.monotonic() + longest < deadline:
        begun = time.monotonic()
        for (size, threads), found in cells.items():
            figure, asked, operations = programs.ours(size, threads, seconds)
            found[OURS].append(figure)
            calls[(size, threads)] = (asked, operations)
            for peer in PEERS:
                figure = programs.peer(peer, size, threads, seconds)
                found[peer] += [] if figure is None else [figure]
        made, longest = made + 1, max(longest, time.monotonic() - begun)
        print(f"round {made} of {rounds} done in {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return cells, calls, made


def main():
    options = arguments()
    begun = time.monotonic()
    seconds = 0.1 if options.quick else 0.5
    with tempfile.TemporaryDirectory() as folder:
        programs = Programs(options, pathlib.Path(folder))
        print(f"programs ready after {time.monotonic() - begun:.0f} s; not run: {json.dumps(programs.not_run)}", file=sys.stderr, flush=True)
        versions = programs.versions()
        cells, calls, made = measure(programs, 1 if options.quick else options.rounds, seconds, begun + 60 * options.minutes)
        programs.end()
    facts = {
        "machine": machine(), "date": options.date, "rounds": made, "seconds": seconds, "minutes": (time.monotonic() - begun) / 60,
        "not_run": programs.not_run, **versions,
    }
    page = cuda_page.markdown(cells, calls, facts)
    print(page)
    if not options.quick:
        options.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
