"""The programmes that are measured on a GPU: how each is built and started. A peer that cannot run is named with the reason and left out."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

HERE = pathlib.Path(__file__).parent
SYNC_EVERY = 50
# Iterations of all threads together in a block of ours, by size: a third of a second or more.
TOTAL = {64: 40_000, 256: 40_000, 1024: 6_000}
OURS = "Millstream"
CUBLAS, OWN, PYTORCH, LIBTORCH, BURN = "hand-written, cuBLAS", "hand-written, own product", "PyTorch threads", "libtorch C++", "burn-cuda"
PEERS = (CUBLAS, OWN, PYTORCH, LIBTORCH, BURN)
# As many hardware queues for everybody as ours asks for.
SETTINGS = {**os.environ, "CUDA_DEVICE_MAX_CONNECTIONS": "32"}


class NotRun(Exception):
    """A peer cannot run; the text says why."""


class Server:
    """A peer that answers one line with one line, so that its loading is paid once."""

    def __init__(self, command, extra=()):
        self.extra = list(extra)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=SETTINGS)

    def rate(self, size, threads, seconds):
        try:
            print(size, threads, seconds, SYNC_EVERY, *self.extra, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise NotRun(f"ended with {self.process.returncode}: {self.process.stderr.read().strip()[-300:]}")
        return json.loads(line)["iterations_per_second"]

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def compiled(name, command):
    """Compiles in the background; the answer is the process and the program."""
    if shutil.which(command[0]) is None:
        raise NotRun(f"{name}: no {command[0]} on this machine")
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def libtorch_command(python, to):
    """g++ against the headers and libraries inside the torch wheel."""
    ask = "import torch, os; print(os.path.dirname(torch.__file__)); print(int(torch._C._GLIBCXX_USE_CXX11_ABI)); print(torch.version.cuda)"
    asked = subprocess.run([python, "-c", ask], capture_output=True, text=True)
    if asked.returncode != 0:
        raise NotRun("this Python has no torch")
    folder, abi, version = asked.stdout.split()
    folder = pathlib.Path(folder)
    if version == "None":
        raise NotRun("this torch is built without CUDA")
    runtime = next((path for path in folder.parent.glob("nvidia/**/libcudart.so.*")), None)
    toolkits = [pathlib.Path(os.environ.get(name, "/usr/local/cuda")) / "include" for name in ("CUDA_HOME", "CUDA_PATH")]
    headers = next((path for path in [*toolkits, *folder.parent.glob("nvidia/**/include")] if (path / "cuda_runtime.h").is_file()), None)
    if runtime is None or headers is None:
        raise NotRun("neither the toolkit nor the wheels have CUDA's runtime and its headers")
    libraries = [f"-L{folder / 'lib'}", f"-Wl,-rpath,{folder / 'lib'}", "-Wl,--no-as-needed", "-ltorch", "-ltorch_cpu", "-ltorch_cuda", "-lc10", "-lc10_cuda"]
    libraries += [str(runtime), f"-Wl,-rpath,{runtime.parent}", "-lpthread"]
    include = [f"-I{folder / 'include'}", f"-I{folder / 'include/torch/csrc/api/include'}", f"-I{headers}"]
    return ["g++", "-O2", "-std=c++20", f"-D_GLIBCXX_USE_CXX11_ABI={abi}", *include, str(HERE / "libtorch_cuda.cpp"), "-o", str(to), *libraries]


class Programs:
    """Ours and the peers that this machine can run."""

    def __init__(self, options, folder):
        self.binary = str(options.binary)
        self.python = options.python
        self.not_run, self.servers = {}, {}
        if not pathlib.Path(self.binary).is_file():
            sys.exit(f"{self.binary} is missing: cargo build --release -p millstream-cli --features cuda, or name it with --binary")
        # Both compilers at once.
        building = {}
        commands = {
            CUBLAS: lambda: ["nvcc", "-O3", "-std=c++17", "-arch=native", str(HERE / "handwritten.cu"), "-o", str(folder / "handwritten"), "-lcublas"],
            LIBTORCH: lambda: libtorch_command(options.python, folder / "libtorch"),
        }
        for name, command in commands.items():
            self.attempt(name, lambda: building.__setitem__(name, compiled(name, command())))
        self.attempt(PYTORCH, self.start_pytorch)
        for name, process in building.items():
            said = process.communicate()[0]
            if process.returncode != 0:
                self.not_run[name] = f"the compiler ended with {process.returncode}: {said.strip()[-300:]}"
        self.handwritten = str(folder / "handwritten")
        if CUBLAS in self.not_run:
            self.not_run[OWN] = self.not_run[CUBLAS]
        else:
            for name, product in ((CUBLAS, "cublas"), (OWN, "own")):
                self.servers[name] = Server([self.handwritten, "serve"], [product])
        if LIBTORCH not in self.not_run:
            self.servers[LIBTORCH] = Server([str(folder / "libtorch")])
        self.attempt(BURN, lambda: self.start_burn(options.burn))

    def attempt(self, name, step):
        try:
            step()
        except NotRun as reason:
            self.not_run[name] = str(reason)

    def start_pytorch(self):
        if subprocess.run([self.python, "-c", "import torch; assert torch.cuda.is_available()"], stderr=subprocess.DEVNULL).returncode != 0:
            raise NotRun("this Python has no torch that sees a GPU")
        self.servers[PYTORCH] = Server([self.python, str(HERE / "torch_cuda.py")])

    def start_burn(self, program):
        if not program.is_file():
            raise NotRun(f"{program} was not built: cargo build --release --manifest-path benches/peers/burn_cuda/Cargo.toml")
        self.servers[BURN] = Server([str(program)])

    def ours(self, size, threads, seconds):
        each = max(1, TOTAL[size] // threads // SYNC_EVERY) * SYNC_EVERY
        command = [self.binary, "stress", "--device", "cuda:0", "--json", "--no-compare", "--size", size, "--threads", threads, "--sync-every", SYNC_EVERY]
        command += ["--iterations", each, "--warm-up", SYNC_EVERY, "--duration", f"{int(seconds * 1000)}ms"]
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"millstream ended with {done.returncode}:\n{done.stderr.strip()}")
        figures = json.loads(done.stdout)
        if figures["errors"]:
            sys.exit(f"millstream reported {figures['errors']} errors")
        whole = figures.get("blocks", figures)
        return whole["operations"] / whole["seconds"], figures.get("driver_calls"), figures["operations"]

    def peer(self, name, size, threads, seconds):
        """A figure, or None for a peer that ended: it is not asked again."""
        if name not in self.servers:
            return None
        try:
            return self.servers[name].rate(size, threads, seconds)
        except NotRun as reason:
            self.not_run[name] = f"size {size}, {threads} threads: {reason}"
            del self.servers[name]
            return None

    def end(self):
        for server in self.servers.values():
            server.end()

    def versions(self):
        def asked(command):
            done = subprocess.run(command, capture_output=True, text=True)
            return json.loads(done.stdout) if done.returncode == 0 else None

        ours = subprocess.run([self.binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        torch = None if PYTORCH in self.not_run else asked([self.python, str(HERE / "torch_cuda.py"), "--describe"])
        toolkit = None if CUBLAS in self.not_run else asked([self.handwritten, "describe"])
        return {"ours": ours, "torch": torch, "toolkit": toolkit, "python": sysconfig.get_python_version()}
