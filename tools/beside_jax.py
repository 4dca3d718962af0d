"""JAX's public names beside fxla's: how many are there, and why the others are not.

`tools/jax_names.txt` lists the public names of the JAX release that it names. fxla has the same
modules under its own name, and says why a name is not there (`fxla.core.absent`).
"""

from __future__ import annotations

import importlib
import operator
from collections.abc import Iterator
from pathlib import Path

from fxla.core.absent import reason

__all__ = ["NAMES", "listed", "missing", "section"]

NAMES = Path(__file__).resolve().parent / "jax_names.txt"


def listed() -> Iterator[tuple[str, str]]:
    """Modules and names of JAX's, in order; not its primitives, which are internal in fxla."""
    for line in NAMES.read_text().splitlines():
        if line and not line.startswith("#"):
            module, _, name = line.partition("\t")
            if not name.endswith("_p"):
                yield module, name


def missing() -> dict[str, tuple[int, list[str]]]:
    """For each module of JAX's how many names it has, and those that fxla has not."""
    found: dict[str, tuple[int, list[str]]] = {}
    for module, name in listed():
        count, absent = found.get(module, (0, []))
        if not _has(module, name):
            absent = [*absent, name]
        found[module] = (count + 1, absent)
    return found


def _has(module: str, name: str) -> bool:
    """Whether fxla's module of the same name has a name; a distribution is an object there."""
    path = module.split(".")[1:]
    for k in range(len(path), -1, -1):
        try:
            found = importlib.import_module(".".join(["fxla", *path[:k]]))
        except ImportError:
            continue
        try:
            operator.attrgetter(".".join([*path[k:], name]))(found)
        except AttributeError:
            return False
        return True
    return False


def section() -> list[str]:
    """The lines of the page on JAX's names."""
    text = [
        "## Beside JAX",
        "",
        "The public names of JAX 0.10.2, module by module, without `jax.experimental`,",
        "`jax.extend` and JAX's primitives; below, those that fxla has not, with the reason.",
        "",
        "| module | names | in fxla | |",
        "|---|---:|---:|---:|",
    ]
    found = missing()
    total = here = 0
    for module, (count, absent) in found.items():
        total, here = total + count, here + count - len(absent)
        text.append(_row(module, count, count - len(absent)))
    text += [_row("all", total, here), ""]
    by_reason: dict[str, list[str]] = {}
    for module, (_, absent) in found.items():
        for name in absent:
            why = reason(module, name) or "no reason is stated"
            by_reason.setdefault(why, []).append(f"{module}.{name}".removeprefix("jax."))
    for why, names in by_reason.items():
        text.append(f"- {why}: {', '.join(names)}")
    return [*text, ""]


def _row(module: str, count: int, here: int) -> str:
    return f"| {module} | {count} | {here} | {100 * here / count:.0f} % |"
