"""Time fxla beside JAX.

    python -m bench peers --env .venv-peers     # once: JAX in an environment of its own
    python -m bench                             # every workload, beside JAX if it is there
    python -m bench --only softmax --rounds 3   # those whose name contains the word
    python -m bench --write                     # also keep the table in bench/results/

Each package runs each workload in a fresh process with an empty kernel cache; the rounds alternate.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.table import Measured, markdown
from bench.workloads import WORKLOADS

__all__ = ["Package", "main", "measure"]

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
PEER = "jax"
PEERS_ENV = ROOT / ".venv-peers"


class WorkerError(Exception):
    """A worker answered that a request failed, or ended."""


class Package:
    """A worker process."""

    def __init__(self, name: str, python: str, cache: str) -> None:
        self.name = name
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "FXLA_CACHE_DIR": cache}
        environment["JAX_PLATFORMS"] = "cpu"
        self.process = subprocess.Popen(
            [python, "-m", "bench.worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=ROOT,
        )

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for the answer."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError(f"the process ended with status {self.process.wait()}")
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


@contextlib.contextmanager
def workers(pythons: dict[str, str], cache: str) -> Iterator[dict[str, Package]]:
    """A process for each package; all have ended afterwards."""
    started = {name: Package(name, python, cache) for name, python in pythons.items()}
    try:
        yield started
    finally:
        for package in started.values():
            package.stop()


def agree(a: list[float], b: list[float]) -> bool:
    """Whether two packages' results have the same sums, to float32's accuracy."""
    return len(a) == len(b) and all(
        math.isclose(x, y, rel_tol=1e-3, abs_tol=1e-5) for x, y in zip(a, b, strict=True)
    )


def measure(
    name: str, pythons: dict[str, str], rounds: int, seconds: float
) -> tuple[Measured, dict[str, dict[str, Any]]]:
    """One workload on every package; also what each package says of itself."""
    with tempfile.TemporaryDirectory(prefix="fxla-bench-") as cache:
        result, described = measure_cold(name, pythons, rounds, seconds, cache)
        if "fxla" in result.first_call:
            with workers({"fxla": pythons["fxla"]}, cache) as started:
                result.second_process = started["fxla"].ask("load", name=name)["first_call"]
    return result, described


def measure_cold(
    name: str, pythons: dict[str, str], rounds: int, seconds: float, cache: str
) -> tuple[Measured, dict[str, dict[str, Any]]]:
    """As `measure`, the part that begins with an empty cache."""
    result = Measured(name)
    described: dict[str, dict[str, Any]] = {}
    sums: dict[str, list[float]] = {}
    with workers(pythons, cache) as started:
        working = dict(started)
        for package, worker in started.items():
            try:
                described[package] = worker.ask("describe")
                loaded = worker.ask("load", name=name)
            except WorkerError as error:
                result.notes.append(f"{package}: {error}")
                del working[package]
                continue
            result.first_call[package] = loaded["first_call"]
            sums[package] = loaded["sums"]
        order = list(working)
        for i in range(rounds):
            for package in order if i % 2 == 0 else reversed(order):
                answer = working[package].ask("round", seconds=seconds)
                result.rounds.setdefault(package, []).append(answer["seconds"])
    if WORKLOADS[name].comparable and len(sums) == 2 and not agree(*sums.values()):
        result.notes.append(f"results differ: {sums}")
    return result, described


def make_peers(env: Path) -> None:
    """An environment with JAX, apart from fxla's own."""
    subprocess.run([sys.executable, "-m", "venv", str(env)], check=True)
    subprocess.run([str(env / "bin" / "python"), "-m", "pip", "install", "jax"], check=True)
    print(f"JAX is in {env}; `python -m bench` finds it in .venv-peers or by --peer-python.")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Time fxla beside JAX.")
    parser.add_argument("command", nargs="?", choices=["run", "list", "peers"], default="run")
    parser.add_argument("--env", type=Path, default=PEERS_ENV, help="where `peers` puts JAX")
    parser.add_argument("--peer-python", help="interpreter of an environment that has JAX")
    parser.add_argument("--only", nargs="+", default=[""], help="words in workloads' names")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.25, help="of each round")
    parser.add_argument("--alone", action="store_true", help="do not time the peer")
    parser.add_argument("--write", action="store_true", help="keep the table in bench/results/")
    return parser.parse_args(arguments)


def interpreters(options: argparse.Namespace) -> dict[str, str]:
    """The Python to run for each package."""
    pythons = {"fxla": sys.executable}
    peer = options.peer_python or os.environ.get("FXLA_PEERS_PYTHON")
    if peer is None and (PEERS_ENV / "bin" / "python").exists():
        peer = str(PEERS_ENV / "bin" / "python")
    if peer is not None and not options.alone:
        pythons[PEER] = peer
    return pythons


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    options = parse(arguments)
    if options.command == "peers":
        make_peers(options.env)
        return 0
    chosen = [n for n in WORKLOADS if any(word.lower() in n.lower() for word in options.only)]
    if options.command == "list":
        print("\n".join(chosen))
        return 0
    pythons = interpreters(options)
    measured: list[Measured] = []
    versions: dict[str, str] = {}
    start_up: dict[str, float] = {}
    for name in chosen:
        result, described = measure(name, pythons, options.rounds, options.seconds)
        measured.append(result)
        for package, said in described.items():
            versions[package] = said["version"]
            start_up[package] = min(said["start_up"], start_up.get(package, math.inf))
        print(f"{len(measured)}/{len(chosen)} {name}", file=sys.stderr, flush=True)
    page = markdown(measured, versions, start_up, PEER)
    print(page)
    if options.write:
        RESULTS.mkdir(exist_ok=True)
        kept = RESULTS / f"{datetime.date.today().isoformat()}-{platform.machine()}.md"
        kept.write_text(page)
        print(f"written to {kept.relative_to(ROOT)}", file=sys.stderr)
    return 0 if all("fxla" in m.rounds for m in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
