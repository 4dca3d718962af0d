"""The command line of `python -m bench`."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path

from bench.floor import floor_page
from bench.heldout import HELD_OUT
from bench.imports import import_page
from bench.installed import own_objects
from bench.measure import Effort, measure
from bench.page import markdown
from bench.peers import PEERS
from bench.plot import draw
from bench.processes import ROOT, interpreters
from bench.record import Measured
from bench.scaling import new_sizes_page, scaling_page
from bench.surface import Turns, surface_page
from bench.timeline import stages_page
from bench.training.page import training_page
from bench.workloads import TUNED, Workload

__all__ = ["main"]

RESULTS = ROOT / "bench" / "results"
PEERS_ENV = ROOT / ".venv-peers"
SETS: dict[str, dict[str, Workload]] = {"tuned": TUNED, "held out": HELD_OUT}
DISTRIBUTIONS = {"torch-compile": "torch", "numpy": "scipy"}


def make_peers(env: Path, peers: list[str]) -> None:
    """An environment with the peers, apart from fxla's own."""
    subprocess.run([sys.executable, "-m", "venv", str(env)], check=True)
    names = sorted({DISTRIBUTIONS.get(peer, peer) for peer in peers})
    if "jax" in names:
        names = sorted([*names, "optax"])
    pip = [str(env / "bin" / "python"), "-m", "pip", "install"]
    if "torch" in names and sys.platform == "linux":
        pip += ["--extra-index-url", "https://download.pytorch.org/whl/cpu"]
    subprocess.run([*pip, *names], check=True)
    print(f"{', '.join(names)}: in {env}; `python -m bench` finds .venv-peers or --peer-python.")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Time fxla beside its peers."
    )
    commands = [
        "run",
        "heldout",
        "list",
        "peers",
        "scaling",
        "stages",
        "sizes",
        "import",
        "surface",
        "training",
    ]
    parser.add_argument("command", nargs="?", choices=commands, default="run")
    parser.add_argument("--env", type=Path, default=PEERS_ENV, help="where `peers` installs")
    parser.add_argument("--peer-python", help="interpreter of an environment that has peers")
    parser.add_argument("--peers", nargs="+", choices=PEERS, help="default: all that are there")
    parser.add_argument("--only", nargs="+", default=[""], help="words in workloads' names")
    parser.add_argument("--family", nargs="+", help="families of workloads")
    parser.add_argument("--rounds", type=int, help="default: 7; of `surface`: 3")
    parser.add_argument("--seconds", type=float, help="of each round: 0.25; of `surface`: 0.02")
    parser.add_argument("--firsts", type=int, default=3, help="processes that make first calls")
    parser.add_argument("--minima", action="store_true", help="for a machine that is not idle")
    parser.add_argument("--floor", action="store_true", help="compare with what the machine can do")
    parser.add_argument(
        "--threads", nargs="+", type=int, default=[1, 2], help="of `scaling`, `stages`"
    )
    parser.add_argument("--count", type=int, default=200, help="of `sizes`")
    parser.add_argument("--alone", action="store_true", help="time no peer")
    parser.add_argument("--no-second", action="store_true", help="start no second processes")
    parser.add_argument("--write", action="store_true", help="keep the page in bench/results/")
    options = parser.parse_args(arguments)
    rounds, seconds = (3, 0.02) if options.command == "surface" else (7, 0.25)
    options.rounds = rounds if options.rounds is None else options.rounds
    options.seconds = seconds if options.seconds is None else options.seconds
    return options


def chosen(options: argparse.Namespace) -> dict[str, dict[str, Workload]]:
    """The workloads of each set that the command line names."""

    def named(name: str, workload: Workload) -> bool:
        fits = any(word.lower() in name.lower() for word in options.only)
        return fits and (options.family is None or workload.family in options.family)

    kept = {
        title: {name: w for name, w in some.items() if named(name, w)}
        for title, some in SETS.items()
        if options.command != "heldout" or title == "held out"
    }
    return {title: some for title, some in kept.items() if some}


def surface(options: argparse.Namespace) -> None:
    """Time every call that the command line names; what is kept grows while they are timed."""
    what = "surface" if options.only == [""] else "surface-part"
    turns = Turns(options.rounds, options.seconds)
    kept = (lambda page: keep(page, what)) if options.write else (lambda page: None)
    print(surface_page(options.only, pythons(options), turns, kept))


def pythons(options: argparse.Namespace) -> dict[str, str]:
    """The Python to run for fxla and for each peer."""
    peer = options.peer_python or os.environ.get("FXLA_PEERS_PYTHON")
    if peer is None and (PEERS_ENV / "bin" / "python").exists():
        peer = str(PEERS_ENV / "bin" / "python")
    return interpreters(peer, [] if options.alone else options.peers)


def keep(page: str, what: str) -> Path:
    """Write a page to `RESULTS`, under today's date, the machine, and what it shows."""
    RESULTS.mkdir(exist_ok=True)
    words = [datetime.date.today().isoformat(), platform.machine(), *([what] if what else [])]
    kept = RESULTS / f"{'-'.join(words)}.md"
    kept.write_text(page)
    return kept


def show(page: str, what: str, write: bool) -> None:
    """Print a page, and keep it if asked."""
    print(page)
    if write:
        print(f"written to {keep(page, what).relative_to(ROOT)}", file=sys.stderr)


def run(options: argparse.Namespace) -> int:
    """Measure the workloads and print the page; the exit status says whether fxla ran all."""
    sets = chosen(options)
    packages = pythons(options)
    effort = Effort(
        options.rounds, options.seconds, options.firsts, not options.no_second, options.minima
    )
    measured: dict[str, list[Measured]] = {title: [] for title in sets}
    versions: dict[str, str] = {}
    start_up: dict[str, float] = {}
    total = sum(map(len, sets.values()))
    # A page of some workloads does not replace one of all.
    what = "" if sets == SETS else "part"
    every: list[Measured] = []
    installed = own_objects()
    page = "no workload has such a name"
    wanted = [(title, name, w) for title, some in sets.items() for name, w in some.items()]
    # One that has waited long enough may stop it, and gets a page of what was measured.
    with contextlib.suppress(KeyboardInterrupt):
        for title, name, workload in wanted:
            result, described = measure(name, workload, packages, effort)
            measured[title].append(result)
            every.append(result)
            for package, said in described.items():
                versions[package] = said["version"]
                start_up[package] = min(said["start_up"], start_up.get(package, said["start_up"]))
            print(f"{len(every)}/{total} {name}", file=sys.stderr, flush=True)
            page = markdown(measured, versions, start_up, installed)
            if options.write:  # after each: a run that is cut off leaves what it has
                plot = keep(page, what).with_suffix(".svg")
                draw(every, plot)
                keep(f"{page}\n![speed-ups]({plot.name})\n", what)
    print(page)
    return 0 if len(every) == total and all("fxla" in m.rounds for m in every) else 1


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    options = parse(arguments)
    if options.command == "peers":
        make_peers(options.env, options.peers or list(PEERS))
        return 0
    every = {name: w for some in chosen(options).values() for name, w in some.items()}
    if options.command == "list":
        print("\n".join(every))
    elif options.command == "scaling":
        show(scaling_page(every, options.seconds, options.threads), "scaling", options.write)
    elif options.command == "stages":
        own_objects()
        show(stages_page(every, options.threads[-1]), "stages", options.write)
    elif options.command == "sizes":
        own_objects()
        show(new_sizes_page(pythons(options), options.count), "sizes", options.write)
    elif options.command == "import":
        show(import_page(pythons(options), options.rounds), "import", options.write)
    elif options.command == "surface":
        surface(options)
    elif options.command == "training":
        own_objects()
        page = training_page(options.only, pythons(options), options.rounds)
        show(page, "training", options.write)
    elif options.floor:
        show(floor_page(every, options.seconds), "floor", options.write)
    else:
        return run(options)
    return 0
