"""Reductions and running totals of a `Selection`, an array whose size depends on values.

What is not chosen gets the weight or the value with which it does not count.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.trace import Value, typeof
from fxla.numpy.dispatch import dispatched
from fxla.numpy.operands import normalise_axis
from fxla.numpy.reductions import truth
from fxla.numpy.selection import Selection, no_fixed_size
from fxla.ops.casts import convert
from fxla.ops.index import take
from fxla.ops.logic import and_
from fxla.ops.structure import broadcast_to

__all__ = [
    "after_reduction",
    "arguments_of",
    "average",
    "count_nonzero",
    "cumulative",
    "extreme",
    "position",
    "ptp",
    "public_form",
    "quantile",
    "reduced_axes",
    "reduction",
]

Body = Callable[..., Any]


def public_form(function: Any) -> Body:
    """What NumPy's function of traced arrays is here."""
    return dispatched[function]


def arguments_of(body: Body, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments by name, with the defaults."""
    bound = inspect.signature(body).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


def reduced_axes(s: Selection, axis: Any, call: str) -> tuple[int, ...]:
    """The axes that an ``axis=`` argument means."""
    if axis is None:
        return tuple(range(s.ndim))
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    return tuple([normalise_axis(a, s.ndim, call) for a in given])


def after_reduction(s: Selection, out: Value, axes: Sequence[int]) -> Selection:
    """A reduction over other axes than that of the selection."""
    gone = 0 if typeof(out).ndim == s.ndim else sum(a < s.axis for a in axes)
    return Selection(out, s.mask, s.axis - gone, safe=True)


def reduction(call: str, body: Body, args: Any, kwargs: Any) -> Any:
    """A reduction with ``where=``: what is not chosen does not count."""
    s = args[0]
    given = arguments_of(body, args, kwargs)
    axes = reduced_axes(s, given.get("axis"), call)
    if s.axis not in axes:
        return after_reduction(s, body(s.filled(), *args[1:], **kwargs), axes)
    where = s.spread(s.mask)
    asked = given.get("where", np._NoValue)
    if isinstance(asked, Selection):
        where = and_(where, broadcast_to(truth(asked.filled()), typeof(s.raw).shape))
    elif asked is not np._NoValue and asked is not True:
        raise no_fixed_size(f"{call}(..., where=)")
    given = {k: v for k, v in given.items() if k not in ("a", "x", "where")}
    return body(s.raw, **{**given, "where": where})


def extreme(bound: Callable[[np.dtype[Any]], Any]) -> Callable[..., Any]:
    """A maximum or minimum, which has no identity: `bound` if nothing is chosen."""

    def rule(call: str, body: Body, args: Any, kwargs: Any) -> Any:
        s = args[0]
        given = arguments_of(body, args, kwargs)
        given.pop("a")
        if s.axis not in reduced_axes(s, given["axis"], call):
            return reduction(call, body, args, kwargs)
        if given.get("initial", np._NoValue) is np._NoValue:
            given["initial"] = bound(s.dtype)
        return reduction(call, body, (s,), given)

    return rule


def position(bound: Callable[[np.dtype[Any]], Any]) -> Callable[..., Any]:
    """Where an extreme is, counted among the chosen elements."""

    def rule(call: str, body: Body, args: Any, kwargs: Any) -> Any:
        s = args[0]
        given = arguments_of(body, args, kwargs)
        given.pop("a")
        axis = given["axis"]
        if axis is None and s.ndim == 1:
            axis = 0
        if axis is None or s.axis != normalise_axis(axis, s.ndim, call):
            if axis is None:
                raise no_fixed_size(call, "several axes of x[mask] as one")
            return after_reduction(
                s, body(s.filled(), **given), (normalise_axis(axis, s.ndim, call),)
            )
        at = body(s.masked(bound(s.dtype)), **{**given, "axis": axis})
        return take(s.ranks(), at, 0)

    return rule


def count_nonzero(call: str, body: Body, args: Any, kwargs: Any) -> Any:
    """How many chosen elements are not zero."""
    s = args[0]
    counted = Selection(truth(s.raw), s.mask, s.axis)
    return reduction("np.sum", public_form(np.sum), (counted, *args[1:]), kwargs)


def ptp(call: str, body: Body, args: Any, kwargs: Any) -> Any:
    """The maximum less the minimum."""
    return public_form(np.max)(*args, **kwargs) - public_form(np.min)(*args, **kwargs)


def average(call: str, body: Body, args: Any, kwargs: Any) -> Any:
    """The mean weighted with another selection."""
    given = arguments_of(body, args, kwargs)
    a, w = given["a"], given["weights"]
    if w is None:
        return public_form(np.mean)(a, axis=given["axis"], keepdims=given["keepdims"])
    if given["returned"]:
        raise no_fixed_size(f"{call}(..., returned=True)")
    options = {"axis": given["axis"], "keepdims": given["keepdims"]}
    return public_form(np.sum)(a * w, **options) / public_form(np.sum)(w, **options)


def quantile(call: str, body: Body, args: Any, kwargs: Any) -> Any:
    """Quantiles by linear interpolation between sorted elements at positions that are values."""
    given = arguments_of(body, args, kwargs)
    s = args[0]
    method = given.get("method", "linear")
    one_axis = s.ndim == 1 or given.get("axis") in (s.axis, s.axis - s.ndim)
    if method != "linear" or not one_axis or given.get("weights") is not None:
        raise no_fixed_size(call)
    q = given.get("q", 0.5)
    fraction = public_form(np.divide)(q, 100.0 if "percentile" in call else 1.0)
    ordered = public_form(np.sort)(s, axis=s.axis)
    last = convert(s.count(), np.dtype(np.float64)) - 1.0
    at = public_form(np.multiply)(fraction, last)
    low = public_form(np.floor)(at)
    below = ordered[(slice(None),) * s.axis + (low.astype(np.int64),)]
    above = ordered[(slice(None),) * s.axis + (public_form(np.ceil)(at).astype(np.int64),)]
    weight = (at - low).reshape(np.shape(q) + (1,) * (s.ndim - 1 - s.axis))
    out = below + (above - below) * weight.astype(typeof(below + 0.0).dtype)
    nan = public_form(np.any)(public_form(np.isnan)(s), axis=s.axis)
    return public_form(np.where)(nan, np.nan, out).astype(typeof(out).dtype)


# --- along the axis -----------------------------------------------------------------------------


def cumulative(identity: Any) -> Callable[..., Any]:
    """A running total, to which what is not chosen adds the identity."""

    def rule(call: str, body: Body, args: Any, kwargs: Any) -> Any:
        s = args[0]
        given = arguments_of(body, args, kwargs)
        axis = given.get("axis")
        if axis is None and s.ndim > 1:
            raise no_fixed_size(call, "several axes of x[mask] as one")
        if axis is not None and normalise_axis(axis, s.ndim, call) != s.axis:
            return Selection(body(s.filled(), *args[1:], **kwargs), s.mask, s.axis, safe=True)
        return Selection(body(s.masked(identity), *args[1:], **kwargs), s.mask, s.axis)

    return rule
