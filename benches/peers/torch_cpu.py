"""PyTorch's CPU device: SIZE THREADS ITERATIONS SYNC_EVERY INTRA_OP... for the stress, --grid for single operations, --describe; prints one JSON object."""

import json
import platform
import sys
import threading
import time

import torch

# The same as in rust_peers/src/grid.rs.
SIZES = (64, 128, 256, 512, 1024)
SHAPES = ((64, 64), (256, 256), (1024, 1024), (4096, 1024))
BATCHES = 5
BATCH_SECONDS = 0.03


def describe():
    first = [line.strip(" -") for line in torch.__config__.show().splitlines() if "BLAS_INFO" in line or "Math Kernel" in line]
    blas = next((line for line in first if "Math Kernel" in line), "BLAS not named")
    capability = torch.backends.cpu.get_cpu_capability()
    return {"version": torch.__version__, "capability": capability, "blas": blas, "python": platform.python_version()}


def worker(size, iterations, sync_every, intra, gate, ends, index):
    # The setting belongs to the thread that makes it; a new thread begins with the default.
    torch.set_num_threads(intra)
    torch.set_grad_enabled(False)
    kept, read = [], 0
    (torch.randn(size, size) @ torch.randn(size, size)).sum().item()
    gate.wait()
    for i in range(iterations):
        left = torch.randn(size, size)
        right = torch.randn(size, size)
        product = left @ right
        kept += (product.sum(), product.mean())
        if (i + 1) % sync_every == 0 or i + 1 == iterations:
            read += len([scalar.item() for scalar in kept])
            kept.clear()
    ends[index] = time.perf_counter()
    assert read == 2 * iterations


def measure(size, threads, iterations, sync_every, intra):
    torch.set_num_threads(intra)
    torch.set_grad_enabled(False)
    # First calls pay for loading and for the pools.
    for _ in range(3):
        (torch.randn(size, size) @ torch.randn(size, size)).sum().item()
    gate, ends = threading.Barrier(threads + 1), [0.0] * threads
    team = [threading.Thread(target=worker, args=(size, iterations, sync_every, intra, gate, ends, i)) for i in range(threads)]
    for thread in team:
        thread.start()
    gate.wait()
    start = time.perf_counter()
    for thread in team:
        thread.join()
    return threads * iterations / (max(ends) - start)


def shortest(once):
    """Seconds of a call: the shortest of a few batches, as in rust_peers/src/grid.rs."""
    once()
    begun = time.perf_counter()
    once()
    calls = int(min(max(BATCH_SECONDS / max(time.perf_counter() - begun, 1e-7), 1), 1e5))
    best = float("inf")
    for _ in range(BATCHES):
        begun = time.perf_counter()
        for _ in range(calls):
            once()
        best = min(best, (time.perf_counter() - begun) / calls)
    return best


def grid():
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    found = {"matmul": {}, "sum": {}, "mean": {}}
    for size in SIZES:
        a, b = torch.randn(size, size), torch.randn(size, size)
        found["matmul"][size] = shortest(lambda: a @ b)
    for rows, columns in SHAPES:
        a = torch.randn(rows, columns)
        found["sum"][rows * columns] = shortest(lambda: a.sum().item())
        found["mean"][rows * columns] = shortest(lambda: a.mean().item())
    return found


def main(words):
    if words == ["--describe"]:
        return describe()
    if words == ["--grid"]:
        return grid()
    size, threads, iterations, sync_every, *settings = map(int, words)
    return {"iterations_per_second": [measure(size, threads, iterations, sync_every, intra) for intra in settings]}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
