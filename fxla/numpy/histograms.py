"""Counting: `bincount` and histograms."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import DType, default_float, float64, int64, is_inexact
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.arguments import known_value, needs_size, public_with
from fxla.numpy.dispatch import public
from fxla.numpy.operands import as_value, as_values, convert_all, promote
from fxla.numpy.searching import searchsorted
from fxla.ops.arithmetic import div, mul, sub
from fxla.ops.casts import convert
from fxla.ops.elementwise import add
from fxla.ops.gather_dims import GatherDims
from fxla.ops.index import scatter_add
from fxla.ops.logic import and_, eq, ge, le, select
from fxla.ops.reduce import reduce_max, reduce_min
from fxla.ops.shape import iota, slice_in_dim
from fxla.ops.structure import (
    broadcast_in_dim,
    broadcast_to,
    expand_dims,
    full,
    reduce_sum,
    reshape,
)

__all__ = ["bincount", "histogram", "histogram2d", "histogram_bin_edges", "histogramdd"]


def _tally(places: Value, weights: Value | None, length: int, dtype: DType) -> Value:
    """Sum of weights (or count) for each place; places outside are left out."""
    n = typeof(places).shape[0]
    amounts = full((n,), 1, dtype) if weights is None else convert_all([weights], dtype)[0]
    dims = GatherDims((), (0,), (0,))
    zeros = full((length,), 0, dtype)
    return scatter_add(zeros, expand_dims(places, (1,)), amounts, dims, (1,), "fill")


@public_with(np.bincount, "length")
def bincount(
    x: Any, /, weights: Any = None, minlength: int = 0, *, length: int | None = None
) -> Value:
    """How often each number occurs.

    Args:
        x: a vector of integers that are not negative.
        weights: what each occurrence counts.
        minlength: least size of the result.
        length: size of the result, needed while the values of `x` are not known; larger numbers
            are left out.

    Raises:
        ValueError: if a known number is negative.
        TypeError: if the values are not known and no length is given.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.bincount([0, 2, 2])
        Array([1, 0, 2])
    """
    call = "np.bincount"
    values = as_value(x, call)
    aval = typeof(values)
    if aval.ndim != 1:
        raise ShapeError(f"{call}: object of too small or too large depth: {aval}{where_am_i()}")
    if is_inexact(aval.dtype) and aval.size:
        raise TypeError(f"{call}: cannot cast {aval} to integers safely{where_am_i()}")
    if length is None:
        known = known_value(values)
        if known is None:
            raise needs_size(values, call, "length")
        if known.size and known.min() < 0:
            raise ValueError(f"{call}: 'list' argument must have no negative elements")
        length = max(int(known.max()) + 1 if known.size else 0, operator.index(minlength))
    w = None
    if weights is not None:
        w = as_value(weights, call)
        if typeof(w).shape != aval.shape:
            raise ShapeError(
                f"{call}: The weights and list don't have the same length: {typeof(w)} and {aval}"
            )
    places = convert(values, int64)
    # a negative place would count from the end
    places = select(ge(places, 0), places, full(aval.shape, length, int64))
    return _tally(places, w, length, int64 if w is None else float64)


# --- edges ----------------------------------------------------------------------------------


@public(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Value:
    """The edges of the bins of `histogram`.

    Args:
        a: values.
        bins: number of bins of equal width, or their edges; a rule such as ``"auto"`` needs values
            that are known while tracing.
        range: ``(least, largest)``; default: those of `a`.
        weights: accepted; rules do not take them.

    Raises:
        ValueError: if the bins are not positive or not increasing.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.histogram_bin_edges([0.0, 4.0], bins=2)
        Array([0., 2., 4.])
    """
    return _edges("np.histogram_bin_edges", as_value(a, "np.histogram_bin_edges"), bins, range)


def _edges(call: str, x: Value, bins: Any, span: Any) -> Value:
    if isinstance(bins, str):
        known = known_value(x)
        if known is None:
            raise TypeError(
                f"{call}: bins={bins!r} takes the number of bins from the values of a traced "
                f"{typeof(x)}{where_am_i()}. Give a number."
            )
        return np.histogram_bin_edges(known, bins, span)
    if np.ndim(bins) == 1 or isinstance(bins, (list, tuple)):
        edges = as_value(bins, call)
        known = known_value(edges)
        if known is not None and np.any(known[:-1] > known[1:]):
            raise ValueError(f"{call}: `bins` must increase monotonically, when an array")
        return edges
    if np.ndim(bins) > 1:
        raise ValueError(f"{call}: `bins` must be 1d, when an array")
    count = operator.index(bins)
    if count < 1:
        raise ValueError(f"{call}: `bins` must be positive, when an integer")
    dtype = typeof(x).dtype if is_inexact(typeof(x).dtype) else default_float()
    ends = [] if span is None else [known_value(v) for v in span]
    if len(ends) == 2 and ends[0] is not None and ends[1] is not None:
        # NumPy's own, so that the edges of float32 values are rounded once
        bounds = (float(ends[0]), float(ends[1]))
        return np.histogram_bin_edges(np.zeros(0, dtype), count, bounds)
    first, last = _span(call, x, span, dtype)
    same = eq(first, last)
    half = convert_all([0.5], dtype)[0]
    first, last = select(same, sub(first, half), first), select(same, add(last, half), last)
    return _linspace(first, last, count, dtype)


def _span(call: str, x: Value, span: Any, dtype: DType) -> list[Value]:
    if span is not None:
        return convert_all(as_values(call, *span), dtype)
    if typeof(x).size == 0:
        return convert_all([0, 1], dtype)
    flat = reshape(convert(x, dtype), (typeof(x).size,))
    return [reduce_min(flat, (0,)), reduce_max(flat, (0,))]


def _linspace(first: Value, last: Value, count: int, dtype: DType) -> Value:
    """count + 1 points; the ends are exact."""
    (width,) = convert_all([div(sub(last, first), convert_all([count], dtype)[0])], dtype)
    place = iota(dtype, (count + 1,))
    line = add(mul(place, width), first)
    at_end = eq(iota(int64, (count + 1,)), count)
    return select(at_end, broadcast_to(last, (count + 1,)), line)


def _bins_of(call: str, x: Value, edges: Value) -> tuple[Value, Value]:
    """The bin of each value, and which values are in one. The last bin has both its edges."""
    values, borders = promote(call, x, edges)
    n = typeof(borders).shape[0] - 1
    found = sub(searchsorted(borders, values, "right"), 1)
    last = broadcast_to(slice_in_dim(borders, n, n + 1), typeof(values).shape)
    found = select(eq(values, last), full(typeof(found).shape, n - 1, int64), found)
    first = broadcast_to(slice_in_dim(borders, 0, 1), typeof(values).shape)
    return found, and_(ge(values, first), le(values, last))


def _flat_weights(call: str, weights: Any, shape: tuple[int, ...]) -> Value | None:
    if weights is None:
        return None
    w = as_value(weights, call)
    if typeof(w).shape != shape:
        raise ShapeError(f"{call}: weights should have the same shape as a.")
    return reshape(w, (typeof(w).size,))


@public(np.histogram)
def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None
) -> tuple[Value, Value]:
    """How many values are in each bin.

    The counts have no derivative with respect to the values; weighted ones have one with respect to
    the weights.

    Args:
        a: values, flattened.
        bins: number of bins, or their edges, see `histogram_bin_edges`.
        range: ``(least, largest)``; values outside are left out.
        density: whether to return a probability density instead.
        weights: what each value counts.

    Returns:
        The counts and the edges, of which there is one more.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.histogram([0.0, 1.0, 1.5, 4.0], bins=2)
        (Array([3, 1]), Array([0., 2., 4.]))
    """
    call = "np.histogram"
    x = as_value(a, call)
    w = _flat_weights(call, weights, typeof(x).shape)
    (flat,) = convert_all([reshape(x, (typeof(x).size,))], typeof(x).dtype)
    edges = _edges(call, flat, bins, range)
    count = typeof(edges).shape[0] - 1
    found, inside = _bins_of(call, flat, edges)
    places = select(inside, found, full(typeof(found).shape, count, int64))
    counts = _tally(places, w, count, int64 if w is None else typeof(w).dtype)
    if not density:
        return counts, edges
    (widths,) = convert_all([edges[1:] - edges[:-1]], default_float())
    return counts / widths / counts.sum(), edges


@public(np.histogram2d)
def histogram2d(
    x: Any,
    y: Any,
    bins: Any = 10,
    range: Any = None,
    density: bool | None = None,
    weights: Any = None,
) -> tuple[Value, Value, Value]:
    """How many points of the plane are in each rectangle.

    Args:
        x: first coordinates.
        y: second coordinates.
        bins: number of bins or edges, one for both or one for each.
        range: ``((least, largest), (least, largest))``.
        density: whether to return a probability density instead.
        weights: what each point counts.

    Returns:
        The counts, and the edges along both axes.

    Raises:
        ValueError: if there are not as many first as second coordinates.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.histogram2d([0.0, 1.0], [0.0, 1.0], bins=2)[0]
        Array([[1., 0.],
               [0., 1.]])
    """
    if len(x) != len(y):
        raise ShapeError("np.histogram2d: x and y must have the same length.")
    if np.ndim(bins) == 1 and len(bins) not in (1, 2):
        bins = [bins, bins]
    counts, edges = histogramdd([x, y], bins, range, density, weights)
    return counts, edges[0], edges[1]


@public(np.histogramdd)
def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None
) -> tuple[Value, tuple[Value, ...]]:
    """How many points of a space are in each box.

    Args:
        sample: an array of a point in each row, or a list with an array for each coordinate.
        bins: number of bins, one for all or one for each coordinate, or a list of edges.
        range: ``(least, largest)`` for each coordinate, or None.
        density: whether to return a probability density instead.
        weights: what each point counts.

    Returns:
        The counts, in a floating dtype, and a tuple of the edges along each axis.

    Raises:
        ValueError: if there are not as many bins as coordinates.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.histogramdd(fnp.array([[0.0], [1.0]]), bins=2)[0]
        Array([1., 1.])
    """
    call = "np.histogramdd"
    columns = _columns(call, sample)
    d = len(columns)
    choices = list(bins) if isinstance(bins, (list, tuple)) or np.ndim(bins) else [bins] * d
    if len(choices) != d:
        raise ValueError(f"{call}: The dimension of bins must be equal to the dimension of the "
                         "sample x.")  # fmt: skip
    spans = [None] * d if range is None else list(range)
    if len(spans) != d:
        raise ValueError(f"{call}: range argument must have one entry per dimension")
    edges = [_edges(call, x, b, s) for x, b, s in zip(columns, choices, spans, strict=True)]
    sizes = tuple(typeof(e).shape[0] - 1 for e in edges)
    total = int(np.prod(sizes))
    places: Value = full(typeof(columns[0]).shape, 0, int64)
    inside: Value = full(typeof(columns[0]).shape, True, np.dtype(bool))
    for x, e, n in zip(columns, edges, sizes, strict=True):
        found, within = _bins_of(call, x, e)
        places, inside = add(mul(places, n), found), and_(inside, within)
    places = select(inside, places, full(typeof(places).shape, total, int64))
    w = _flat_weights(call, weights, typeof(columns[0]).shape)
    counts = reshape(_tally(places, w, total, default_float()), sizes)
    return (_density(counts, edges) if density else counts), tuple(edges)


def _columns(call: str, sample: Any) -> list[Value]:
    """The coordinates, a vector for each."""
    if isinstance(sample, (list, tuple)) and len(sample) and np.ndim(sample[0]) == 1:
        return [convert_all([x], typeof(x).dtype)[0] for x in as_values(call, *sample)]
    x = as_value(sample, call)
    if typeof(x).ndim == 1:
        x = expand_dims(x, (1,))
    n, d = typeof(x).shape
    return [reshape(slice_in_dim(x, k, k + 1, axis=1), (n,)) for k in range(d)]


def _density(counts: Value, edges: Sequence[Value]) -> Value:
    total = reduce_sum(counts, tuple(range(len(edges))))
    for axis, e in enumerate(edges):
        (widths,) = convert_all([e[1:] - e[:-1]], typeof(counts).dtype)
        counts = div(counts, broadcast_in_dim(widths, typeof(counts).shape, (axis,)))
    return div(counts, total)
