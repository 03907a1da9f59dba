"""The programmes that are measured: how each is started, and at which thread settings."""

import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
SYNC_EVERY = 50
INTRA = (1, 2)
PEERS = ("PyTorch", "candle", "burn")
# Our grid as users build it: an empty RUSTFLAGS takes the place of the peers' target-cpu=native.
OWN_BUILD = "RUSTFLAGS= cargo build --release --no-default-features --target-dir target/own"
# Iterations of all threads together in one run, by size: one to five seconds of the slower programmes.
TOTAL = {64: 20_000, 256: 1_000, 1024: 200}


def output(command, **settings):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **settings})
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with {done.returncode}:\n{done.stderr.strip()}")
    return json.loads(done.stdout)


class Programs:
    """Ours and the peers, by the paths in `options`."""

    def __init__(self, options):
        self.options = options
        self.rust = str(options.rust_peers)
        self.own = str(options.own_grid)
        self.torch = [options.python, str(HERE / "torch_cpu.py")]

    def check(self):
        """What is missing, with the command that makes it."""
        if not pathlib.Path(self.options.binary).is_file():
            sys.exit(f"{self.options.binary} is missing: cargo build --release -p millstream-cli, or name it with --binary")
        if not pathlib.Path(self.rust).is_file():
            sys.exit(f"{self.rust} is missing: (cd {HERE / 'rust_peers'} && cargo build --release), or name it with --rust-peers")
        if not pathlib.Path(self.own).is_file():
            sys.exit(f"{self.own} is missing: {OWN_BUILD} in {HERE / 'rust_peers'}, or name it with --own-grid")
        if subprocess.run([self.options.python, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode != 0:
            sys.exit(f"{self.options.python} has no torch: python3 -m venv peers && peers/bin/pip install torch, then --python peers/bin/python")

    def each(self, size, threads):
        """Iterations of each thread."""
        return max(1, TOTAL[size] // (10 if self.options.quick else 1) // threads)

    def stress(self, size, threads):
        """Iterations per second: {(programme, threads inside an operation): figure}. Ours has no such setting."""
        plan = [size, threads, self.each(size, threads), SYNC_EVERY]
        words = list(map(str, plan))
        ours = output([
            self.options.binary, "stress", "--json", "--no-compare", "--duration", "0s", "--sync-every", words[3],
            "--warm-up", "1", "--size", words[0], "--threads", words[1], "--iterations", words[2],
        ])
        if ours["errors"]:
            sys.exit(f"millstream reported {ours['errors']} errors")
        found = {("Millstream", None): ours["ops_per_second"]}
        # One process for both settings of PyTorch: loading it takes seconds.
        torch = output([*self.torch, *words, *map(str, INTRA)])["iterations_per_second"]
        found.update({("PyTorch", intra): figure for intra, figure in zip(INTRA, torch)})
        for peer in ("candle", "burn"):
            for intra in INTRA:
                figures = output([self.rust, peer, "stress", *words], RAYON_NUM_THREADS=str(intra), CANDLE_NUM_THREADS=str(intra))
                found[(peer, intra)] = figures["iterations_per_second"]
        return found

    def grids(self):
        """Seconds by programme, operation and size, everybody on one thread."""
        one = {"RAYON_NUM_THREADS": "1", "CANDLE_NUM_THREADS": "1"}
        return {
            "Millstream": output([self.own, "millstream", "grid"]),
            "PyTorch": output([*self.torch, "--grid"]),
            "candle": output([self.rust, "candle", "grid"], **one),
            "burn": output([self.rust, "burn", "grid"], **one),
        }

    def versions(self):
        ours = subprocess.run([self.options.binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        return {"ours": ours, "torch": output([*self.torch, "--describe"]), "rust": output([self.rust, "describe"])}
