"""`python -m bench surface`: every function on a million elements, compiled, beside NumPy.

A sample call is found by trying arguments on NumPy. Both forms run in turn in one process, and the
least times are compared. A ratio above 1 means that the compiled function is slower.
"""

from __future__ import annotations

import inspect
import itertools
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import fxla
from bench.page import machine, readable, table

__all__ = ["Compared", "compare", "surface_page"]

SIZE = 1_000_000
SLOW = 1.5
"""A function slower than this many times NumPy's time is listed by name."""
LIMIT = 1.5
"""Seconds; a call of NumPy's that takes longer is left out."""
_ROUNDS, _SECONDS = 40, 0.25


@dataclass(frozen=True)
class Compared:
    """One function, with its sample call.

    Attributes:
        name: with its namespace.
        arguments: what was passed, shortly.
        numpy, fxla: least times, in seconds.
    """

    name: str
    arguments: str
    numpy: float
    fxla: float

    @property
    def ratio(self) -> float:
        """Our time over NumPy's."""
        return self.fxla / self.numpy


def _pool() -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    x = rng.uniform(0.05, 0.95, SIZE)
    whole = rng.integers(0, 1000, SIZE)
    return (x, x[::-1].copy(), x.reshape(1000, 1000), whole, x > 0.5, 3, 0, whole[:1000], (0, 1))


def _calls(numpys: Any, pool: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Arguments by number: those that a function needs, and one more."""
    if isinstance(numpys, np.ufunc):
        counts = [numpys.nin]
    else:
        try:
            parameters = inspect.signature(numpys).parameters.values()
        except (ValueError, TypeError):
            return
        places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        needed = sum(p.kind in places and p.default is p.empty for p in parameters)
        counts = [max(needed, 1)]
    for count in counts:
        if count <= 3:
            yield from itertools.product(pool, repeat=count)


def _sample(numpys: Any, pool: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """The first call with a large array that NumPy takes, in reasonable time and memory."""
    for args in itertools.islice(_calls(numpys, pool), 200):
        if not any(isinstance(a, np.ndarray) and a.size == SIZE for a in args):
            continue
        shrunk = [a[:50, :50] if np.ndim(a) == 2 else a[:50] if np.ndim(a) else a for a in args]
        try:
            made = numpys(*[s.copy() if isinstance(s, np.ndarray) else s for s in shrunk])
            size = sum(np.size(m) for m in (made if isinstance(made, (tuple, list)) else [made]))
            if size > 60 * 50:
                continue  # an outer product: a million times as many
            began = time.perf_counter()
            numpys(*args)
        except Exception:
            continue
        return args if time.perf_counter() - began < LIMIT else None
    return None


def compare(name: str, ours: Callable[..., Any], numpys: Any, pool: Any) -> Compared | None:
    """Time one function; None if there is no sample call or it does not compile."""
    args = _sample(numpys, pool)
    if args is None:
        return None
    static = tuple([k for k, a in enumerate(args) if not isinstance(a, np.ndarray)])
    program = fxla.jit(ours, static_argnums=static)
    try:
        for _ in range(3):
            program(*args)
    except Exception:
        return None
    least = [np.inf, np.inf]
    began = time.perf_counter()
    for done in range(_ROUNDS):
        for k, f in enumerate((numpys, program)):
            start = time.perf_counter()
            f(*args)
            least[k] = min(least[k], time.perf_counter() - start)
        if done >= 4 and time.perf_counter() - began > _SECONDS:
            break
    shown = ", ".join(
        f"{a.dtype}{list(a.shape)}" if isinstance(a, np.ndarray) else repr(a) for a in args
    )
    return Compared(name, shown, *least)


def _functions() -> Iterator[tuple[str, Any, Any]]:
    for space, ours, theirs in (
        ("", fxla.numpy, np), ("linalg.", fxla.numpy.linalg, np.linalg),
        ("fft.", fxla.numpy.fft, np.fft),
    ):  # fmt: skip
        for name in sorted(ours.__all__):
            f, g = getattr(ours, name), getattr(theirs, name, None)
            if callable(f) and callable(g) and f is not g and not isinstance(f, type):
                yield space + name, f, g


def surface_page(words: list[str]) -> str:
    """Rows from the slowest ratio to the fastest, and how many there are of each kind.

    Args:
        words: parts of names; a function is timed if its name contains one.
    """
    pool = _pool()
    found: list[Compared] = []
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, ours, numpys in _functions():
            if any(word in name for word in words):
                one = compare(name, ours, numpys, pool)
                if one is not None:
                    found.append(one)
    found.sort(key=lambda c: -c.ratio)
    slow = [c.name for c in found if c.ratio > SLOW]
    rows = [["function", "arguments", "NumPy", "fxla", "ratio"]]
    rows += [
        [c.name, c.arguments, readable(c.numpy), readable(c.fxla), f"{c.ratio:.2f}"] for c in found
    ]
    return (
        f"# Every function beside NumPy, at {SIZE:,} elements\n\n{machine()}.\n\n"
        f"{len(found)} functions were timed; {sum(c.ratio <= 1 for c in found)} are as fast as "
        f"NumPy's or faster, {len(slow)} are slower than {SLOW} times: "
        f"{', '.join(slow) or 'none'}. Least times; both in one process, in turn.\n\n"
        f"{table(rows)}\n"
    )
