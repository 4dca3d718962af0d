"""Samples of slices, pads, concatenation, reversal and iota, with loops over indices as oracles."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.laws.sample import BFLOAT16, Sample, draw_bool, draw_float, draw_int

__all__ = ["SAMPLES"]

Shape = tuple[int, ...]


def _draw(shape: Shape, dtype: Any) -> Any:
    kind = np.dtype(dtype).kind
    if kind == "b":
        return draw_bool(shape)
    return draw_int(shape, dtype) if kind in "iu" else draw_float(shape, dtype)


def _name(label: str, shape: Shape, dtype: Any) -> str:
    return f"{label}-{np.dtype(dtype).name}-{'x'.join(map(str, shape)) or 'scalar'}".replace(
        " ", ""
    )


def _smooth(dtype: Any) -> bool:
    return np.dtype(dtype).name in ("float64", "complex128")


def _slice(shape: Shape, start: Shape, limit: Shape, strides: Shape, dtype: Any = "f8") -> Sample:
    draw = _draw(shape, dtype)

    def oracle(x: Any) -> Any:
        picks = [list(range(a, b, s)) for a, b, s in zip(start, limit, strides, strict=True)]
        out = np.empty([len(p) for p in picks], x.dtype)
        for i in np.ndindex(out.shape):
            out[i] = x[tuple(p[k] for p, k in zip(picks, i, strict=True))]
        return out

    smooth = _smooth(dtype)
    return Sample(
        _name(f"{start}to{limit}by{strides}", shape, dtype),
        lambda rng: (draw(rng),),
        {"start": start, "limit": limit, "strides": strides},
        oracle,
        differentiable=(0,) if smooth else (),
        linear=((0,),) if smooth else (),
    )


def _pad(shape: Shape, low: Shape, high: Shape, interior: Shape, dtype: Any = "f8") -> Sample:
    draw, value = _draw(shape, dtype), _draw((), dtype)

    def oracle(x: Any, value: Any) -> Any:
        sizes = [
            a + b + n + max(0, n - 1) * k
            for n, a, b, k in zip(shape, low, high, interior, strict=True)
        ]
        out = np.empty(sizes, x.dtype)
        out[...] = value
        for i in np.ndindex(shape):
            j = [a + p * (k + 1) for p, a, k in zip(i, low, interior, strict=True)]
            if all(0 <= q < n for q, n in zip(j, sizes, strict=True)):
                out[tuple(j)] = x[i]
        return out

    smooth = _smooth(dtype)
    return Sample(
        _name(f"{low}{high}{interior}", shape, dtype),
        lambda rng: (draw(rng), value(rng)),
        {"low": low, "high": high, "interior": interior},
        oracle,
        differentiable=(0, 1) if smooth else (),
        linear=((0, 1), (0,), (1,)) if smooth else (),
    )


def _concatenate(shapes: tuple[Shape, ...], dimension: int, dtype: Any = "f8") -> Sample:
    draws = [_draw(shape, dtype) for shape in shapes]
    smooth = _smooth(dtype)
    every = tuple(range(len(shapes)))
    return Sample(
        _name(f"{len(shapes)}along{dimension}", shapes[-1], dtype),
        lambda rng: tuple(d(rng) for d in draws),
        {"dimension": dimension},
        lambda *xs: np.moveaxis(
            np.array(
                [row for x in xs for row in np.moveaxis(x, dimension, 0)], dtype=xs[0].dtype
            ).reshape((-1, *np.moveaxis(xs[0], dimension, 0).shape[1:])),
            0,
            dimension,
        ),
        differentiable=every if smooth else (),
        linear=(every, (0,)) if smooth else (),
    )


def _rev(shape: Shape, dimensions: Shape, dtype: Any = "f8") -> Sample:
    draw = _draw(shape, dtype)

    def oracle(x: Any) -> Any:
        out = np.empty_like(x)
        for i in np.ndindex(shape):
            out[i] = x[tuple(n - 1 - k if d in dimensions else k
                             for d, (k, n) in enumerate(zip(i, shape, strict=True)))]  # fmt: skip
        return out

    smooth = _smooth(dtype)
    return Sample(
        _name(f"{dimensions}", shape, dtype),
        lambda rng: (draw(rng),),
        {"dimensions": dimensions},
        oracle,
        differentiable=(0,) if smooth else (),
        linear=((0,),) if smooth else (),
    )


def _iota(dtype: Any, shape: Shape, dimension: int) -> Sample:
    def oracle() -> Any:
        out = np.empty(shape, dtype)
        for i in np.ndindex(shape):
            out[i] = i[dimension]
        return out

    params = {"dtype": np.dtype(dtype), "shape": shape, "dimension": dimension}
    return Sample(_name(f"along{dimension}", shape, dtype), lambda rng: (), params, oracle)


SAMPLES: dict[str, list[Sample]] = {
    "slice": [
        _slice((7,), (1,), (6,), (1,)),
        _slice((7,), (0,), (7,), (3,)),
        _slice((7,), (6,), (7,), (2,)),
        _slice((3, 5), (1, 0), (3, 5), (1, 2)),
        _slice((3, 5), (1, 2), (1, 4), (1, 1)),
        _slice((), (), (), ()),
        _slice((2, 3, 4), (0, 1, 1), (2, 2, 4), (1, 1, 2), "f4"),
        _slice((6,), (1,), (6,), (2,), BFLOAT16),
        _slice((6,), (1,), (6,), (2,), "i4"),
        _slice((6,), (2,), (5,), (1,), "?"),
        _slice((6,), (2,), (5,), (1,), "c16"),
    ],
    "pad": [
        _pad((3,), (1,), (2,), (0,)),
        _pad((3,), (1,), (0,), (2,)),
        _pad((2, 3), (1, 0), (0, 2), (0, 1)),
        _pad((5,), (-1,), (-2,), (0,)),
        _pad((4,), (-1,), (1,), (1,)),
        _pad((0,), (2,), (1,), (3,)),
        _pad((), (), (), ()),
        _pad((2, 3), (0, 1), (1, 0), (1, 0), "f4"),
        _pad((3,), (1,), (1,), (0,), "i8"),
        _pad((3,), (1,), (1,), (1,), "?"),
        _pad((3,), (1,), (1,), (1,), BFLOAT16),
        _pad((3,), (1,), (1,), (1,), "c16"),
    ],
    "concatenate": [
        _concatenate(((2,), (3,)), 0),
        _concatenate(((2, 3), (2, 1), (2, 0)), 1),
        _concatenate(((1, 2, 2), (3, 2, 2)), 0),
        _concatenate(((4,),), 0),
        _concatenate(((2, 2), (1, 2)), 0, "f4"),
        _concatenate(((2,), (3,)), 0, "i4"),
        _concatenate(((2,), (3,)), 0, "?"),
        _concatenate(((2,), (1,)), 0, BFLOAT16),
        _concatenate(((2,), (1,)), 0, "c16"),
    ],
    "rev": [
        _rev((5,), (0,)),
        _rev((2, 3), (1,)),
        _rev((2, 3, 2), (0, 2)),
        _rev((0, 3), (0,)),
        _rev((2, 3), (0, 1), "f4"),
        _rev((4,), (0,), "i4"),
        _rev((4,), (0,), "c16"),
    ],
    "iota": [
        _iota("i8", (5,), 0),
        _iota("f8", (2, 3), 0),
        _iota("f4", (2, 3), 1),
        _iota("i4", (0,), 0),
        _iota("u1", (2, 1, 3), 2),
        _iota(BFLOAT16, (3,), 0),
        _iota("c16", (3,), 0),
    ],
}
