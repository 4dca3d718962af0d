"""The processes in which packages run, and the conditions they start in."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.peers import COMPILED_TORCH, FXLA, PEERS

__all__ = [
    "ROOT",
    "Package",
    "WorkerError",
    "environment",
    "installed",
    "interpreters",
    "workers",
]

ROOT = Path(__file__).resolve().parent.parent
COMPILED_PATIENCE = 90.0
"""Seconds for a request to `torch.compile`, which writes loops out: some take it many minutes."""


class WorkerError(Exception):
    """A worker answered that a request failed, or ended."""


def environment(package: str, cache: str, dtype: str = "float32") -> dict[str, str]:
    """The variables a worker starts with: its caches are under `cache`, and empty if that is.

    Bytecode is kept, or every process would compile fxla's sources; an installed package has it.
    """
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    kept["PYTHONPATH"] = str(ROOT)
    if package == FXLA:
        kept["FXLA_CACHE_DIR"] = cache
    elif package == "jax":
        kept["JAX_PLATFORMS"] = "cpu"
        kept["JAX_ENABLE_X64"] = str(int(dtype == "float64"))
    elif package == "jax, cached":
        kept = environment("jax", cache, dtype)
        kept["JAX_COMPILATION_CACHE_DIR"] = cache
        kept["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        kept["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    elif package == COMPILED_TORCH:
        kept["TORCHINDUCTOR_CACHE_DIR"] = cache
        # By default processes that compile stay beside the one that is timed.
        kept["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    return kept


class Package:
    """A worker process.

    Attributes:
        patience: seconds after which a request is given up.
    """

    patience = 600.0

    def __init__(
        self, name: str, python: str, cache: str, dtype: str = "float32", **variables: str
    ) -> None:
        self.name = name
        if name == COMPILED_TORCH:
            self.patience = COMPILED_PATIENCE
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by `stop`)
        self.process = subprocess.Popen(
            [python, "-m", "bench.worker", name.partition(",")[0]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
            env={**environment(name, cache, dtype), **variables},
            cwd=ROOT,
        )

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for the answer."""
        assert self.process.stdin is not None and self.process.stdout is not None
        given_up = threading.Event()

        def give_up() -> None:
            given_up.set()
            self.process.kill()

        timer = threading.Timer(self.patience, give_up)
        timer.start()
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if not line:
            status = self.process.wait()
            if given_up.is_set():
                raise WorkerError(f"no answer within {self.patience:g} s")
            self.said.seek(0)
            last = (self.said.read().strip().splitlines() or [""])[-1]
            raise WorkerError(f"the process ended with status {status}: {last[:200]}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"].splitlines()[0][:200])
        return answer

    def stop(self) -> None:
        """End the process."""
        assert self.process.stdin is not None and self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
        self.said.close()


@functools.cache
def started_torch(python: str) -> str:
    """The directory of what `torch.compile` learns of the compiler and the processor, and keeps.

    Every process would take ten seconds for it before its first workload.
    """
    kept = tempfile.mkdtemp(prefix="fxla-bench-torch-")
    atexit.register(shutil.rmtree, kept, ignore_errors=True)
    package = Package(COMPILED_TORCH, python, kept)
    try:
        # One that fails says so again when it is to be timed.
        with contextlib.suppress(WorkerError):
            package.ask("describe")
    finally:
        package.stop()
    return kept


@contextlib.contextmanager
def workers(pythons: dict[str, str], cache: str, dtype: str) -> Iterator[dict[str, Package]]:
    """A process for each package, each with a cache of its own; all have ended afterwards."""
    started: dict[str, Package] = {}
    try:
        for name, python in pythons.items():
            if name == COMPILED_TORCH:
                shutil.copytree(started_torch(python), Path(cache) / name, dirs_exist_ok=True)
            started[name] = Package(name, python, str(Path(cache) / name), dtype)
        yield started
    finally:
        for package in started.values():
            package.stop()


def installed(python: str) -> list[str]:
    """The peers that this interpreter can run."""
    names = ["jax", "torch", "numpy", "autograd", "numba"]
    asked = f"import importlib.util as u; print(*[n for n in {names} if u.find_spec(n)])"
    done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    found = set(done.stdout.split())
    if "torch" in found and any(map(shutil.which, ("c++", "g++", "clang++"))):
        found.add(COMPILED_TORCH)  # it compiles C++
    return [peer for peer in PEERS if peer in found]


def interpreters(peer_python: str | None, wanted: list[str] | None) -> dict[str, str]:
    """The Python to run for fxla and for each peer that is there and wanted."""
    python = peer_python or sys.executable
    there = installed(python)
    if wanted is not None:
        missing = [name for name in wanted if name not in there]
        if missing:
            raise SystemExit(f"{python} has no {', '.join(missing)}; see `python -m bench peers`")
        there = [name for name in there if name in wanted]
    return {FXLA: sys.executable, **dict.fromkeys(there, python)}
