"""Samples of reductions, cumulative operations, sorting and searching.

The oracles fold Python numbers in order; sums and products are compared in ulps of the largest
result, one for each term, as the order of the terms is free.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from tests.laws.sample import (
    BFLOAT16,
    Sample,
    draw_bool,
    draw_distinct,
    draw_float,
    draw_int,
)

__all__ = ["SAMPLES"]

Shape = tuple[int, ...]
SHAPES: tuple[tuple[Shape, Shape], ...] = (
    ((2, 3), (0,)), ((2, 3), (1,)), ((2, 3), (0, 1)), ((2, 3, 4), (0, 2)), ((1,), (0,)),
    ((13,), (0,)), ((2, 2), ()),
)  # fmt: skip


def _draw(shape: Shape, dtype: Any, distinct: bool) -> Any:
    kind = np.dtype(dtype).kind
    if kind == "b":
        return draw_bool(shape)
    if distinct:
        return draw_distinct(shape, dtype)
    return draw_int(shape, dtype, -4, 4) if kind in "iu" else draw_float(shape, dtype, 0.5, 1.7)


def _name(label: str, shape: Shape, dtype: Any) -> str:
    return f"{label}-{np.dtype(dtype).name}-{'x'.join(map(str, shape))}".replace(" ", "")


def _python(x: Any) -> Any:
    value = x.item() if np.dtype(x.dtype) != BFLOAT16 else float(x)
    return value


def _fold(f: Callable[[Any, Any], Any], values: list[Any], start: Any) -> Any:
    return functools.reduce(f, values) if values else start


def _put(out: Any, i: Any, value: Any) -> None:
    if out.dtype.kind in "iu":
        bits = 8 * out.dtype.itemsize
        value = np.asarray(int(value) % (1 << bits), f"u{out.dtype.itemsize}").view(out.dtype)
    out[i] = value


def _reduction(
    f: Callable[[Any, Any], Any],
    start: Any,
    shape: Shape,
    axes: Shape,
    dtype: Any,
    *,
    distinct: bool = False,
    rounds: bool = False,
    smooth: bool = True,
) -> Sample:
    draw = _draw(shape, dtype, distinct)
    n = math.prod(shape[a] for a in axes)

    def oracle(x: Any) -> Any:
        kept = [d for d in range(len(shape)) if d not in axes]
        out = np.empty([shape[d] for d in kept], x.dtype)
        groups: dict[Any, list[Any]] = {i: [] for i in np.ndindex(out.shape)}
        for i in np.ndindex(shape):
            groups[tuple(i[d] for d in kept)].append(_python(x[i]))
        for i, values in groups.items():
            _put(out, i, _fold(f, values, start))
        return out

    return Sample(
        _name(f"over{axes}", shape, dtype),
        lambda rng: (draw(rng),),
        {"axes": axes},
        oracle,
        differentiable=(0,) if smooth and dtype in ("f8", "c16") else (),
        ulps=n if rounds else 0,
        kernel_ulps=2 * n if rounds else 0,
        whole=True,
    )


def _family(
    f: Callable[[Any, Any], Any], start: Any, dtypes: list[Any], **more: Any
) -> list[Sample]:
    first, *others = dtypes
    made = [_reduction(f, start, shape, axes, first, **more) for shape, axes in SHAPES]
    return made + [_reduction(f, start, (3, 5), (1,), dtype, **more) for dtype in others]


SAMPLES: dict[str, list[Sample]] = {
    "reduce_max": _family(max, None, ["f8", "f4", "f2", BFLOAT16, "i4", "u1", "?"], distinct=True),
    "reduce_min": _family(min, None, ["f8", "f4", "f2", BFLOAT16, "i4", "u1", "?"], distinct=True),
    "reduce_prod": [
        *_family(operator.mul, 1, ["f8", "f4", "f2", BFLOAT16, "i4", "u1", "c16"], rounds=True),
        _reduction(operator.mul, 1, (0, 2), (0,), "f8"),
    ],
    "reduce_and": _family(operator.and_, -1, ["?", "i4", "u1"], smooth=False),
    "reduce_or": _family(operator.or_, 0, ["?", "i4", "u1"], smooth=False),
    "reduce_xor": _family(operator.xor, 0, ["?", "i4", "u1"], smooth=False),
}
SAMPLES["reduce_prod"].append(
    Sample(
        "with-zeros",
        lambda rng: (np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 5.0], [1.5, 2.5, -1.0]]),),
        {"axes": (1,)},
        lambda x: np.array([0.0, 0.0, -3.75]),
        differentiable=(0,),
    )
)


def _cumulative(
    f: Callable[[Any, Any], Any],
    shape: Shape,
    axis: int,
    reverse: bool,
    dtype: Any,
    *,
    distinct: bool = False,
    rounds: bool = False,
    extra: int = 0,
) -> Sample:
    draw = _draw(shape, dtype, distinct)

    def oracle(x: Any) -> Any:
        out = np.empty_like(x)
        flipped = np.flip(x, axis) if reverse else x
        for i in np.ndindex(shape):
            row = [(*i[:axis], k, *i[axis + 1 :]) for k in range(i[axis] + 1)]
            _put(out, i, _fold(f, [_python(flipped[j]) for j in row], 0))
        return np.flip(out, axis) if reverse else out

    n = shape[axis] + extra
    direction = "backward" if reverse else "forward"
    return Sample(
        _name(f"{direction}{axis}", shape, dtype),
        lambda rng: (draw(rng),),
        {"axis": axis, "reverse": reverse},
        oracle,
        differentiable=(0,) if dtype in ("f8", "c16") else (),
        ulps=n if rounds else 0,
        kernel_ulps=2 * n if rounds else 0,
        whole=True,
    )


def _cumulatives(f: Any, dtypes: list[Any], **more: Any) -> list[Sample]:
    first, *others = dtypes
    made = [
        _cumulative(f, shape, axis, reverse, first, **more)
        for shape, axis, reverse in (
            ((5,), 0, False), ((5,), 0, True), ((2, 3), 1, False), ((3, 2), 0, True),
            ((0,), 0, False), ((2, 3, 2), 1, False), ((1,), 0, True),
        )
    ]  # fmt: skip
    return made + [_cumulative(f, (2, 4), 1, False, dtype, **more) for dtype in others]


def _logaddexp(a: Any, b: Any) -> Any:
    return float(mpmath.log(mpmath.exp(a) + mpmath.exp(b)))


SAMPLES |= {
    "cumsum": _cumulatives(
        operator.add, ["f8", "f4", "f2", BFLOAT16, "i4", "u1", "c16"], rounds=True
    ),
    "cumprod": _cumulatives(operator.mul, ["f8", "f4", BFLOAT16, "i4", "c16"], rounds=True),
    "cummax": _cumulatives(max, ["f8", "f4", BFLOAT16, "i4", "u1"], distinct=True),
    "cummin": _cumulatives(min, ["f8", "f4", BFLOAT16, "i4", "u1"], distinct=True),
    # an exponential and a logarithm of 4 ulps each in every step
    "cumlogsumexp": _cumulatives(_logaddexp, ["f8", "f4", "f2"], rounds=True, extra=8),
}  # fmt: skip


def _recurrence(shape: Shape, axis: int, reverse: bool, dtype: Any) -> Sample:
    draw = draw_float(shape, dtype, -1.2, 1.2)

    def oracle(a: Any, b: Any) -> Any:
        a, b = (np.moveaxis(np.flip(x, axis) if reverse else x, axis, 0) for x in (a, b))
        rows: list[Any] = []
        for k in range(len(b)):
            rows.append(b[k] + a[k] * rows[-1] if rows else b[k])
        out = np.moveaxis(np.array(rows, b.dtype).reshape(b.shape), 0, axis)
        return np.flip(out, axis) if reverse else out

    return Sample(
        _name(f"{'backward' if reverse else 'forward'}{axis}", shape, dtype),
        lambda rng: (draw(rng), draw(rng)),
        {"axis": axis, "reverse": reverse},
        oracle,
        differentiable=(0, 1) if dtype in ("f8", "c16") else (),
        linear=((1,),) if dtype in ("f8", "c16") else (),
        ulps=2,  # a product and a sum that may be one fused operation
        kernel_ulps=2 * shape[axis],
        whole=True,
    )


SAMPLES["linear_recurrence"] = [
    _recurrence((5,), 0, False, "f8"),
    _recurrence((5,), 0, True, "f8"),
    _recurrence((2, 4), 1, False, "f8"),
    _recurrence((3, 2, 2), 0, True, "f8"),
    _recurrence((0,), 0, False, "f8"),
    _recurrence((1,), 0, False, "f8"),
    _recurrence((2, 4), 1, True, "f4"),
    _recurrence((3,), 0, False, "c16"),
]


def _arg(best: Any, shape: Shape, dimension: int, dtype: Any, index: str, ties: bool) -> Sample:
    draw = draw_int(shape, dtype, 0, 2) if ties else _draw(shape, dtype, True)

    def oracle(x: Any) -> Any:
        moved = np.moveaxis(x, dimension, -1)
        out = np.empty(moved.shape[:-1], index)
        for i in np.ndindex(out.shape):
            row = [_python(v) for v in moved[i]]
            out[i] = row.index(best(row))
        return out

    return Sample(
        _name(f"along{dimension}{'-ties' if ties else ''}-{index}", shape, dtype),
        lambda rng: (draw(rng),),
        {"dimension": dimension, "index_dtype": np.dtype(index)},
        oracle,
    )


for _label, _best in (("argmax", max), ("argmin", min)):
    SAMPLES[_label] = [
        _arg(_best, (5,), 0, "f8", "int64", False),
        _arg(_best, (2, 3), 1, "f8", "int64", False),
        _arg(_best, (2, 3, 4), 1, "f4", "int32", False),
        _arg(_best, (1,), 0, "f8", "int64", False),
        _arg(_best, (3, 4), 0, "i4", "int64", True),
        _arg(_best, (4, 3), 1, "u1", "int32", True),
        _arg(_best, (6,), 0, BFLOAT16, "int64", False),
    ]


def _sort(shape: Shape, dimension: int, dtypes: tuple[Any, ...], num_keys: int) -> Sample:
    def operands(rng: np.random.Generator) -> tuple[Any, ...]:
        drawn = []
        for dtype in dtypes:
            ties = np.dtype(dtype).kind in "iu" and len(dtypes) > 1
            drawn.append((draw_int(shape, dtype, 0, 2) if ties else _draw(shape, dtype, True))(rng))
        return tuple(drawn)

    def oracle(*xs: Any) -> Any:
        outs = [np.empty_like(x) for x in xs]
        rest = [n for d, n in enumerate(shape) if d != dimension]
        for i in np.ndindex(*rest):
            at = (*i[:dimension], slice(None), *i[dimension:])
            rows = [[_python(v) for v in x[at]] for x in xs]
            order = sorted(range(shape[dimension]), key=lambda k: [r[k] for r in rows[:num_keys]])
            for out, x in zip(outs, xs, strict=True):
                out[at] = x[at][order]
        return tuple(outs)

    names = "-".join(np.dtype(d).name for d in dtypes)
    floats = tuple(k for k, d in enumerate(dtypes) if d == "f8")
    return Sample(
        f"{names}-keys{num_keys}-along{dimension}-{'x'.join(map(str, shape))}",
        operands,
        {"dimension": dimension, "num_keys": num_keys, "is_stable": True},
        oracle,
        differentiable=floats,
    )


SAMPLES["sort"] = [
    _sort((7,), 0, ("f8",), 1),
    _sort((3, 4), 0, ("f8",), 1),
    _sort((2, 3, 4), 1, ("f4",), 1),
    _sort((0,), 0, ("f8",), 1),
    _sort((1,), 0, ("f8",), 1),
    _sort((9,), 0, ("i4",), 1),
    _sort((6,), 0, (BFLOAT16,), 1),
    _sort((6,), 0, ("?",), 1),
    _sort((5,), 0, ("f8", "i8"), 1),
    _sort((5,), 0, ("f8", "f8"), 1),
    _sort((8,), 0, ("i4", "f8"), 1),
    _sort((8,), 0, ("i4", "i4", "f8"), 2),
]


def _top_k(shape: Shape, k: int, dtype: Any, index: str = "int64") -> Sample:
    draw = _draw(shape, dtype, np.dtype(dtype).kind not in "iu")

    def oracle(x: Any) -> Any:
        values = np.empty((*shape[:-1], k), x.dtype)
        where = np.empty((*shape[:-1], k), index)
        for i in np.ndindex(shape[:-1]):
            row = [_python(v) for v in x[i]]
            order = sorted(range(len(row)), key=lambda j: -row[j])[:k]
            values[i], where[i] = x[i][order], order
        return values, where

    return Sample(
        _name(f"top{k}", shape, dtype),
        lambda rng: (draw(rng),),
        {"k": k, "index_dtype": np.dtype(index)},
        oracle,
        differentiable=(0,) if dtype == "f8" else (),
    )


SAMPLES["top_k"] = [
    _top_k((7,), 3, "f8"),
    _top_k((2, 5), 2, "f8"),
    _top_k((4,), 4, "f8"),
    _top_k((4,), 0, "f8"),
    _top_k((2, 5), 2, "f4", "int32"),
    _top_k((9,), 4, "i4"),
]


def _search(n: int, shape: Shape, side: str, dtype: Any, index: str, lead: Shape = ()) -> Sample:
    def operands(rng: np.random.Generator) -> tuple[Any, ...]:
        if np.dtype(dtype).kind in "iu":
            ordered, values = (
                draw_int((*lead, n), dtype, 0, 6),
                draw_int((*lead, *shape), dtype, 0, 6),
            )
        else:
            ordered, values = draw_float((*lead, n), dtype), draw_float((*lead, *shape), dtype)
        return np.sort(ordered(rng), axis=-1), values(rng)

    def oracle(ordered: Any, values: Any) -> Any:
        out = np.empty(values.shape, index)
        for i in np.ndindex(values.shape):
            row = [_python(v) for v in ordered[i[: len(lead)]]]
            v = _python(values[i])
            out[i] = sum(1 for r in row if (r < v if side == "left" else r <= v))
        return out

    return Sample(
        f"{side}-{np.dtype(dtype).name}-{index}-{n}-{shape}-{lead}".replace(" ", ""),
        operands,
        {"side": side, "batch_dims": len(lead), "index_dtype": np.dtype(index)},
        oracle,
    )  # fmt: skip


SAMPLES["searchsorted"] = [
    _search(7, (4,), "left", "f8", "int64"),
    _search(7, (2, 3), "right", "f8", "int32"),
    _search(9, (5,), "left", "i4", "int64"),
    _search(9, (5,), "right", "i4", "int64"),
    _search(0, (2,), "left", "f8", "int64"),
    _search(1, (), "right", "f4", "int64"),
    _search(4, (3,), "left", "f8", "int64", (2,)),
]
