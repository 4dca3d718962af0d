"""Write docs/coverage.md: for each public name, what it can do, found by trying it.

python tools/coverage.py          # rewrite the page
python tools/coverage.py --check  # only say whether it is stale

No list of results is kept by hand. A function is called with small arrays of several kinds until a
combination works eagerly; that call is then traced, differentiated, batched and lowered.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import importlib
import inspect
import itertools
import os
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["FXLA_CHECK"] = "1"  # a kernel that its checker refuses does not count

import fxla
from fxla.compile.build import build_program
from fxla.compile.passes.simplify import simplify
from fxla.compile.program import HostCall
from fxla.core.pytree import tree_flatten
from fxla.numpy.absent import ABSENT
from tools.beside_jax import section

__all__ = ["PAGE", "Row", "main", "page", "rows"]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "coverage.md"

_SQUARE = np.array([[2.0, 0.5, 0.25], [0.5, 1.5, 0.125], [0.25, 0.125, 1.25]])
_POOL: tuple[Any, ...] = (
    _SQUARE,
    np.array([0.25, 0.5, 0.75]),
    _SQUARE.astype(int),
    np.array([2, 0, 1]),
    np.array([5, 130], np.uint8),
    np.array([True, False, True]),
    1,
    3,
    (0,),
    0,
    (_SQUARE, _SQUARE),
    (3, 3),
    (9,),
    2.0,
    "ij,jk->ik",
    [1, 2],
    np.sum,
    np.float32,
    _SQUARE.ravel(),
    np.array(0),
    np.array([1, 1, 2]),
    _SQUARE + 1j,
    _SQUARE > 1.0,
)
"""Arguments that are tried, the likely ones first."""

_METHODS = (
    "pdf", "logpdf", "pmf", "logpmf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf", "entropy",
)  # fmt: skip
"""What a distribution has."""

_OF_DISTRIBUTIONS: tuple[tuple[Any, ...], ...] = tuple(
    (x, *parameters)
    for parameters in ((), (0.5,), (2.0,), (3, 0.5), (2.0, 3.0), (-1.0, 2.0), (3, 2.0, 3.0),
                       (np.array([0.2, 0.3, 0.5]),), (1, np.array([0.2, 0.3, 0.5])),
                       (np.zeros(3), np.eye(3)))
    for x in (np.array([0.25, 0.5, 0.75]), np.array([1, 0, 0]), np.array([0.2, 0.3, 0.5]))
)  # fmt: skip
"""Calls of their methods: where, and parameters."""

_CALLS = 3000
"""How many calls with each number of arguments are tried."""

_SKIPPED = ("load", "loadtxt", "save", "savetxt", "savez", "fromfile", "fromregex", "genfromtxt",
            "memmap", "input", "info")  # fmt: skip
"""They read or write files."""


@dataclass(frozen=True)
class Row:
    """What one name can do; None where the question makes no sense.

    Attributes:
        name: with its namespace.
        kind: ``function``, ``value`` (a constant, class or dtype), ``concrete`` (NumPy's own, for
            arrays that are not traced), ``static`` (answers with Python objects), ``absent`` or
            ``untried`` (no call was found).
        jit, jvp, vjp, batch: whether tracing, derivatives and `vmap` work.
        cuda: ``kernels``, or ``host`` where a part is a library call on the host.
        note: of absent names, why.
    """

    name: str
    kind: str
    jit: bool | None = None
    jvp: bool | None = None
    vjp: bool | None = None
    batch: bool | None = None
    cuda: str | None = None
    note: str = ""


# --- calls ----------------------------------------------------------------------------------


def _is_traced(x: Any) -> bool:
    return isinstance(x, np.ndarray)


def _counts(function: Callable[..., Any]) -> Iterator[int]:
    """How many positional arguments are tried."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        yield from (1, 2, 3)
        return
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = sum(p.default is p.empty for p in positional)
    many = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    yield from sorted({max(needed, 1), min(max(needed, 1) + 1, max(len(positional), 1))})
    if many:
        yield from (1, 2, 3)


def _calls(function: Callable[..., Any]) -> Iterator[tuple[Any, ...]]:
    if getattr(function, "__name__", "") in _METHODS:
        yield from _OF_DISTRIBUTIONS
        return
    for count in dict.fromkeys(_counts(function)):
        if count <= 3:
            yield from itertools.islice(itertools.product(_POOL, repeat=count), _CALLS)


def _leaves(out: Any) -> list[Any]:
    return [x for x in tree_flatten(out)[0] if x is not None]


def _eager(function: Callable[..., Any], args: tuple[Any, ...]) -> list[Any] | None:
    """The leaves of a call's result, None if it failed or gave none."""
    try:
        copies = [x.copy() if _is_traced(x) else x for x in args]
        return _leaves(function(*copies)) or None
    except Exception:
        return None


def _are_arrays(out: list[Any]) -> bool:
    return all(isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "biufc" for x in out)


def _samples(function: Callable[..., Any], numpys: Any) -> Iterator[tuple[Any, ...]]:
    """Arguments that NumPy's function and ours take, and give arrays for."""
    oracle = numpys if callable(numpys) else function
    for args in _calls(function):
        wanted = _eager(oracle, args)
        if wanted is not None and _are_arrays(wanted) and _eager(function, args) is not None:
            yield args


def _has_array(args: tuple[Any, ...]) -> bool:
    return any(_is_traced(x) for x in _leaves(list(args)))


def _sample(function: Callable[..., Any], numpys: Any) -> tuple[Any, ...] | None:
    """A sample call: one that traces if there is one among the first, with arrays if there are."""
    with_arrays = itertools.islice((a for a in _samples(function, numpys) if _has_array(a)), 25)
    without = itertools.islice((a for a in _samples(function, numpys) if not _has_array(a)), 5)
    found = [*with_arrays, *without]
    for args in found:
        f, arrays = _of_arrays(function, args)
        if _works(lambda: fxla.make_jaxpr(f)(*arrays)):  # noqa: B023 - called at once
            return args
    return found[0] if found else None


# --- questions ------------------------------------------------------------------------------


def _of_arrays(
    function: Callable[..., Any], args: tuple[Any, ...]
) -> tuple[Callable[..., Any], list[Any]]:
    """The function of the arrays among the arguments, and those."""
    leaves, tree = tree_flatten(args)
    places = [k for k, x in enumerate(leaves) if _is_traced(x)]

    def f(*arrays: Any) -> Any:
        given = list(leaves)
        for k, x in zip(places, arrays, strict=True):
            given[k] = x
        return function(*tree.unflatten(given))

    return f, [leaves[k] for k in places]


def _works(run: Callable[[], Any]) -> bool:
    try:
        run()
    except Exception:
        return False
    return True


def _close(got: Any, want: Any) -> bool:
    return np.shape(got) == np.shape(want) and bool(
        np.allclose(np.asarray(got), np.asarray(want), rtol=1e-5, atol=1e-8, equal_nan=True)
    )


def _gradients(f: Callable[..., Any], arrays: list[Any]) -> tuple[bool | None, bool | None]:
    """Whether jvp and vjp work and agree with each other; None if nothing is differentiable."""
    places = [k for k, x in enumerate(arrays) if x.dtype.kind in "fc"]
    outs = [x for x in _leaves(f(*arrays)) if np.asarray(x).dtype.kind in "fc"]
    if not places or not outs:
        return None, None

    def of_floats(*floats: Any) -> list[Any]:
        given = list(arrays)
        for k, x in zip(places, floats, strict=True):
            given[k] = x
        return [x for x in _leaves(f(*given)) if x.dtype.kind in "fc"]

    floats = tuple(arrays[k] for k in places)
    tangents = tuple(np.full(x.shape, 0.5, x.dtype) for x in floats)
    has_jvp = _works(lambda: fxla.jvp(of_floats, floats, tangents))

    def back() -> None:
        values, pull = fxla.vjp(of_floats, *floats)
        pull([np.ones(np.shape(v), v.dtype) for v in values])

    return has_jvp, _works(back)


def _batches(f: Callable[..., Any], arrays: list[Any]) -> bool:
    def run() -> None:
        stacked = [np.stack([x, x]) for x in arrays]
        out = _leaves(fxla.vmap(f)(*stacked))
        for got, want in zip(out, _leaves(f(*arrays)), strict=True):
            if not _close(got[1], want):
                raise ValueError

    return _works(run)


def _host_calls(x: Any) -> bool:
    """Whether a library call is somewhere in a program."""
    if isinstance(x, HostCall):
        return True
    if isinstance(x, (tuple, list)):
        return any(_host_calls(item) for item in x)
    if dataclasses.is_dataclass(x) and type(x).__module__ == HostCall.__module__:
        return any(_host_calls(getattr(x, field.name)) for field in dataclasses.fields(x))
    return False


def _compiles(f: Callable[..., Any], arrays: list[Any]) -> tuple[bool, str | None]:
    """Whether a program can be built, and what it is on a GPU."""
    try:
        jaxpr = simplify(fxla.make_jaxpr(f)(*arrays).jaxpr)
        build_program(jaxpr)
    except Exception:
        return False, None
    try:
        return True, "host" if _host_calls(build_program(jaxpr, use_library=False)) else "kernels"
    except Exception:
        return True, None


def _row(name: str, function: Any, numpys: Any) -> Row:
    short = name.rpartition(".")[2]
    if not callable(function) or isinstance(function, type):
        return Row(name, "value")
    if function is numpys or short in _SKIPPED:
        return Row(name, "concrete")
    args = _sample(function, numpys)
    if args is None:
        answers = any(_eager(function, a) is not None for a in _calls(function))
        return Row(name, "static" if answers else "untried")
    f, arrays = _of_arrays(function, args)
    jit, cuda = _compiles(f, arrays)
    jvp, vjp = _gradients(f, arrays)
    batch = _batches(f, arrays) if arrays else None
    return Row(name, "function", jit, jvp, vjp, batch, cuda)


# --- the page -------------------------------------------------------------------------------

_SPACES: dict[str, tuple[Any, Any]] = {
    "numpy": (fxla.numpy, np),
    "numpy.linalg": (fxla.numpy.linalg, np.linalg),
    "numpy.fft": (fxla.numpy.fft, np.fft),
    **{
        f"scipy.{name}": (
            importlib.import_module(f"fxla.scipy.{name}"),
            importlib.import_module(f"scipy.{name}"),
        )
        for name in (
            "special",
            "linalg",
            "fft",
            "signal",
            "stats",
            "ndimage",
            "interpolate",
            "integrate",
            "optimize",
            "cluster.vq",
            "sparse",
            "sparse.linalg",
        )
    },
    "lax": (fxla.lax, None),
    "lax.linalg": (fxla.lax.linalg, None),
    "random": (fxla.random, None),
    "nn": (fxla.nn, None),
    "image": (fxla.image, None),
}


def _functions(ours: Any, theirs: Any) -> Iterator[tuple[str, Any, Any]]:
    """Names of a namespace, what they are and what NumPy or SciPy has; methods of distributions."""
    for n in sorted(ours.__all__):
        f, numpys = getattr(ours, n), getattr(theirs, n, None)
        if isinstance(f, types.ModuleType) or n.startswith("_"):
            continue
        methods = [m for m in _METHODS if callable(getattr(f, m, None))]
        if not callable(f) and methods:
            for m in methods:
                yield f"{n}.{m}", getattr(f, m), getattr(numpys, m, None)
        elif ours is fxla.random and next(iter(inspect.signature(f).parameters), "") == "key":
            yield n, functools.partial(f, fxla.random.key(0)), None
        else:
            yield n, f, numpys


def rows() -> dict[str, list[Row]]:
    """The rows of each namespace, found by trying."""
    found = {}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for space, (ours, theirs) in _SPACES.items():
            absent = ABSENT if ours is fxla.numpy else {}
            listed = [
                _row(f"{space}.{n}", f, numpys)
                for n, f, numpys in _functions(ours, theirs)
                if n not in absent
            ]
            listed += [Row(f"{space}.{n}", "absent", note=why) for n, why in absent.items()]
            found[space] = sorted(listed, key=lambda r: r.name)
    return found


_MARKS = {True: "yes", False: "no", None: ""}


def _percentage(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / max(whole, 1):.1f} %)"


def page(found: dict[str, list[Row]]) -> str:
    """The text of the page."""
    text = [
        "# Coverage",
        "",
        "Written by `python tools/coverage.py`, which tries every function on small arrays; a test",
        "fails if this page is stale. *jvp* and *vjp* are empty where nothing is differentiable.",
        "*CUDA*: `kernels` if the whole program becomes kernels, `host` if a part is a call on the",
        "host. *value*: a constant, class or dtype; *concrete*: takes no traced arrays;",
        "*static*: answers with Python objects, of traced arrays by their shape and dtype;",
        "*untried*: no sample call was found by itself, its own tests try it.",
        "",
    ]
    for space, listed in found.items():
        tried = [r for r in listed if r.kind == "function"]
        present = [r for r in listed if r.kind != "absent"]
        compiled = _percentage(sum(bool(r.jit) for r in tried), len(tried))
        batched = _percentage(sum(bool(r.batch) for r in tried), len(tried))
        smooth = sum(r.jvp is not None for r in tried)
        derived = _percentage(sum(bool(r.jvp and r.vjp) for r in tried), smooth)
        text += [
            f"## {space}",
            "",
            f"Present: {_percentage(len(present), len(listed))}. Of the functions tried: "
            f"compiled {compiled}, batched {batched}, with derivatives where there are any "
            f"{derived}.",
            "",
            "| name | jit | jvp | vjp | batch | CUDA |",
            "|---|---|---|---|---|---|",
        ]
        for r in listed:
            if r.kind == "function":
                marks = [_MARKS[x] for x in (r.jit, r.jvp, r.vjp, r.batch)]
                text.append(f"| {r.name} | {' | '.join(marks)} | {r.cuda or 'no'} |")
            elif r.kind != "value":
                text.append(f"| {r.name} | {r.kind}{': ' if r.note else ''}{r.note} | | | | |")
        values = ", ".join(r.name.rpartition(".")[2] for r in listed if r.kind == "value")
        text += ["", f"Values: {values}.", ""] if values else [""]
    return "\n".join([*text, *section()]).rstrip() + "\n"


def main() -> int:
    """Rewrite the page, or say whether it is stale."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether the page is stale")
    is_check = parser.parse_args().check
    text = page(rows())
    if not is_check:
        PAGE.write_text(text)
        return 0
    is_stale = not PAGE.exists() or PAGE.read_text() != text
    print("docs/coverage.md is stale: run python tools/coverage.py" if is_stale else "up to date")
    return int(is_stale)


if __name__ == "__main__":
    raise SystemExit(main())
