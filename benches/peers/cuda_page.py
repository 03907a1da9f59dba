"""The figures on a GPU as a Markdown page: one table of medians with least and most, and how they were taken."""

import statistics

from cuda_programs import OURS, PEERS, SYNC_EVERY
from page import table, triple


def ratio(found, peers):
    """Ours to the best of `peers` in a cell; None without any."""
    others = [statistics.median(found[peer]) for peer in peers if found.get(peer)]
    return statistics.median(found[OURS]) / max(others) if others else None


def bold(value):
    return "" if value is None else f"**{value:.2f}**"


def rows(cells, peers):
    for (size, threads), found in cells.items():
        figures = [triple(found[name]) if found.get(name) else "not run" for name in (OURS, *peers)]
        yield [str(size), str(threads), *figures, bold(ratio(found, peers))]


def more_is_never_less(cells):
    """Where more threads gave less than fewer, by our medians, in words."""
    medians = {cell: statistics.median(found[OURS]) for cell, found in cells.items()}
    worse = []
    for (size, threads), median in medians.items():
        best = max(((other, m) for (n, other), m in medians.items() if n == size and other < threads), key=lambda pair: pair[1], default=None)
        if best and median < best[1]:
            worse.append(f"n={size}: {threads} threads {100 * (1 - median / best[1]):.1f} % below {best[0]}")
    return "; ".join(worse) or "nowhere"


def calls_line(calls):
    parts = []
    for (size, threads), (made, operations) in sorted(calls.items()):
        if made:
            each = {kind: made[kind] / operations for kind in ("enqueues", "questions", "others")}
            parts.append(f"n={size}, {threads} threads: {each['enqueues']:.2f} enqueues, {each['questions']:.2f} questions, {each['others']:.3f} others")
    return "; ".join(parts)


def markdown(cells, calls, facts):
    peers = [peer for peer in PEERS if any(found.get(peer) for found in cells.values())]
    not_run = "".join(f"\n- Not run: {name}: {reason}." for name, reason in facts["not_run"].items())
    torch, toolkit = facts["torch"], facts["toolkit"]
    versions = [facts["ours"]]
    versions += [f"PyTorch and libtorch {torch['version']} with CUDA {torch['cuda']}, Python {facts['python']}"] if torch else []
    versions += [f"hand-written programs built by nvcc with CUDA {toolkit['cuda']}"] if toolkit else []
    return f"""# The stress workload on CUDA: Millstream beside its peers

Iterations per second of all threads together, median (least to most) of {facts["rounds"]} rounds. One iteration draws two n x n matrices of normal numbers, multiplies them in f32 (no TF32), and takes the sum and the mean of
the product; every {SYNC_EVERY} iterations the thread waits. Millstream reads all sums and means there, and a fingerprint of one product, with allocator, events and profiler on. The peers read nothing. The hand-written
programs (`benches/peers/handwritten.cu`) allocate nothing either: their buffers, streams and handles are made before the clock starts.

{table(["n", "threads", OURS, *peers, "ratio to the best peer"], list(rows(cells, peers)))}

A ratio below 1 is a loss. More threads slower than fewer, by our medians: {more_is_never_less(cells)}.

- Machine: {facts["machine"]}. Date: {facts["date"]}. {"; ".join(versions)}.
- {facts["rounds"]} rounds in {facts["minutes"]:.1f} minutes; in a round everybody runs once in a cell (size, threads) before the next cell. A run is {facts["seconds"]} s after a warm-up of {SYNC_EVERY} iterations of each thread;
  ours is as many whole blocks as fit, and one at least.
- Every programme has 32 hardware queues (`CUDA_DEVICE_MAX_CONNECTIONS`) and, but for Millstream, a stream for each thread; Millstream's pool has as many streams as it advises.
- Driver calls of an iteration of ours, by its own count, waiting included: {calls_line(calls)}.{not_run}

To repeat, in one command:

```sh
cargo build --release -p millstream-cli --features cuda
python3 benches/peers/cuda.py            # needs nvcc, g++ and a Python with torch; what is missing is named
```
"""
