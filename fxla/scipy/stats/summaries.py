"""Summaries of samples: ranks, the most common value, the standard error of the mean."""

from __future__ import annotations

from typing import Any, NamedTuple

import fxla.numpy as fnp
from fxla import lax
from fxla.core.trace import typeof, where_am_i
from fxla.numpy.operands import as_value, normalise_axis, promote_inexact

__all__ = ["ModeResult", "mode", "rankdata", "sem", "zscore"]


class ModeResult(NamedTuple):
    """The most common value, and how often it occurs.

    Example:
        >>> from fxla.scipy import stats
        >>> stats.mode([3, 1, 3]).count
        Array(2)
    """

    mode: Any
    count: Any


def mode(a: Any, axis: int | None = 0, keepdims: bool = False) -> ModeResult:
    """The most common value along an axis; the smallest of several. See `scipy.stats.mode`.

    Args:
        a: an array.
        axis: an axis, or None for all elements.
        keepdims: keep the axis with size 1.

    Example:
        >>> from fxla.scipy import stats
        >>> stats.mode([3, 1, 3, 2])
        ModeResult(mode=Array(3), count=Array(2))
    """
    x = as_value(a, "stats.mode")
    rank = typeof(x).ndim
    if axis is None:
        x, at = fnp.reshape(x, (-1,)), 0
    else:
        at = normalise_axis(axis, rank, "stats.mode")
    ordered = fnp.moveaxis(fnp.sort(x, axis=at), at, -1)
    n, rank_left = typeof(ordered).shape[-1], typeof(ordered).ndim
    places = fnp.arange(n)
    starts = fnp.concatenate(
        [fnp.ones((*typeof(ordered).shape[:-1], 1), bool), ordered[..., 1:] != ordered[..., :-1]],
        axis=-1,
    )
    first = lax.cummax(fnp.where(starts, places, 0), axis=rank_left - 1)
    counts = places - first + 1
    best = fnp.argmax(counts, axis=-1)
    value = fnp.take_along_axis(ordered, best[..., None], axis=-1)
    count = fnp.take_along_axis(counts, best[..., None], axis=-1)
    if not keepdims:
        return ModeResult(value[..., 0], count[..., 0])
    if axis is None:
        return ModeResult(*[fnp.reshape(v, (1,) * rank) for v in (value, count)])
    return ModeResult(fnp.moveaxis(value, -1, at), fnp.moveaxis(count, -1, at))


def rankdata(
    a: Any, method: str = "average", *, axis: int | None = None, nan_policy: str = "propagate"
) -> Any:
    """Ranks from 1. See `scipy.stats.rankdata`.

    Args:
        a: an array.
        method: of ranking equal elements: ``"average"``, ``"min"``, ``"max"``, ``"dense"`` or
            ``"ordinal"``.
        axis: along which to rank; None ranks all elements.
        nan_policy: ``"propagate"``: ranks of a row with a NaN are NaN.

    Example:
        >>> from fxla.scipy import stats
        >>> stats.rankdata([10, 30, 10, 20])
        Array([1.5, 4. , 1.5, 3. ])
    """
    call = "stats.rankdata"
    if method not in ("average", "min", "max", "dense", "ordinal"):
        raise ValueError(f'{call}: unknown method "{method}"{where_am_i()}')
    if nan_policy != "propagate":
        raise NotImplementedError(f"{call}: nan_policy={nan_policy!r}{where_am_i()}")
    x = as_value(a, call)
    if axis is None:
        x, at = fnp.reshape(x, (-1,)), 0
    else:
        at = normalise_axis(axis, typeof(x).ndim, call)
    x = fnp.moveaxis(x, at, -1)
    shape, rank = typeof(x).shape, typeof(x).ndim
    n = shape[-1]
    order = fnp.argsort(x, axis=-1, stable=True)
    back = fnp.argsort(order, axis=-1, stable=True)
    places = fnp.arange(n)
    if method == "ordinal":
        ranks = back + 1
    else:
        ordered = fnp.take_along_axis(x, order, axis=-1)
        edge = fnp.ones((*shape[:-1], 1), bool)
        changes = ordered[..., 1:] != ordered[..., :-1]
        starts = fnp.concatenate([edge, changes], axis=-1)
        ends = fnp.concatenate([changes, edge], axis=-1)
        first = lax.cummax(fnp.where(starts, places, 0), axis=rank - 1)
        last = fnp.flip(
            lax.cummin(fnp.flip(fnp.where(ends, places, n), axis=-1), axis=rank - 1), axis=-1
        )
        ranked = {
            "average": 0.5 * (first + last) + 1,
            "min": first + 1,
            "max": last + 1,
            "dense": fnp.cumsum(starts, axis=-1),
        }[method]
        ranks = fnp.take_along_axis(ranked, back, axis=-1)
    if typeof(x).dtype.kind == "f":
        unknown = fnp.any(fnp.isnan(x), axis=-1, keepdims=True)
        ranks = fnp.where(unknown, fnp.nan, ranks)
    return fnp.moveaxis(ranks, -1, at)


def sem(a: Any, axis: int | None = 0, ddof: int = 1, *, keepdims: bool = False) -> Any:
    """Standard error of the mean. See `scipy.stats.sem`.

    Args:
        a: an array.
        axis: an axis, or None for all elements.
        ddof: degrees of freedom that the mean has taken.
        keepdims: keep the axis with size 1.

    Example:
        >>> from fxla.scipy import stats
        >>> stats.sem([1.0, 2.0, 3.0])
        Array(0.57735027)
    """
    (x,) = promote_inexact("stats.sem", as_value(a, "stats.sem"))
    n = typeof(x).size if axis is None else typeof(x).shape[axis]
    return fnp.std(x, axis=axis, ddof=ddof, keepdims=keepdims) / n**0.5


def zscore(a: Any, axis: int | None = 0, ddof: int = 0) -> Any:
    """Distance from the mean in standard deviations. See `scipy.stats.zscore`.

    Args:
        a: an array.
        axis: an axis, or None for all elements.
        ddof: degrees of freedom that the mean has taken.

    Example:
        >>> from fxla.scipy import stats
        >>> stats.zscore([1.0, 3.0])
        Array([-1.,  1.])
    """
    (x,) = promote_inexact("stats.zscore", as_value(a, "stats.zscore"))
    apart = x - fnp.mean(x, axis=axis, keepdims=True)
    return apart / fnp.std(x, axis=axis, ddof=ddof, keepdims=True)
