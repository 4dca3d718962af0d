"""A function of plain NumPy with arguments to call it with: one case of the corpus.

The functions are written as NumPy users write them, with ``import numpy as np`` and nothing of
fxla's. What they have in common is only this decorator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Case", "case", "cases", "made"]


@dataclass(frozen=True)
class Case:
    """A function and arguments for it.

    Attributes:
        function: plain NumPy.
        args: arrays and numbers.
        static: positions of arguments that are not arrays.
        differentiable: whether the result is a smooth function of its floating-point arguments.
        broken: why fxla does not do it, or the empty string.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    static: tuple[int, ...] = ()
    differentiable: bool = True
    broken: str = ""

    def __str__(self) -> str:
        return self.function.__name__


cases: list[Case] = []


def case(*args: Any, static: tuple[int, ...] = (), grad: bool = True, broken: str = "") -> Any:
    """Add the decorated function to the corpus."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        cases.append(Case(function, args, static, grad, broken))
        return function

    return add


def made(*shape: int, seed: int = 0, low: float = -1.0, high: float = 1.0) -> Any:
    """An array of random numbers, the same in every run."""
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape)
