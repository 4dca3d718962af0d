"""What Python's builtins mean on traced values: `range`, `zip`, `int`, `max` and a few more."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import fxla.numpy as fnp
from fxla.capturing.regions import is_traced
from fxla.core.trace import Tracer, where_am_i
from fxla.errors import TracerIntegerConversionError

__all__ = ["BUILTINS", "Enumerated", "TracedRange", "Zipped", "contains"]


@dataclass(frozen=True)
class TracedRange:
    """``range(start, stop, step)`` with a traced bound.

    Attributes:
        count: how many items there are.
    """

    start: Any
    step: Any
    count: Any

    def __iter__(self) -> Iterator[Any]:
        raise TracerIntegerConversionError(
            f"range() of a traced {self.count.aval}: how many steps there are is not known while "
            f"tracing{where_am_i()}. A `for` statement of a captured function becomes a loop of "
            "the program; a comprehension, list() or sum() of such a range does not."
        )


@dataclass(frozen=True)
class Enumerated:
    """``enumerate(iterable, start)`` of a traced array."""

    iterable: Any
    start: int = 0

    def __iter__(self) -> Iterator[Any]:
        return enumerate(self.iterable, self.start)


@dataclass(frozen=True)
class Zipped:
    """``zip(*iterables)``, a traced array among them."""

    iterables: tuple[Any, ...]

    def __iter__(self) -> Iterator[Any]:
        return zip(*self.iterables, strict=False)


def _range(*bounds: Any) -> Any:
    if not any(is_traced(b) for b in bounds):
        return range(*bounds)
    start, stop, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1)[:3]
    span = stop - start
    count = -(-span // step)
    return TracedRange(start, step, fnp.maximum(count, 0))


def _enumerate(iterable: Any, start: int = 0) -> Any:
    loops = isinstance(iterable, (Tracer, Zipped))
    return Enumerated(iterable, start) if loops else enumerate(iterable, start)


def _zip(*iterables: Any, strict: bool = False) -> Any:
    if any(isinstance(x, Tracer) for x in iterables) and not strict:
        return Zipped(iterables)
    return zip(*iterables, strict=strict)


def _convert(kind: Any) -> Callable[..., Any]:
    def converted(*args: Any) -> Any:
        if len(args) == 1 and is_traced(args[0]) and args[0].size == 1:
            return args[0].reshape(()).astype(kind)
        return kind(*args)

    return converted


def _extreme(original: Callable[..., Any], larger: bool) -> Callable[..., Any]:
    def extreme(*args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) < 2 or not any(is_traced(a) for a in args):
            return original(*args, **kwargs)
        found = args[0]
        for x in args[1:]:
            better = x > found if larger else x < found
            if is_traced(better):
                found = fnp.where(better, x, found)
            else:
                found = x if better else found
        return found

    return extreme


def _math(name: str) -> Callable[..., Any]:
    original, ours = getattr(math, name), getattr(fnp, _MATH.get(name, name))
    to_int = name in ("floor", "ceil", "trunc")

    def function(*args: Any) -> Any:
        if not any(is_traced(a) for a in args):
            return original(*args)
        found = ours(*args)
        return found.astype(int) if to_int else found

    return function


_MATH = {"fabs": "abs", "pow": "power", "degrees": "degrees", "radians": "radians"}
_MATH_NAMES = (
    "sqrt exp log log2 log10 log1p expm1 sin cos tan asin acos atan atan2 sinh cosh tanh asinh "
    "acosh atanh hypot floor ceil trunc fabs pow isnan isinf isfinite copysign degrees radians fmod"
).split()

BUILTINS: dict[Any, Callable[..., Any]] = {
    builtins.range: _range,
    builtins.enumerate: _enumerate,
    builtins.zip: _zip,
    builtins.int: _convert(int),
    builtins.float: _convert(float),
    builtins.bool: _convert(bool),
    builtins.min: _extreme(min, False),
    builtins.max: _extreme(max, True),
    **{getattr(math, name): _math(name) for name in _MATH_NAMES},
}
"""By Python's function, the one that also takes traced values."""


def contains(container: Any, item: Any) -> Any:
    """``item in container``."""
    if is_traced(container) or (is_traced(item) and isinstance(container, (list, tuple, range))):
        found: Any = False
        if isinstance(container, Tracer):
            return (container == item).any()
        for x in container:
            found = (x == item) | found
        return found
    return item in container
