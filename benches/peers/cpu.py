#!/usr/bin/env python3
"""Millstream and PyTorch on one CPU, in turns: the stress workload, in iterations per second.

    python3 benches/peers/cpu.py [--quick] [--python PY] [--binary BIN] [--rounds N] [--date YYYY-MM-DD]

It starts no build: `cargo build --release -p millstream-cli` first. PyTorch is looked for in the interpreter named by --python or
PEERS_PYTHON, else in the one that runs this script (`python3 -m venv V && V/bin/pip install torch`). Each round runs every
programme once in a cell (size, threads) before the next round begins, so that all meet the same neighbours on the machine. The result
is docs/peers-cpu.md; --quick prints it and writes nothing.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "peers-cpu.md"
PEER = pathlib.Path(__file__).with_name("torch_cpu.py")
SYNC_EVERY = 50
INTRA = (1, 2)
# Iterations of all threads together in one run, by size: about a second of the slower programme.
TOTAL = {64: 6_000, 256: 400, 1024: 60}
THREADS = (1, 20)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round, printed, not written")
    parser.add_argument("--python", default=os.environ.get("PEERS_PYTHON", sys.executable), help="interpreter that has torch")
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser.add_argument("--binary", default=str(target / "release" / "millstream"), help="the release build of millstream")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--date", default=datetime.date.today().isoformat())
    return parser.parse_args()


def output(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with {done.returncode}:\n{done.stderr.strip()}")
    return json.loads(done.stdout)


def each(size, threads, quick):
    """Iterations of each thread."""
    return max(1, TOTAL[size] // (10 if quick else 1) // threads)


def ours(options, size, threads):
    figures = output([
        options.binary, "stress", "--json", "--no-compare", "--duration", "0s", "--sync-every", str(SYNC_EVERY),
        "--size", str(size), "--threads", str(threads), "--iterations", str(each(size, threads, options.quick)),
    ])
    if figures["errors"]:
        sys.exit(f"millstream reported {figures['errors']} errors")
    return figures["ops_per_second"]


def theirs(options, size, threads):
    """One figure for each setting of INTRA, from one process: loading PyTorch takes seconds."""
    plan = [size, threads, each(size, threads, options.quick), SYNC_EVERY, *INTRA]
    return output([options.python, str(PEER), *map(str, plan)])["iterations_per_second"]


def measure(options, rounds):
    """Figures by cell, then by programme."""
    cells = {(size, threads): {} for size in TOTAL for threads in THREADS}
    for number in range(rounds):
        for (size, threads), found in cells.items():
            found.setdefault("ours", []).append(ours(options, size, threads))
            for intra, figure in zip(INTRA, theirs(options, size, threads)):
                found.setdefault(intra, []).append(figure)
        print(f"round {number + 1} of {rounds} done, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    return cells


def triple(values):
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.0f} ({low:,.0f} to {high:,.0f})"


def table(cells):
    lines = ["| n | threads | Millstream | PyTorch, intra-op 1 | PyTorch, intra-op 2 | ratio to the better |", "|---:|---:|---:|---:|---:|---:|"]
    for (size, threads), found in cells.items():
        peers = [found[intra] for intra in INTRA]
        ratio = statistics.median(found["ours"]) / max(statistics.median(peer) for peer in peers)
        row = [str(size), str(threads), triple(found["ours"]), *map(triple, peers), f"**{ratio:.2f}**" if ratio >= 1 else f"{ratio:.2f} (slower)"]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as text:
            return next(line.split(":", 1)[1].strip() for line in text if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def page(cells, options, load):
    version = subprocess.run([options.binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    torch = output([options.python, str(PEER), "--describe"])
    return f"""# The stress workload on the CPU: Millstream and PyTorch

Iterations per second of all threads together, median (least to most) of {options.rounds} rounds; more is better. One iteration draws two
n x n matrices of normal numbers, multiplies them, and takes the sum and the mean of the product; every {SYNC_EVERY} iterations all sums and means
are read on the host, inside the timed region. Millstream also reads a fingerprint of one product at each of these reads, which PyTorch does not.

{table(cells)}

A ratio below 1 is a loss. Both programmes run in turns within each round, so that they meet the same neighbours; the threads are
the operating system's, all started before the clock. PyTorch is measured with one and with two threads inside an operation, and the better median
counts in each cell; its threads have each done one product before the clock starts, ours have not. Millstream has no such setting: an operation is shared when a processor is idle.

- Machine: {processor()}, {os.cpu_count()} processors seen, {platform.system()}; load average {load[0]:.1f} at the beginning and {load[1]:.1f} at
  the end, which includes the measured programmes.
- Date: {options.date}. {version}; PyTorch {torch["version"]}, CPU capability {torch["capability"]}, {torch["blas"]}; Python {torch["python"]}.
- The factors are drawn by generators of different kinds (Philox here, Mersenne Twister there), each library's own.

To repeat:

```sh
cargo build --release -p millstream-cli
python3 -m venv peers && peers/bin/pip install torch
python3 benches/peers/cpu.py --python peers/bin/python   # --quick: one short round, printed only
```
"""


def main():
    options = arguments()
    if not pathlib.Path(options.binary).is_file():
        sys.exit(f"{options.binary} is missing: cargo build --release -p millstream-cli, or name it with --binary")
    if subprocess.run([options.python, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode != 0:
        sys.exit(f"{options.python} has no torch: python3 -m venv peers && peers/bin/pip install torch, then --python peers/bin/python")
    if options.quick:
        print(table(measure(options, 1)))
        return
    before = os.getloadavg()[0]
    cells = measure(options, options.rounds)
    PAGE.write_text(page(cells, options, (before, os.getloadavg()[0])), encoding="utf-8")
    print(table(cells))


if __name__ == "__main__":
    main()
