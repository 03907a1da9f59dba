#!/usr/bin/env python3
"""Millstream, PyTorch, candle and burn on one CPU, in turns: the stress workload and single operations.

    python3 benches/peers/cpu.py [--quick] [--python PY] [--binary BIN] [--rust-peers BIN] [--own-grid BIN] [--rounds N] [--date YYYY-MM-DD]

It starts no build. Before it:

    cargo build --release -p millstream-cli
    (cd benches/peers/rust_peers && cargo build --release)
    (cd benches/peers/rust_peers && RUSTFLAGS= cargo build --release --no-default-features --target-dir target/own)
    python3 -m venv V && V/bin/pip install torch     # then --python V/bin/python, or PEERS_PYTHON

Each round runs every programme once in a cell (size, threads) before the next cell, so that all meet the same neighbours on the
machine. The result is docs/peers-cpu.md and docs/peers-cpu.html; --quick is one short round, printed as Markdown and written nowhere,
or into the folder of --out.
"""

import argparse
import datetime
import os
import pathlib
import platform
import sys
import time

import page
import plots
from programs import HERE, TOTAL, Programs

ROOT = HERE.resolve().parents[1]
THREADS = (1, 2, 20)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round, printed")
    parser.add_argument("--out", type=pathlib.Path, help="folder for the two pages; default: docs, and nowhere with --quick")
    parser.add_argument("--python", default=os.environ.get("PEERS_PYTHON", sys.executable), help="interpreter that has torch")
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser.add_argument("--binary", default=str(target / "release" / "millstream"), help="the release build of millstream")
    rust = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE / "rust_peers" / "target")) / "release" / "rust_peers"
    parser.add_argument("--rust-peers", default=str(rust), help="the release build of rust_peers")
    own = HERE / "rust_peers" / "target" / "own" / "release" / "rust_peers"
    parser.add_argument("--own-grid", default=str(own), help="its build without the peers and without their compiler settings")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--date", default=datetime.date.today().isoformat())
    return parser.parse_args()


def measure(programs, rounds):
    """Stress figures by cell, then programme and setting; grid figures by (operation, size), then programme. Lists, one figure a round."""
    cells = {(size, threads): {} for size in TOTAL for threads in THREADS}
    grids = {}
    for number in range(rounds):
        for (size, threads), found in cells.items():
            for key, figure in programs.stress(size, threads).items():
                found.setdefault(key, []).append(figure)
        for program, operations in programs.grids().items():
            for operation, sizes in operations.items():
                for size, seconds in sizes.items():
                    grids.setdefault((operation, int(size)), {}).setdefault(program, []).append(seconds)
        print(f"round {number + 1} of {rounds} done, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    return cells, grids


def machine():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as text:
            name = next(line.split(":", 1)[1].strip() for line in text if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} processors seen, {platform.system()}"


def main():
    options = arguments()
    programs = Programs(options)
    programs.check()
    before, begun = os.getloadavg()[0], time.monotonic()
    cells, grids = measure(programs, 1 if options.quick else options.rounds)
    facts = {
        "machine": machine(), "load": (before, os.getloadavg()[0]), "date": options.date, "rounds": 1 if options.quick else options.rounds,
        "minutes": (time.monotonic() - begun) / 60, **programs.versions(),
    }
    markdown = page.markdown(cells, grids, facts)
    print(markdown)
    folder = options.out or (None if options.quick else ROOT / "docs")
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "peers-cpu.md").write_text(markdown, encoding="utf-8")
        (folder / "peers-cpu.html").write_text(plots.html(cells, grids, facts), encoding="utf-8")


if __name__ == "__main__":
    main()
