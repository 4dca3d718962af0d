"""Random programs on arrays with named axes, of sizes at which compiled code changes its form.

A name stands for one extent throughout a program, so that any two values have a sum and many have a
product, of whatever rank and order of axes. Extents are drawn from both sides of what the compiler
distinguishes: vectors and their tails, rows side by side, tiles, strips, blocks of columns, sums
that several threads share. A program is data, which hypothesis shrinks, and `run` interprets it
with any array namespace.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

__all__ = ["NamedProgram", "Value", "named_programs", "run", "step"]

EXTENTS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 33, 64, 65, 100, 129, 257, 700, 1030]
MOST = 50_000
"""Elements of a value; one of more is averaged over its longest axis."""


@dataclass(frozen=True)
class Value:
    """An array and the names of its axes."""

    axes: str
    array: Any

    def extent(self, name: str) -> int:
        """How long an axis is."""
        return int(self.array.shape[self.axes.index(name)])


@dataclass(frozen=True)
class NamedProgram:
    """Steps of (operation, operands by position, a small number that the operation may use).

    Attributes:
        extents: of the axes a, b, c, ...
        inputs: names of the axes of each input.
        steps: the operations.
        results: how many of the last values are results.
        seed: of the inputs' values.
    """

    extents: tuple[int, ...]
    inputs: tuple[str, ...]
    steps: tuple[tuple[str, int, int, int], ...]
    results: int
    seed: int

    def values(self, dtype: Any = "float64", seed: int = 0) -> tuple[Any, ...]:
        """Arrays for the inputs."""
        rng = np.random.default_rng([self.seed, seed])
        shapes = [tuple(self.extent(n) for n in axes) for axes in self.operands]
        return tuple(np.asarray(rng.uniform(-1.5, 1.5, s)).astype(dtype) for s in shapes)

    @property
    def operands(self) -> tuple[str, ...]:
        """Axes of the inputs, of each as many as make no more elements than a value has."""
        sizes = [[math.prod(map(self.extent, a[:n])) for n in range(4)] for a in self.inputs]
        kept = [max(n for n in range(4) if s[n] <= MOST) for s in sizes]
        return tuple(a[:n] for a, n in zip(self.inputs, kept, strict=True))

    def extent(self, name: str) -> int:
        """How long an axis is."""
        return self.extents["abcd".index(name)]


def _along(operation: Callable[[Any, Any, int, int], Any]) -> Callable[[Any, Value, int], Value]:
    """What keeps the shape and works along one axis."""

    def apply(np_: Any, x: Value, k: int) -> Value:
        return Value(x.axes, operation(np_, x.array, k % len(x.axes), k)) if x.axes else x

    return apply


def _reduction(operation: Callable[[Any, Any, int], Any]) -> Callable[[Any, Value, int], Value]:
    """What reduces one axis."""

    def apply(np_: Any, x: Value, k: int) -> Value:
        if not x.axes:
            return x
        axis = k % len(x.axes)
        return Value(x.axes.replace(x.axes[axis], ""), operation(np_, x.array, axis))

    return apply


def _map(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Value, int], Value]:
    return lambda np_, x, k: Value(x.axes, operation(np_, x.array))


def _softmax(np_: Any, x: Any, axis: int, k: int) -> Any:
    e = np_.exp(x - np_.max(x, axis, keepdims=True))
    return e / np_.sum(e, axis, keepdims=True) * math.sqrt(x.shape[axis])


def _standardised(np_: Any, x: Any, axis: int, k: int) -> Any:
    centred = x - np_.mean(x, axis, keepdims=True)
    return centred / np_.sqrt(np_.mean(centred * centred, axis, keepdims=True) + 0.1)


def _logsumexp(np_: Any, x: Any, axis: int) -> Any:
    most = np_.max(x, axis, keepdims=True)
    return (np_.log(np_.sum(np_.exp(x - most), axis, keepdims=True)) + most).mean(axis)


def _at(x: Any, axis: int, place: Any) -> Any:
    return x[(slice(None),) * axis + (place,)]


def _cut(x: Any, axis: int, start: int | None, stop: int | None, step: int = 1) -> Any:
    return _at(x, axis, slice(start, stop, step))


def _neighbours(np_: Any, x: Any, axis: int, k: int) -> Any:
    n = x.shape[axis]
    widths = [(1, 1) if d == axis else (0, 0) for d in range(x.ndim)]
    padded = np_.pad(x, widths, mode=("constant", "edge", "wrap")[k % 3])
    return (_cut(padded, axis, 0, n) - 0.5 * _cut(padded, axis, 2, n + 2)) * 0.7 + x


def _index(n: int, k: int) -> Any:
    return np.random.default_rng(k).integers(-n, n, n)


def _scattered(np_: Any, x: Any, axis: int, k: int) -> Any:
    out = np_.zeros_like(x)
    place = (slice(None),) * axis + (_index(x.shape[axis], k),)
    if k % 2:
        np_.add.at(out, place, x * 0.5)
    else:
        np_.maximum.at(out, place, x)
    return out


def _flattened(np_: Any, x: Any, axis: int, k: int) -> Any:
    """Cut and put together as one axis, in the order of memory or another."""
    order = (*range(axis, x.ndim), *range(axis))
    turned = np_.transpose(x, order)
    flat = turned.reshape(-1)
    flat = np_.concatenate([flat[k:], flat[:k]])
    back = sorted(range(x.ndim), key=lambda d: order[d])
    return np_.transpose(flat.reshape(turned.shape), back)


def _interleaved(np_: Any, x: Any, axis: int, k: int) -> Any:
    halves = [_cut(x, axis, 0, None, 2), 0.5 * _cut(x, axis, 1, None, 2)]
    return np_.concatenate(halves[:: 1 if k % 2 else -1], axis)


def _by_largest(np_: Any, x: Any, axis: int) -> Any:
    place = np_.argmax(x, axis, keepdims=True)
    return np_.take_along_axis(x, place, axis).mean(axis)


def _turned(np_: Any, x: Value, k: int) -> Value:
    k %= max(len(x.axes), 1)
    axes = x.axes[k:] + x.axes[:k]
    if k % 2:
        axes = axes[::-1]
    return Value(axes, np_.transpose(x.array, tuple(x.axes.index(n) for n in axes)))


UNARY: dict[str, Callable[[Any, Value, int], Value]] = {
    "sin": _map(lambda np_, x: np_.sin(x)),
    "exp": _map(lambda np_, x: np_.exp(np_.tanh(x))),
    "log": _map(lambda np_, x: np_.log(x * x + 1.5)),
    "square": _map(lambda np_, x: np_.tanh(x) ** 2),
    "reciprocal": _map(lambda np_, x: 1.0 / (x * x + 1.0)),
    "positive": _map(lambda np_, x: np_.maximum(x, 0.0)),
    "sum": _reduction(lambda np_, x, axis: x.sum(axis) / math.sqrt(x.shape[axis])),
    "mean": _reduction(lambda np_, x, axis: x.mean(axis)),
    "max": _reduction(lambda np_, x, axis: x.max(axis)),
    "min": _reduction(lambda np_, x, axis: np_.min(x, axis=axis)),
    "variance": _reduction(lambda np_, x, axis: np_.var(x, axis=axis)),
    "logsumexp": _reduction(_logsumexp),
    "by largest": _reduction(_by_largest),
    "softmax": _along(_softmax),
    "standardised": _along(_standardised),
    "cumsum": _along(lambda np_, x, axis, k: np_.cumsum(x, axis) / math.sqrt(x.shape[axis])),
    "flip": _along(lambda np_, x, axis, k: np_.flip(x, axis)),
    "roll": _along(lambda np_, x, axis, k: np_.roll(x, k, axis)),
    "neighbours": _along(_neighbours),
    "rows": _along(lambda np_, x, axis, k: _at(x, axis, _index(x.shape[axis], k))),
    "scattered": _along(_scattered),
    "sorted": _along(lambda np_, x, axis, k: np_.sort(x, axis)),
    "flattened": _along(_flattened),
    "interleaved": _along(_interleaved),
    "turned": _turned,
}


def _broadcast(
    operation: Callable[[Any, Any, Any], Any],
) -> Callable[[Any, Value, Value, int], Value]:
    """What works on two values, which broadcast against each other by name."""

    def apply(np_: Any, x: Value, y: Value, k: int) -> Value:
        axes = x.axes + "".join(n for n in y.axes if n not in x.axes)
        order = [y.axes.index(n) for n in axes if n in y.axes]
        moved = np_.transpose(y.array, order)
        moved = moved[tuple(slice(None) if n in y.axes else None for n in axes)]
        own = x.array[(..., *[None] * (len(axes) - len(x.axes)))]
        return Value(axes, operation(np_, own, moved))

    return apply


def _where(np_: Any, x: Any, y: Any) -> Any:
    even = np.arange(x.shape[-1]) % 2 == 0 if x.ndim else True
    return np_.where(even, x, np_.tanh(y) * 0.5)


def _product(np_: Any, x: Value, y: Value, k: int) -> Value:
    """A sum of products over one axis that both have; their other common ones are a batch."""
    common = [n for n in x.axes if n in y.axes]
    if not common:
        return ADD(np_, x, y, k)
    summed = common[k % len(common)]
    axes = "".join(dict.fromkeys(x.axes + y.axes)).replace(summed, "")
    if k % 3 == 1:
        axes = axes[::-1]
    array = np_.einsum(f"{x.axes},{y.axes}->{axes}", x.array, y.array) / x.extent(summed)
    return Value(axes, np_.tanh(array) if k % 2 else array)


def _matmul(np_: Any, x: Value, y: Value, k: int) -> Value:
    """What is a product by `@` if the axes allow it, of either side or of both turned."""
    if len(x.axes) != 2 or len(y.axes) not in (1, 2):
        return _product(np_, x, y, k)
    for left in (x, Value(x.axes[::-1], x.array.T)):
        for right in (y, Value(y.axes[::-1], y.array.T)):
            if left.axes[1] == right.axes[0] and left.axes[0] not in right.axes:
                array = left.array @ right.array / left.extent(left.axes[1])
                return Value(left.axes[0] + right.axes[1:], np_.tanh(array) if k % 2 else array)
    return _product(np_, x, y, k)


ADD = _broadcast(lambda np_, x, y: x + y)
BINARY: dict[str, Callable[[Any, Value, Value, int], Value]] = {
    "add": ADD,
    "subtract": _broadcast(lambda np_, x, y: x - 0.5 * y),
    "multiply": _broadcast(lambda np_, x, y: np_.tanh(x) * y),
    "hypot": _broadcast(lambda np_, x, y: np_.sqrt(x * x + y * y + 0.25)),
    "where": _broadcast(_where),
    "maximum": _broadcast(lambda np_, x, y: np_.maximum(x, y)),
    "product": _product,
    "matmul": _matmul,
}


def _beside(y: Value, x: Value, program: NamedProgram) -> Value:
    """A value, averaged over axes until what it makes with another one has a size to compute."""
    while math.prod(map(program.extent, {*x.axes, *y.axes})) > 20 * MOST:
        own = max(set(y.axes) - set(x.axes) or y.axes, key=y.extent)
        y = Value(y.axes.replace(own, ""), y.array.mean(y.axes.index(own)))
    return y


def _small(x: Value) -> Value:
    while x.array.size > MOST:
        axis = max(range(len(x.axes)), key=lambda d: x.array.shape[d])
        x = Value(x.axes.replace(x.axes[axis], ""), x.array.mean(axis))
    return x


def run(np_: Any, program: NamedProgram, inputs: Any) -> tuple[Any, ...]:
    """Interpret a program with the functions of a namespace; its last values."""
    return tuple(v.array for v in _values(np_, program, inputs)[-program.results :])


def step(np_: Any, program: NamedProgram, inputs: Any) -> tuple[Any, Any]:
    """A program as a step of a loop: the next state, which is like its first input, and a row."""
    state, last = inputs[0], _values(np_, program, inputs)[-1]
    axes = program.operands[0]
    for name in last.axes:
        if name not in axes:
            last = Value(last.axes.replace(name, ""), last.array.mean(last.axes.index(name)))
    moved = BINARY["subtract"](np_, Value(axes, state), last, 0).array
    return np_.tanh(moved), moved.mean(-1)


def _values(np_: Any, program: NamedProgram, inputs: Any) -> list[Value]:
    """All values of a program, the inputs first."""
    values = [Value(a, x) for a, x in zip(program.operands, inputs, strict=True)]
    for name, a, b, k in program.steps:
        x, y = values[-1 - a % len(values)], values[-1 - b % len(values)]
        if name in UNARY:
            value = UNARY[name](np_, x, k)
        else:
            value = BINARY[name](np_, x, _beside(y, x, program), k)
        values.append(_small(value))
    return values


def named_programs() -> st.SearchStrategy[NamedProgram]:
    """Programs of 4 to 12 steps on up to 3 inputs, of up to 4 axes."""
    number = st.integers(0, 31)
    operand = st.one_of(st.just(0), st.integers(0, 5))
    step = st.tuples(st.sampled_from([*UNARY, *BINARY]), operand, operand, number)
    axes = st.lists(st.sampled_from("abcd"), unique=True, min_size=1, max_size=3).map("".join)
    return st.builds(
        NamedProgram,
        st.tuples(*[st.sampled_from(EXTENTS)] * 4),
        st.lists(axes, min_size=1, max_size=3).map(tuple),
        st.lists(step, min_size=4, max_size=12).map(tuple),
        st.integers(1, 3),
        st.integers(0, 2**16),
    )
