"""What NumPy's functions mean for a `Selection`, an array whose size depends on values.

`call_with_selections` is where every public function sends a call with a selection among its
arguments. A function that is in none of the families below has no meaning that leaves the size
open; the error says how to give one.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.dtypes import is_inexact
from fxla.core.trace import typeof
from fxla.numpy.dispatch import with_open_size
from fxla.numpy.operands import normalise_axis
from fxla.numpy.reductions import truth
from fxla.numpy.selected_reductions import (
    after_reduction,
    arguments_of,
    average,
    count_nonzero,
    cumulative,
    extreme,
    position,
    ptp,
    public_form,
    quantile,
    reduced_axes,
    reduction,
)
from fxla.numpy.selection import Selection, common_selection, no_fixed_size
from fxla.ops.casts import convert
from fxla.ops.cumulative import greatest, least
from fxla.ops.logic import and_, lt
from fxla.ops.shape import concatenate, iota, rev
from fxla.ops.structure import broadcast_to, full, reshape, transpose

__all__ = ["call_with_selections", "install"]

_Body = Callable[..., Any]


# --- elementwise --------------------------------------------------------------------------------


def _from_last(s: Selection) -> int:
    return s.ndim - s.axis


def _operand(call: str, x: Any, from_last: int) -> Any:
    """An operand that is the same for all elements chosen."""
    if isinstance(x, Selection):
        return x.filled()
    sizes = np.shape(x) if not hasattr(x, "aval") else x.aval.shape
    if len(sizes) >= from_last and sizes[-from_last] != 1:
        raise no_fixed_size(call, f"x[mask] beside an array with {sizes[-from_last]} elements")
    return x


def _elementwise(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    """Apply to all elements; those that are not chosen do what the first one does."""
    found = [x for x in (*args, *kwargs.values()) if isinstance(x, Selection)]
    first = common_selection(call, found)
    from_last = _from_last(first)
    if any(_from_last(s) != from_last for s in found):
        raise no_fixed_size(call, "selections along different axes")
    operands = [_operand(call, x, from_last) for x in args]
    named = {k: _operand(call, x, from_last) for k, x in kwargs.items()}
    outs = body(*operands, **named)
    wrapped = [
        Selection(o, first.mask, typeof(o).ndim - from_last, safe=True)
        for o in (outs if isinstance(outs, tuple) else (outs,))
    ]
    return tuple(wrapped) if isinstance(outs, tuple) else wrapped[0]


def _where(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    if len(args) + len(kwargs) == 1:
        return _nonzero(call, body, args, kwargs)
    return _elementwise(call, body, args, kwargs)


def _in_first_argument(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    """Apply to each element of the first argument, all of the others."""
    others = (*args[1:], *kwargs.values())
    if not isinstance(args[0], Selection) or any(isinstance(x, Selection) for x in others):
        raise no_fixed_size(call)
    s = args[0]
    out = body(s.filled(), *args[1:], **kwargs)
    return Selection(out, s.mask, s.axis, safe=True)


def _searchsorted(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    given = arguments_of(body, args, kwargs)
    a, v = given.pop("a"), given.pop("v")
    if isinstance(a, Selection) or not isinstance(v, Selection):
        raise no_fixed_size(call, "the sorted array")
    return Selection(body(a, v.filled(), **given), v.mask, v.axis, safe=True)


# --- along the axis -----------------------------------------------------------------------------


def _sort(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    """Sorted with what is not chosen at the end."""
    s = args[0]
    given = arguments_of(body, args, kwargs)
    axis = given["axis"]
    if axis is None or normalise_axis(axis, s.ndim, call) != s.axis:
        if axis is None and s.ndim > 1:
            raise no_fixed_size(call, "several axes of x[mask] as one")
        if axis is not None:
            return Selection(body(s.filled(), axis=axis), s.mask, s.axis, safe=True)
    last = math.nan if is_inexact(s.dtype) else greatest(s.dtype)
    n = typeof(s.mask).shape[0]
    front = lt(iota(np.dtype(np.int64), (n,)), broadcast_to(s.count(), (n,)))
    return Selection(body(s.masked(last), axis=s.axis), front, s.axis)


def _unique(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    given = arguments_of(body, args, kwargs)
    s = args[0]
    flags = ("return_index", "return_inverse", "return_counts")
    if s.ndim != 1 or any(given[f] for f in flags):
        raise no_fixed_size(call)
    ordered = public_form(np.sort)(s)
    others = body(ordered.raw, equal_nan=given["equal_nan"])
    return Selection(ordered.raw, and_(ordered.mask, others.mask), 0)


def _flip(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    s = args[0]
    axes = reduced_axes(s, arguments_of(body, args, kwargs)["axis"], call)
    mask = rev(s.mask, (0,)) if s.axis in axes else s.mask
    return Selection(rev(s.raw, axes), mask, s.axis, s._safe)


def _nonzero(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    (s,) = args
    if s.ndim != 1:
        raise no_fixed_size(call, "several axes of x[mask] as one")
    return (Selection(s.ranks(), and_(s.mask, truth(s.raw)), 0),)


def _flatnonzero(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    return _nonzero(call, body, args, kwargs)[0]


def _concatenate(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    """One after the other: elements and masks alike."""
    given = arguments_of(body, args, kwargs)
    parts = next(iter(given.values()))
    axis = given.get("axis", 0)
    chosen = [p for p in parts if isinstance(p, Selection)]
    rank = chosen[0].ndim
    at = normalise_axis(0 if axis is None else axis, rank, call)
    if axis is None and rank > 1:
        raise no_fixed_size(call, "several axes of x[mask] as one")
    if any(s.ndim != rank for s in chosen):
        raise no_fixed_size(call)
    if all(s.axis != at for s in chosen):
        first = common_selection(call, chosen)
        if len(chosen) < len(parts):
            raise no_fixed_size(call, "x[mask] beside an array of fixed size")
        return Selection(body([s.filled() for s in parts], at), first.mask, first.axis, safe=True)
    masks, raws = [], []
    for p in parts:
        raw = p.raw if isinstance(p, Selection) else public_form(np.asarray)(p)
        n = typeof(raw).shape[at]
        masks.append(p.mask if isinstance(p, Selection) else full((n,), True, np.dtype(bool)))
        raws.append(raw)
    return Selection(body(raws, at), concatenate(masks, 0), at)


def _append(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    given = arguments_of(body, args, kwargs)
    values = given["values"]
    if not isinstance(values, Selection):
        values = public_form(np.atleast_1d)(values)
    parts = [given["arr"], values]
    return _concatenate(call, public_form(np.concatenate), (parts,), {"axis": given["axis"]})


def _stack(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    """Selections of the same positions along a new axis."""
    given = arguments_of(body, args, kwargs)
    parts = given["arrays"]
    if not all(isinstance(p, Selection) for p in parts):
        raise no_fixed_size(call, "x[mask] beside an array of fixed size")
    first = common_selection(call, parts)
    at = normalise_axis(given["axis"], first.ndim + 1, call)
    out = body([p.filled() for p in parts], axis=at)
    return Selection(out, first.mask, first.axis + (at <= first.axis), safe=True)


# --- shape --------------------------------------------------------------------------------------


def _reshape(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    """Shapes of a vector in which -1 stands for the unknown size."""
    s = args[0]
    shape = next(
        v for k, v in arguments_of(body, args, kwargs).items() if k in ("shape", "newshape")
    )
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if s.ndim != 1 or sizes.count(-1) != 1 or any(n not in (1, -1) for n in sizes):
        raise no_fixed_size(call)
    n = typeof(s.mask).shape[0]
    out = reshape(s.raw, tuple([n if k == -1 else 1 for k in sizes]))
    return Selection(out, s.mask, sizes.index(-1), s._safe)


def _ravel(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    s = args[0]
    if s.ndim != 1:
        raise no_fixed_size(call, "several axes of x[mask] as one")
    return s


def _moved(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    """Axes in another order; the function itself says which, on an array of their numbers."""
    s = args[0]
    sizes = tuple(range(2, s.ndim + 2))
    order = body(np.empty(sizes), *args[1:], **kwargs).shape
    axes = tuple([sizes.index(n) for n in order])
    return Selection(transpose(s.raw, axes), s.mask, axes.index(s.axis), s._safe)


def _expand(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    s = args[0]
    at = arguments_of(body, args, kwargs)["axis"]
    (at,) = at if isinstance(at, (tuple, list)) else (at,)
    at = normalise_axis(at, s.ndim + 1, call)
    return s[(slice(None),) * at + (None,)]


def _same(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    return args[0].copy()


def _known(attribute: str) -> Callable[..., Any]:
    def rule(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
        if len(args) + len(kwargs) > 1:
            return args[0].shape[arguments_of(body, args, kwargs)["axis"]]
        return getattr(args[0], attribute)

    return rule


# --- products -----------------------------------------------------------------------------------


def _matmul(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    """A product summed over the selection leaves out what is not chosen; else rows are chosen."""
    a, b = args[:2]
    rest = (*args[2:],)
    left = isinstance(a, Selection) and a.axis == a.ndim - 1
    right = isinstance(b, Selection) and b.axis == max(b.ndim - 2, 0)
    if left or right:
        if not (left and right):
            raise no_fixed_size(call, "one operand of a sum of products")
        common_selection(call, [a, b])
        return body(a.masked(0), b.masked(0), *rest, **kwargs)
    if isinstance(a, Selection) and isinstance(b, Selection):
        raise no_fixed_size(call, "both axes of a product")
    if isinstance(a, Selection):
        columns = 0 if np.ndim(b) == 1 or (hasattr(b, "aval") and b.aval.ndim == 1) else 1
        out = body(a.filled(), b, *rest, **kwargs)
        from_last = a.ndim - 2 - a.axis + columns
        return Selection(out, a.mask, typeof(out).ndim - 1 - from_last, safe=True)
    out = body(a, b.filled(), *rest, **kwargs)
    from_last = b.ndim - 1 - b.axis
    return Selection(out, b.mask, typeof(out).ndim - 1 - from_last, safe=True)


def _norm(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    given = arguments_of(body, args, kwargs)
    s, axis = args[0], given.get("axis")
    if given.get("ord") not in (None, 1, 2, math.inf, "fro"):
        raise no_fixed_size(f"{call}(..., ord={given['ord']!r})")
    if s.ndim > 1 and axis is not None and s.axis not in reduced_axes(s, axis, call):
        return after_reduction(
            s, body(s.filled(), *args[1:], **kwargs), reduced_axes(s, axis, call)
        )
    return body(s.masked(0), *args[1:], **kwargs)


def _lstsq(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    """Rows of zeros change neither the solution nor the residuals."""
    a, b = args[:2]
    if not (isinstance(a, Selection) and isinstance(b, Selection)) or a.axis or b.axis:
        raise no_fixed_size(call, "the rows")
    common_selection(call, [a, b])
    return body(a.masked(0), b.masked(0), *args[2:], **kwargs)


def _polyfit(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    """What is not chosen has weight 0."""
    given = arguments_of(body, args, kwargs)
    x, y, w = given["x"], given["y"], given["w"]
    chosen = [v for v in (x, y, w) if isinstance(v, Selection)]
    first = common_selection(call, chosen)
    if not (isinstance(x, Selection) and isinstance(y, Selection)) or given["cov"] or given["full"]:
        raise no_fixed_size(call)
    weight = convert(first.mask, np.dtype(np.float64)) if w is None else w.masked(0)
    return body(x.filled(), y.filled(), given["deg"], w=weight, rcond=given["rcond"])


def _bincount(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    """What is not chosen counts 0."""
    given = arguments_of(body, args, kwargs)
    s, weights = given.pop("x"), given.pop("weights")
    if not isinstance(s, Selection):
        raise no_fixed_size(call)
    if weights is None:
        ones = convert(s.mask, np.dtype(np.float64))
        return body(s.filled(), ones, **given).astype(np.intp)
    common_selection(call, [s, weights])
    return body(s.filled(), weights.masked(0), **given)


def _histogram(call: str, body: _Body, args: Any, kwargs: Any) -> Any:
    """What is not chosen has weight 0; it is inside the range, being a copy of a chosen element."""
    given = arguments_of(body, args, kwargs)
    s, weights = given.pop("a"), given.pop("weights")
    if not isinstance(s, Selection):
        raise no_fixed_size(call)
    if weights is not None:
        common_selection(call, [s, weights])
        return body(s.filled(), weights=weights.masked(0), **given)
    counts, edges = body(s.filled(), weights=convert(s.mask, np.dtype(np.float64)), **given)
    return (counts if given["density"] else counts.astype(np.intp)), edges


# --- the table ----------------------------------------------------------------------------------

_RULES: dict[Any, Callable[..., Any]] = {}


def _give(rule: Callable[..., Any], *functions: Any) -> None:
    for f in functions:
        _RULES[f] = rule


_give(_where, np.where)
_give(
    _elementwise,
    *(np.clip, np.isclose, np.nan_to_num, np.real, np.imag, np.angle, np.around, np.round, np.sinc),
    *(np.i0, np.fix, np.iscomplex, np.isreal, np.zeros_like, np.ones_like, np.full_like),
    *(np.empty_like, np.isposinf, np.isneginf, np.real_if_close),
)
_give(_in_first_argument, np.interp, np.digitize, np.isin)
_give(_searchsorted, np.searchsorted)
_give(reduction, np.sum, np.prod, np.mean, np.var, np.std, np.all, np.any)
_give(reduction, np.nansum, np.nanprod, np.nanmean, np.nanvar, np.nanstd)
_give(extreme(least), np.max, np.nanmax)
_give(extreme(greatest), np.min, np.nanmin)
_give(position(least), np.argmax)
_give(position(greatest), np.argmin)
_give(count_nonzero, np.count_nonzero)
_give(ptp, np.ptp)
_give(average, np.average)
_give(quantile, np.median, np.quantile, np.percentile)
_give(cumulative(0), np.cumsum, np.nancumsum)
_give(cumulative(1), np.cumprod, np.nancumprod)
_give(_sort, np.sort)
_give(_unique, np.unique)
_give(_flip, np.flip)
_give(_nonzero, np.nonzero)
_give(_flatnonzero, np.flatnonzero)
_give(_concatenate, np.concatenate)
_give(_append, np.append)
_give(_stack, np.stack)
_give(_reshape, np.reshape)
_give(_ravel, np.ravel)
_give(_moved, np.transpose, np.swapaxes, np.moveaxis)
_give(_expand, np.expand_dims)
_give(_same, np.asarray, np.array, np.copy, np.ascontiguousarray, np.asanyarray)
_give(_known("shape"), np.shape)
_give(_known("size"), np.size)
_give(_known("ndim"), np.ndim)
_give(_matmul, np.matmul, np.dot, np.vdot, np.inner)
_give(_norm, np.linalg.norm)
_give(_lstsq, np.linalg.lstsq)
_give(_polyfit, np.polyfit)
_give(_bincount, np.bincount)
_give(_histogram, np.histogram)


def call_with_selections(function: Any, name: str, body: _Body, args: Any, kwargs: Any) -> Any:
    """A call of a public function with a selection among its arguments.

    Args:
        function: NumPy's function.
        name: of the public function.
        body: what it does with traced arrays.
        args: of the call.
        kwargs: of the call.

    Raises:
        IndexError: if the function needs to know the size; the message says how to give it.
    """
    room = getattr(function, "__module__", "numpy").replace("numpy", "np", 1)
    call = f"{room if room.startswith('np') else 'np'}.{name}"
    rule = _RULES.get(function)
    if rule is None and isinstance(function, np.ufunc) and function.signature is None:
        rule = _elementwise
    if rule is None:
        raise no_fixed_size(call)
    if not args:
        bound = inspect.signature(body).bind(**kwargs)
        args, kwargs = bound.args, bound.kwargs
    return rule(call, body, args, kwargs)


def install() -> None:
    """Let public functions answer calls with a selection among their arguments."""
    with_open_size[:] = [call_with_selections]
