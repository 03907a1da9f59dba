"""The figures as a Markdown page: tables of medians with least and most, and how they were taken."""

import statistics

from programs import INTRA, PEERS, SYNC_EVERY


def best(found, program):
    """The figures of a programme at its better setting, by the median."""
    settings = [figures for (name, _), figures in found.items() if name == program]
    return max(settings, key=statistics.median)


def best_setting(found, program):
    return max(INTRA, key=lambda intra: statistics.median(found[(program, intra)]))


def triple(values, digits=0):
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def verdict(ratio):
    return f"**{ratio:.2f}**" if ratio >= 1 else f"{ratio:.2f} (slower)"


def table(head, rows):
    aligned = ["---:" if i else "---" for i in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, aligned, *rows])


def stress_table(cells):
    rows = []
    for (size, threads), found in cells.items():
        ours = statistics.median(best(found, "Millstream"))
        peers = {peer: best(found, peer) for peer in PEERS}
        row = [f"{size}, {threads}", triple(best(found, "Millstream"))]
        row += [f"{triple(figures)}, intra {best_setting(found, peer)}" for peer, figures in peers.items()]
        rows.append([*row, verdict(ours / max(map(statistics.median, peers.values())))])
    return table(["n, threads", "Millstream", *PEERS, "ratio to the best"], rows)


def rate(operation, size):
    """What a second of work is worth: GFLOP of a product, GB read of a reduction."""
    return 2 * size**3 / 1e9 if operation == "matmul" else 4 * size / 1e9


def grid_table(grids, operations):
    rows = []
    for (operation, size), found in grids.items():
        if operation not in operations:
            continue
        per_second = {program: [rate(operation, size) / s for s in seconds] for program, seconds in found.items()}
        medians = {program: statistics.median(values) for program, values in per_second.items()}
        label = f"{size} x {size}" if operation == "matmul" else f"{operation}, {size:,}"
        ratio = medians["Millstream"] / max(medians[peer] for peer in PEERS)
        rows.append([label, *(triple(per_second[program], 1) for program in ("Millstream", *PEERS)), verdict(ratio)])
    return table(["size" if operations == ("matmul",) else "elements", "Millstream", *PEERS, "ratio to the best"], rows)


def losses(cells, grids):
    """Every cell where a peer is faster, in words."""
    lost = []
    for (size, threads), found in cells.items():
        peer = max(PEERS, key=lambda name: statistics.median(best(found, name)))
        ratio = statistics.median(best(found, "Millstream")) / statistics.median(best(found, peer))
        if ratio < 1:
            lost.append(f"stress n = {size}, {threads} threads ({peer}, {ratio:.2f})")
    for (operation, size), found in grids.items():
        peer = min(PEERS, key=lambda name: statistics.median(found[name]))
        ratio = statistics.median(found[peer]) / statistics.median(found["Millstream"])
        if ratio < 1:
            lost.append(f"{operation} {size:,} ({peer}, {ratio:.2f})")
    return "; ".join(lost) if lost else "none"


def how(facts):
    torch, rust = facts["torch"], facts["rust"]
    return f"""- Machine: {facts["machine"]}; load average {facts["load"][0]:.1f} at the beginning and {facts["load"][1]:.1f} at the end, which includes the measured
  programmes. {facts["rounds"]} rounds, {facts["minutes"]:.1f} minutes.
- Date: {facts["date"]}. {facts["ours"]}; PyTorch {torch["version"]}, CPU capability {torch["capability"]}, {torch["blas"]}, Python {torch["python"]};
  candle-core {rust["candle"]}, built with its products' AVX-512 code (gemm 0.19, feature x86-v4); burn {rust["burn"]} with Flex, the CPU backend that it recommends, features simd, rayon and x86-v4.
- candle and burn are release builds with `-C target-cpu=native`. `millstream stress` and the programme of our grids are plain release builds, which choose their instructions when they run.
  The grids of all three are the same source.
- Allocators: the system's (glibc) for candle and burn; PyTorch has its own wrapper over the same; Millstream its stream-ordered caching allocator.
- Threads: the operating system's, all ready before the clock starts; each thread has done one iteration before it (a peer's, one product). In each cell of the stress a peer is measured with one and with two threads inside an operation
  (`torch.set_num_threads`, `RAYON_NUM_THREADS`), and the better median counts. Millstream has no such setting: an operation is shared when a processor is idle. In the grids everybody has one thread.
- All programmes run in turns within each round. The generators differ: Philox here, Mersenne Twister in PyTorch, those of the crate rand in candle and burn; burn's Flex draws under one lock of the process."""


def markdown(cells, grids, facts):
    return f"""# Millstream beside PyTorch, candle and burn on the CPU

The same as plots: [peers-cpu.html](peers-cpu.html). Medians (least to most) of {facts["rounds"]} rounds; more is better everywhere. A ratio below 1 is a loss to the best of the three peers.

Losses: {losses(cells, grids)}.

## The stress workload

Iterations per second of all threads together. One iteration draws two n x n matrices of normal numbers, multiplies them, and takes the sum and the mean of the product; every {SYNC_EVERY} iterations all sums and means
are read on the host, inside the timed region. Millstream also reads a fingerprint of one product at each of these reads, which nobody else does.

{stress_table(cells)}

## Products on one thread

GFLOP per second.

{grid_table(grids, ("matmul",))}

## Reductions on one thread

GB read per second, from the call until the value is on the host.

{grid_table(grids, ("sum", "mean"))}

## How

{how(facts)}

To repeat:

```sh
cargo build --release -p millstream-cli
(cd benches/peers/rust_peers && cargo build --release)
python3 -m venv peers && peers/bin/pip install torch
python3 benches/peers/cpu.py --python peers/bin/python   # --quick: one short round, printed only
```
"""
