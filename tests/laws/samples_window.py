"""Samples of reductions over windows; the oracle visits every element of every window."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from fxla.ops.window_dims import Window
from tests.laws.sample import BFLOAT16, Sample, draw_distinct, draw_float, draw_int

__all__ = ["SAMPLES"]

Shape = tuple[int, ...]


def _window(
    sizes: Shape,
    strides: Shape | None = None,
    padding: tuple[tuple[int, int], ...] | None = None,
    base: Shape | None = None,
    dilation: Shape | None = None,
) -> Window:
    ones = (1,) * len(sizes)
    return Window(sizes, strides or ones, padding or ((0, 0),) * len(sizes), base or ones,
                  dilation or ones)  # fmt: skip


WINDOWS: dict[str, tuple[Shape, Window]] = {
    "plain": ((7,), _window((3,))),
    "pool": ((4, 6), _window((2, 2), (2, 2))),
    "padded": ((5,), _window((3,), (2,), ((1, 1),))),
    "uneven": ((4, 5), _window((3, 2), (1, 2), ((0, 2), (1, 0)))),
    "dilated": ((8,), _window((3,), (1,), ((0, 0),), (1,), (2,))),
    "holes": ((4,), _window((3,), (2,), ((1, 2),), (2,), (1,))),
    "cut": ((6,), _window((2,), (1,), ((-1, -1),))),
    "batch": ((2, 5, 3), _window((1, 2, 1), (1, 2, 1))),
}


def _elements(
    window: Window, shape: Shape, out: Shape
) -> Iterator[tuple[Shape, list[tuple[int, Shape]]]]:
    """(output index, [(position in the window, operand index)]) without padding and holes."""
    for i in np.ndindex(*out):
        found = []
        for k, offsets in enumerate(itertools.product(*map(range, window.sizes))):
            index = []
            for j, o, s, d, (low, _), b, n in zip(
                i, offsets, window.strides, window.window_dilation, window.padding,
                window.base_dilation, shape, strict=True,
            ):  # fmt: skip
                place = j * s + o * d - low
                if place % b == 0 and 0 <= place // b < n:
                    index.append(place // b)
            if len(index) == len(shape):
                found.append((k, tuple(index)))
        yield i, found


def _draw(shape: Shape, dtype: Any, distinct: bool) -> Any:
    if distinct:
        return draw_distinct(shape, dtype)
    return (
        draw_int(shape, dtype, 0, 9) if np.dtype(dtype).kind in "iu" else draw_float(shape, dtype)
    )


def _reduce(layout: str, kind: str, dtype: Any = "f8") -> Sample:
    shape, window = WINDOWS[layout]
    draw = _draw(shape, dtype, kind != "sum")
    n = int(np.prod(window.sizes))

    def identity(dtype: np.dtype[Any]) -> Any:
        if kind == "sum":
            return 0
        if dtype.kind in "iu":
            return np.iinfo(dtype).min if kind == "max" else np.iinfo(dtype).max
        return -np.inf if kind == "max" else np.inf

    def oracle(x: Any) -> Any:
        out = np.full(window.output_shape(shape), identity(x.dtype), x.dtype)
        fold = {"sum": sum, "max": max, "min": min}[kind]
        for i, found in _elements(window, shape, out.shape):
            if found:
                out[i] = fold([x[j].item() if x.dtype.kind in "iu" else float(x[j])
                               for _, j in found])  # fmt: skip
        return out

    smooth = dtype == "f8"
    rounds = n if kind == "sum" and np.dtype(dtype).kind not in "iu" else 0
    return Sample(
        f"{layout}-{np.dtype(dtype).name}",
        lambda rng: (draw(rng),),
        {"window": window},
        oracle,
        differentiable=(0,) if smooth else (),
        linear=((0,),) if smooth and kind == "sum" else (),
        ulps=rounds,
        kernel_ulps=2 * rounds,
        whole=True,
    )


def _arg(layout: str, kind: str, dtype: Any = "f8") -> Sample:
    shape, window = WINDOWS[layout]
    draw = _draw(shape, dtype, np.dtype(dtype).kind not in "iu")

    def oracle(x: Any) -> Any:
        out = np.full(window.output_shape(shape), -1, np.int32)
        for i, found in _elements(window, shape, out.shape):
            values = [float(x[j]) for _, j in found]
            if values:
                out[i] = found[values.index(max(values) if kind == "max" else min(values))][0]
        return out

    return Sample(
        f"{layout}-{kind}-{np.dtype(dtype).name}",
        lambda rng: (draw(rng),),
        {"window": window, "kind": kind},
        oracle,
    )


def _winners(window: Window, shape: Shape) -> Any:
    def draw(rng: np.random.Generator) -> Any:
        out = np.full(window.output_shape(shape), -1, np.int32)
        for i, found in _elements(window, shape, out.shape):
            if found:
                out[i] = found[rng.integers(len(found))][0]
        return out

    return draw


def _pick(layout: str, dtype: Any = "f8") -> Sample:
    shape, window = WINDOWS[layout]
    draw, winners = _draw(shape, dtype, False), _winners(window, shape)

    def oracle(t: Any, winner: Any) -> Any:
        out = np.zeros(winner.shape, t.dtype)
        for i, found in _elements(window, shape, out.shape):
            for k, j in found:
                if k == winner[i]:
                    out[i] = t[j]
        return out

    smooth = dtype == "f8"
    return Sample(
        f"{layout}-{np.dtype(dtype).name}",
        lambda rng: (draw(rng), winners(rng)),
        {"window": window},
        oracle,
        differentiable=(0,) if smooth else (),
        linear=((0,),) if smooth else (),
    )


def _place(layout: str, dtype: Any = "f8") -> Sample:
    shape, window = WINDOWS[layout]
    draw, winners = _draw(window.output_shape(shape), dtype, False), _winners(window, shape)

    def oracle(ct: Any, winner: Any) -> Any:
        out = np.zeros(shape, ct.dtype)
        for i, found in _elements(window, shape, ct.shape):
            for k, j in found:
                if k == winner[i]:
                    out[j] += ct[i]
        return out

    smooth = dtype == "f8"
    n = int(np.prod(window.sizes))
    return Sample(
        f"{layout}-{np.dtype(dtype).name}",
        lambda rng: (draw(rng), winners(rng)),
        {"window": window, "shape": shape},
        oracle,
        differentiable=(0,) if smooth else (),
        linear=((0,),) if smooth else (),
        ulps=n,
        kernel_ulps=2 * n,
        whole=True,
    )


SAMPLES: dict[str, list[Sample]] = {
    "reduce_window_sum": [
        *[_reduce(layout, "sum") for layout in WINDOWS],
        *[_reduce("pool", "sum", dtype) for dtype in ("f4", "i4", "f2", BFLOAT16)],
    ],
    "reduce_window_max": [
        *[_reduce(layout, "max") for layout in WINDOWS],
        *[_reduce("padded", "max", dtype) for dtype in ("f4", "i4", BFLOAT16)],
    ],
    "reduce_window_min": [
        *[_reduce(layout, "min") for layout in WINDOWS],
        *[_reduce("padded", "min", dtype) for dtype in ("f4", "i4", "u1")],
    ],
    "window_arg": [
        *[_arg(layout, "max") for layout in WINDOWS],
        _arg("pool", "min"),
        _arg("uneven", "max", "i4"),
        _arg("pool", "min", "f4"),
    ],
    "window_pick": [*[_pick(layout) for layout in WINDOWS], _pick("pool", "f4")],
    "window_place": [*[_place(layout) for layout in WINDOWS], _place("pool", "f4")],
}
