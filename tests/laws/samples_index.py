"""Samples of gather, scatter and dynamic slices; the oracle is XLA's definition, index by index."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fxla.ops.gather_dims import GatherDims
from tests.laws.sample import BFLOAT16, Sample, draw_distinct, draw_float, draw_int

__all__ = ["SAMPLES"]

Shape = tuple[int, ...]

ROWS = GatherDims((1,), (0,), (0,))
COLUMNS = GatherDims((0,), (1,), (1,))
POINTS = GatherDims((), (0, 1), (0, 1))
WINDOWS = GatherDims((1, 2), (), (0, 1))
ALONG = GatherDims((), (1,), (1,), (0,), (0,))
# (dims, operand, indices, sizes): x[i], x[:, i], x[i, j], x[i:i+2, j:j+3], take_along_axis
LAYOUTS: dict[str, tuple[GatherDims, Shape, Shape, Shape]] = {
    "rows": (ROWS, (5, 3), (4, 1), (1, 3)),
    "columns": (COLUMNS, (2, 6), (3, 1), (2, 1)),
    "points": (POINTS, (3, 4), (5, 2), (1, 1)),
    "windows": (WINDOWS, (4, 5), (2, 2), (2, 3)),
    "along": (ALONG, (2, 5), (2, 3, 1), (1, 1)),
    "vector": (GatherDims((), (0,), (0,)), (7,), (2, 2, 1), (1,)),
    "one": (GatherDims((0,), (0,), (0,)), (4, 3), (1,), (1, 3)),
}


def _addresses(
    dims: GatherDims, shape: Shape, indices: Any, sizes: Shape, mode: str
) -> Iterator[tuple[Shape, Shape | None]]:
    """(output index, operand index or None if it is outside) of every element."""
    batch_shape = indices.shape[:-1]
    window_dims = [
        d
        for d in range(len(shape))
        if d not in dims.collapsed_slice_dims and d not in dims.operand_batching_dims
    ]
    rank = len(batch_shape) + len(dims.offset_dims)
    for b in np.ndindex(*batch_shape):
        start = [0] * len(shape)
        for j, d in enumerate(dims.start_index_map):
            start[d] = int(indices[b][j])
        for d, k in zip(dims.operand_batching_dims, dims.start_indices_batching_dims, strict=True):
            start[d] = b[k]
        inside = all(0 <= s <= n - m for s, n, m in zip(start, shape, sizes, strict=True))
        if mode == "clip":
            start = [min(max(s, 0), n - m) for s, n, m in zip(start, shape, sizes, strict=True)]
        for w in itertools.product(*[range(sizes[d]) for d in window_dims]):
            index = list(start)
            for d, k in zip(window_dims, w, strict=True):
                index[d] += k
            window, free = dict(zip(dims.offset_dims, w, strict=True)), iter(b)
            out = tuple(window[k] if k in window else next(free) for k in range(rank))
            yield out, None if mode == "fill" and not inside else tuple(index)


def _indices(
    dims: GatherDims, shape: Shape, indices: Shape, sizes: Shape, mode: str, unique: bool
) -> Callable[[np.random.Generator], Any]:
    out = 2 if mode in ("fill", "clip") and not unique else 0

    def draw(rng: np.random.Generator) -> Any:
        columns = []
        for d in dims.start_index_map:
            last = shape[d] - sizes[d]
            if unique:
                n = int(np.prod(indices[:-1]))
                columns.append(rng.permutation(last + 1)[:n].reshape(indices[:-1]))
            else:
                columns.append(rng.integers(-out, last + out, indices[:-1], endpoint=True))
        return np.stack(columns, -1)

    return draw


def _gather(
    layout: str, mode: str, dtype: Any = "f8", fill: Any = None, index: str = "i8"
) -> Sample:
    dims, shape, where, sizes = LAYOUTS[layout]
    kind = np.dtype(dtype).kind
    draw = draw_int(shape, dtype) if kind in "iu" else draw_float(shape, dtype)
    indices = _indices(dims, shape, where, sizes, mode, False)

    def outside(dtype: np.dtype[Any]) -> Any:
        if fill is not None:
            return fill
        if dtype.kind in "iu":
            return np.iinfo(dtype).min if dtype.kind == "i" else np.iinfo(dtype).max
        return np.nan

    def oracle(x: Any, i: Any) -> Any:
        out = np.empty(dims.output_shape(i.shape, sizes), x.dtype)
        for at, source in _addresses(dims, shape, i, sizes, mode):
            out[at] = outside(x.dtype) if source is None else x[source]
        return out

    smooth = dtype in ("f8", "c16") and (mode != "fill" or fill == 0)
    return Sample(
        f"{layout}-{mode}-{np.dtype(dtype).name}-{index}-fill{fill}",
        lambda rng: (draw(rng), indices(rng).astype(index)),
        {"dims": dims, "sizes": sizes, "mode": mode, "fill_value": fill, "unique_indices": False},
        oracle,
        differentiable=(0,) if smooth else (),
        linear=((0,),) if smooth else (),
    )


def _scatter(
    combine: Callable[[Any, Any], Any],
    layout: str,
    mode: str,
    dtype: Any = "f8",
    *,
    unique: bool = False,
    linear: tuple[tuple[int, ...], ...] = (),
    exact: bool = True,
    distinct: bool = False,
) -> Sample:
    dims, shape, where, sizes = LAYOUTS[layout]
    indices = _indices(dims, shape, where, sizes, mode, unique)
    updates = dims.output_shape(where, sizes)

    def pair(rng: np.random.Generator) -> tuple[Any, Any]:
        if distinct:
            n, m = int(np.prod(shape)), int(np.prod(updates))
            both = draw_distinct((n + m,), dtype)(rng)
            return both[:n].reshape(shape), both[n:].reshape(updates)
        if np.dtype(dtype).kind in "iu":
            return draw_int(shape, dtype, 0, 5)(rng), draw_int(updates, dtype, 0, 5)(rng)
        return draw_float(shape, dtype)(rng), draw_float(updates, dtype)(rng)

    def operands(rng: np.random.Generator) -> tuple[Any, ...]:
        x, u = pair(rng)
        return x, indices(rng), u

    def oracle(x: Any, i: Any, u: Any) -> Any:
        out = np.array(x)
        for at, target in _addresses(dims, shape, i, sizes, mode):
            if target is not None:
                out[target] = combine(out[target], u[at])
        return out

    smooth = dtype in ("f8", "c16")
    return Sample(
        f"{layout}-{mode}-{np.dtype(dtype).name}{'-unique' if unique else ''}",
        operands,
        {"dims": dims, "sizes": sizes, "mode": mode, "unique_indices": unique},
        oracle,
        differentiable=(0, 2) if smooth else (),
        linear=linear if smooth else (),
        ulps=0 if exact else 4,
        kernel_ulps=0 if exact else 8,
        whole=True,
    )


def _scatters(combine: Callable[[Any, Any], Any], **more: Any) -> list[Sample]:
    made = [_scatter(combine, layout, "fill", **more) for layout in LAYOUTS]
    made += [_scatter(combine, "windows", "clip", **more)]
    made += [_scatter(combine, "rows", "promise_in_bounds", **more)]
    made += [_scatter(combine, "rows", "fill", unique=True, **more)]
    made += [_scatter(combine, "rows", "fill", dtype, **more) for dtype in ("f4", "i4", BFLOAT16)]
    return made


SAMPLES: dict[str, list[Sample]] = {
    "gather": [
        *[_gather(layout, "clip") for layout in LAYOUTS],
        *[_gather(layout, "fill", fill=0) for layout in LAYOUTS],
        _gather("rows", "promise_in_bounds"),
        _gather("rows", "fill"),
        _gather("rows", "fill", "f4", index="i4"),
        _gather("points", "fill", "i4"),
        _gather("points", "fill", "u1"),
        _gather("rows", "clip", BFLOAT16),
        _gather("rows", "clip", "c16"),
        _gather("vector", "clip", "f4", index="i4"),
    ],
    # with overlaps the last one written counts, in C order of the updates
    "scatter": _scatters(lambda old, new: new, linear=((0, 2), (0,), (2,))),
    # sums in another order: one rounding for each term
    "scatter_add": [
        *_scatters(operator.add, linear=((0, 2), (0,), (2,)), exact=False),
        _scatter(operator.add, "rows", "clip", "c16", linear=((0, 2),), exact=False),
    ],
    "scatter_mul": _scatters(operator.mul, exact=False),
    "scatter_max": _scatters(max, distinct=True),
    "scatter_min": _scatters(min, distinct=True),
}


def _clamped(shape: Shape, starts: tuple[Any, ...], sizes: Shape) -> list[int]:
    return [min(max(int(s), 0), n - m) for s, n, m in zip(starts, shape, sizes, strict=True)]


def _starts(shape: Shape, index: str) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    return lambda rng: tuple(np.asarray(rng.integers(-2, n + 2)).astype(index) for n in shape)


def _dynamic_slice(shape: Shape, sizes: Shape, dtype: Any = "f8", index: str = "i8") -> Sample:
    draw = draw_int(shape, dtype) if np.dtype(dtype).kind in "iu" else draw_float(shape, dtype)
    starts = _starts(shape, index)

    def oracle(x: Any, *at: Any) -> Any:
        first = _clamped(shape, at, sizes)
        out = np.empty(sizes, x.dtype)
        for i in np.ndindex(sizes):
            out[i] = x[tuple(a + k for a, k in zip(first, i, strict=True))]
        return out

    smooth = dtype in ("f8", "c16")
    return Sample(
        f"{np.dtype(dtype).name}-{index}-{shape}-{sizes}".replace(" ", ""),
        lambda rng: (draw(rng), *starts(rng)),
        {"sizes": sizes},
        oracle,
        differentiable=(0,) if smooth else (),
        linear=((0,),) if smooth else (),
    )


def _dynamic_update(shape: Shape, sizes: Shape, dtype: Any = "f8", index: str = "i8") -> Sample:
    integer = np.dtype(dtype).kind in "iu"
    draws = [draw_int(s, dtype) if integer else draw_float(s, dtype) for s in (shape, sizes)]
    starts = _starts(shape, index)

    def oracle(x: Any, u: Any, *at: Any) -> Any:
        first = _clamped(shape, at, sizes)
        out = np.array(x)
        for i in np.ndindex(sizes):
            out[tuple(a + k for a, k in zip(first, i, strict=True))] = u[i]
        return out

    smooth = dtype in ("f8", "c16")
    return Sample(
        f"{np.dtype(dtype).name}-{index}-{shape}-{sizes}".replace(" ", ""),
        lambda rng: (draws[0](rng), draws[1](rng), *starts(rng)),
        {},
        oracle,
        differentiable=(0, 1) if smooth else (),
        linear=((0, 1), (0,), (1,)) if smooth else (),
    )


SAMPLES["dynamic_slice"] = [
    _dynamic_slice((7,), (3,)),
    _dynamic_slice((4, 5), (2, 5)),
    _dynamic_slice((3, 4, 5), (1, 2, 3)),
    _dynamic_slice((), ()),
    _dynamic_slice((3,), (0,)),
    _dynamic_slice((4, 5), (2, 2), "f4", "i4"),
    _dynamic_slice((5,), (2,), "i4", "u1"),
    _dynamic_slice((5,), (2,), "c16"),
]
SAMPLES["dynamic_update_slice"] = [
    _dynamic_update((7,), (3,)),
    _dynamic_update((4, 5), (2, 5)),
    _dynamic_update((3, 4, 5), (1, 2, 3)),
    _dynamic_update((), ()),
    _dynamic_update((3,), (0,)),
    _dynamic_update((4, 5), (2, 2), "f4", "i4"),
    _dynamic_update((5,), (2,), "i4", "u1"),
    _dynamic_update((5,), (2,), BFLOAT16),
    _dynamic_update((5,), (2,), "c16"),
]
