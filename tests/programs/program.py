"""What a program is in these tests: written with fxla, written with NumPy, and where to run it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["PROGRAMS", "Program", "program"]


@dataclass(frozen=True)
class Program:
    """A scalar function of a tree of parameters and a tuple of data.

    Attributes:
        f: ``(params, *data) -> scalar`` with fxla.
        meaning: the same with NumPy and Python loops only.
        make: parameters and data, in float64, from a random generator.
        single: relative error that float32 may have.
        kinks: whether derivatives jump (relu, max pooling), so that differences need small steps.
    """

    f: Callable[..., Any]
    meaning: Callable[..., Any]
    make: Callable[[np.random.Generator], tuple[Any, ...]]
    single: float
    kinks: bool


PROGRAMS: dict[str, Program] = {}


def program(
    meaning: Callable[..., Any],
    make: Callable[[np.random.Generator], tuple[Any, ...]],
    *,
    single: float = 2e-4,
    kinks: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the function below under its own name."""

    def add(f: Callable[..., Any]) -> Callable[..., Any]:
        PROGRAMS[f.__name__] = Program(f, meaning, make, single, kinks)
        return f

    return add
