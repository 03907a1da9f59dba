"""The stress on PyTorch with Python threads, a stream for each: reads lines SIZE THREADS SECONDS SYNC_EVERY and answers each with one of JSON. `--describe` prints versions. Nothing is read."""

import json
import sys
import threading
import time

import torch


def iterate(size):
    left = torch.randn(size, size, device="cuda")
    right = torch.randn(size, size, device="cuda")
    product = left @ right
    return product.sum(), product.mean()


def worker(size, sync_every, gate, clock, ends, counts, index):
    torch.set_grad_enabled(False)
    stream, done = torch.cuda.Stream(), 0
    with torch.cuda.stream(stream):
        for _ in range(sync_every):
            iterate(size)
        stream.synchronize()
        gate.wait()
        gate.wait()
        while time.perf_counter() < clock[1]:
            for _ in range(sync_every):
                iterate(size)
            done += sync_every
            stream.synchronize()
    ends[index], counts[index] = time.perf_counter(), done


def measure(size, threads, seconds, sync_every):
    gate, clock = threading.Barrier(threads + 1), [0.0, 0.0]
    ends, counts = [0.0] * threads, [0] * threads
    team = [threading.Thread(target=worker, args=(size, sync_every, gate, clock, ends, counts, i)) for i in range(threads)]
    for thread in team:
        thread.start()
    gate.wait()
    clock[0] = time.perf_counter()
    clock[1] = clock[0] + seconds
    gate.wait()
    for thread in team:
        thread.join()
    return sum(counts) / (max(ends) - clock[0])


def main():
    if sys.argv[1:] == ["--describe"]:
        print(json.dumps({"version": torch.__version__, "cuda": torch.version.cuda, "device": torch.cuda.get_device_name()}))
        return
    torch.backends.cuda.matmul.allow_tf32 = False
    for line in sys.stdin:
        size, threads, seconds, sync_every = line.split()
        figure = measure(int(size), int(threads), float(seconds), int(sync_every))
        print(json.dumps({"iterations_per_second": figure}), flush=True)


if __name__ == "__main__":
    main()
