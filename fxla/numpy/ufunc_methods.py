"""Methods of ufuncs: reduce, accumulate, reduceat and outer of every function of two operands.

Sums, products, extremes and the like are the reductions of the surface. Any other function folds
from the first element to the last, as NumPy does, in one compiled loop. NumPy itself says which
dtypes and errors a call gives: its own method is called for an array with at most one element on
each axis.
"""

from __future__ import annotations

import functools
import itertools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fxla.control.scan import scan
from fxla.core.dtypes import DType
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import AxisError, DtypeError
from fxla.numpy.arguments import NoValue, reduced_axes, refuse_out
from fxla.numpy.dispatch import dispatched, is_eager, result
from fxla.numpy.operands import as_value, convert_all, normalise_axis
from fxla.numpy.reductions import is_given, mask_of
from fxla.ops import cumulative, reduce
from fxla.ops.casts import convert
from fxla.ops.index import take
from fxla.ops.logic import select
from fxla.ops.shape import concatenate, slice_in_dim, stack
from fxla.ops.structure import (
    broadcast_to,
    expand_dims,
    move_axis,
    reshape,
    transpose,
)

__all__ = ["METHODS", "attach_methods", "fold", "method_of_traced"]

METHODS = ("reduce", "accumulate", "reduceat", "outer")
"""The methods that traced arrays answer; `at` writes into its array."""

_REDUCED: dict[np.ufunc, str] = {
    np.add: "sum",
    np.multiply: "prod",
    np.maximum: "max",
    np.minimum: "min",
    np.logical_and: "all",
    np.logical_or: "any",
    np.fmax: "nanmax",
    np.fmin: "nanmin",
}
"""Reductions of the surface by their ufunc."""

_REDUCED_BITS = {
    np.bitwise_and: reduce.reduce_and,
    np.bitwise_or: reduce.reduce_or,
    np.bitwise_xor: reduce.reduce_xor,
}
_RUNNING: dict[np.ufunc, Callable[[Value, int], Value]] = {
    np.add: cumulative.cumsum,
    np.multiply: cumulative.cumprod,
    np.maximum: cumulative.cummax,
    np.minimum: cumulative.cummin,
}

# --- what a call would give -----------------------------------------------------------------


def _as_numpy(call: str, run: Callable[[], Any]) -> Any:
    """What NumPy's method gives for a prototype; its errors, with the user's line."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(run())
    except np.exceptions.AxisError as error:
        raise AxisError(f"{call}: {error}{where_am_i()}") from None
    except TypeError as error:
        raise DtypeError(f"{call}: {error}{where_am_i()}") from None
    except (ValueError, IndexError, RuntimeError) as error:
        raise type(error)(f"{call}: {error}{where_am_i()}") from None


def _prototype(x: Value) -> np.ndarray[Any, Any]:
    """Ones of the dtype of `x` with at most one element on each axis."""
    aval = typeof(x)
    return np.ones([min(n, 1) for n in aval.shape], aval.dtype)


def _shaped_mask(where: Any, x: Value, call: str) -> Value | None:
    return None if where is NoValue or where is True else mask_of(where, x, call)


# --- folds ----------------------------------------------------------------------------------


def _step(ufunc: np.ufunc, call: str) -> Callable[[Any, Any, DType], Value]:
    ours = dispatched.get(ufunc)
    if ours is None:
        raise TypeError(f"{call} is not supported for traced arrays{where_am_i()}")
    function = ours

    def step(before: Any, x: Any, dtype: DType) -> Value:
        return convert(function(before, x), dtype)

    return step


def fold(
    step: Callable[[Any, Any, DType], Value],
    x: Value,
    axis: int,
    dtype: DType,
    start: Value | None,
    mask: Value | None,
    is_running: bool = False,
) -> Value:
    """Combine the elements along an axis, first to last, in one compiled loop.

    Args:
        step: (before, row, dtype) -> after.
        x: array.
        axis: along which.
        dtype: of the result.
        start: begins the fold; None: the first element does.
        mask: which elements to take; None: all. Needs a `start`.
        is_running: keep what is on the way, too.
    """
    rows = move_axis(convert(x, dtype), axis, 0)
    kept = None if mask is None else move_axis(mask, axis, 0)
    n, rest = typeof(rows).shape[0], typeof(rows).shape[1:]
    if start is None:
        start = reshape(slice_in_dim(rows, 0, 1, 1, 0), rest)
        rows = slice_in_dim(rows, 1, n, 1, 0)
    begin = broadcast_to(start, rest)

    def body(before: Any, item: Any) -> Any:
        row, chosen = item
        after = step(before, row, dtype)
        if chosen is not None:
            after = select(chosen, after, before)
        return after, (after if is_running else None)

    final, ys = scan(body, begin, (rows, kept))
    if not is_running:
        return as_value(final, "np.ufunc.reduce")
    return move_axis(concatenate([expand_dims(begin, (0,)), ys], 0), 0, axis)


def _reduce(
    functions: Mapping[str, Callable[..., Any]],
    ufunc: np.ufunc,
    array: Any,
    /,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = NoValue,
    where: Any = True,
) -> Any:
    call = f"np.{ufunc.__name__}.reduce"
    refuse_out(_single(out), call)
    x = as_value(array, call)
    sample = _prototype(x)
    options: dict[str, Any] = {} if initial is NoValue else {"initial": _sampled(initial)}
    if where is not True and where is not NoValue:
        options["where"] = np.ones((1,) * typeof(as_value(where, call)).ndim, bool)
    options |= {"axis": axis, "dtype": dtype, "keepdims": bool(keepdims)}
    shown = _as_numpy(call, lambda: ufunc.reduce(sample, **options))
    out_dtype = shown.dtype
    is_logic = ufunc in (np.logical_and, np.logical_or)
    if ufunc in _REDUCED and not (is_logic and is_given(initial)):
        given: dict[str, Any] = {"axis": axis, "keepdims": bool(keepdims)}
        if ufunc in (np.add, np.multiply):
            given["dtype"] = dtype
        else:
            x = convert(x, out_dtype) if dtype is not None else x
        if where is not True and where is not NoValue:
            given["where"] = where
        if is_given(initial):
            given["initial"] = initial
        return functions[_REDUCED[ufunc]](x, **given)
    axes = reduced_axes(axis, typeof(x).ndim, call)
    mask = _shaped_mask(where, x, call)
    if ufunc in _REDUCED_BITS and not is_given(initial) and mask is None:
        made = _REDUCED_BITS[ufunc](convert(x, out_dtype), axes)
        return expand_dims(made, axes) if keepdims else made
    start = convert_all([as_value(initial, call)], out_dtype)[0] if is_given(initial) else None
    if start is None and ufunc.identity is not None and (mask is not None or typeof(x).size == 0):
        start = np.asarray(ufunc.identity).astype(out_dtype)[()]
    if axes or start is not None:
        flat = _one_axis(x, axes)
        x = fold(
            _step(ufunc, call),
            flat,
            0,
            out_dtype,
            start,
            None if mask is None else _one_axis(mask, axes),
        )
    x = convert(x, out_dtype)
    return expand_dims(x, axes) if keepdims else x


def _one_axis(x: Value, axes: Sequence[int]) -> Value:
    """`x` with some axes made one, which comes first."""
    shape = typeof(x).shape
    rest = [k for k in range(len(shape)) if k not in axes]
    moved = transpose(x, (*axes, *rest)) if axes and tuple(axes) != tuple(range(len(axes))) else x
    return reshape(moved, (math.prod(shape[k] for k in axes), *[shape[k] for k in rest]))


def _single(out: Any) -> Any:
    return out[0] if isinstance(out, tuple) and len(out) == 1 else out


def _sampled(initial: Any) -> Any:
    """A concrete stand-in for an initial value."""
    return np.ones((), typeof(initial).dtype) if isinstance(initial, Tracer) else initial


def _accumulate(
    functions: Mapping[str, Callable[..., Any]],
    ufunc: np.ufunc,
    array: Any,
    /,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
) -> Any:
    call = f"np.{ufunc.__name__}.accumulate"
    refuse_out(_single(out), call)
    x = as_value(array, call)
    shown = _as_numpy(call, lambda: ufunc.accumulate(_prototype(x), axis, dtype))
    at = normalise_axis(axis, typeof(x).ndim, call)
    if ufunc in _RUNNING and shown.dtype.kind in (
        "biuf" if ufunc in (np.maximum, np.minimum) else "iufc"
    ):
        return _RUNNING[ufunc](convert(x, shown.dtype), at)
    if typeof(x).shape[at] == 0:
        return convert(x, shown.dtype)
    return fold(_step(ufunc, call), x, at, shown.dtype, None, None, is_running=True)


def _reduceat(
    functions: Mapping[str, Callable[..., Any]],
    ufunc: np.ufunc,
    array: Any,
    /,
    indices: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
) -> Any:
    call = f"np.{ufunc.__name__}.reduceat"
    refuse_out(_single(out), call)
    x = as_value(array, call)
    sample = _prototype(x)
    if sample.size:
        shown = _as_numpy(call, lambda: ufunc.reduceat(sample, [0], axis, dtype))
        out_dtype = shown.dtype
    else:
        out_dtype = _as_numpy(call, lambda: ufunc.accumulate(sample, axis, dtype)).dtype
    at = normalise_axis(axis, typeof(x).ndim, call)
    n = typeof(x).shape[at]
    known = indices.concrete() if isinstance(indices, Tracer) else np.asarray(indices, np.intp)
    reduced = functools.partial(_reduce, functions, ufunc)
    if known is None or isinstance(known, Tracer):
        return _reduceat_traced(reduced, ufunc, x, indices, at, out_dtype)
    begins = [int(i) for i in np.asarray(known).ravel()]
    for i in begins:
        if not 0 <= i < n:
            raise IndexError(f"{call}: index {i} out-of-bounds [0, {n}){where_am_i()}")
    if not begins:
        return convert(slice_in_dim(x, 0, 0, 1, at), out_dtype)
    if all(i < j for i, j in itertools.pairwise(begins)):
        return _segments(_step(ufunc, call), x, begins, at, out_dtype)
    pieces = []
    for i, stop in zip(begins, [*begins[1:], n], strict=True):
        piece = slice_in_dim(x, i, max(stop, i + 1), 1, at)
        pieces.append(convert(reduced(piece, axis=at, dtype=dtype), out_dtype))
    return stack(pieces, at)


def _segments(
    step: Callable[[Any, Any, DType], Value],
    x: Value,
    begins: Sequence[int],
    axis: int,
    dtype: DType,
) -> Value:
    """Folds of the pieces between increasing indices: one running fold that begins anew at each."""
    n = typeof(x).shape[axis]
    rows = move_axis(convert(x, dtype), axis, 0)
    is_first = np.zeros(n, bool)
    is_first[list(begins)] = True

    def body(before: Any, item: Any) -> Any:
        row, begin = item
        after = select(broadcast_to(begin, typeof(row).shape), row, step(before, row, dtype))
        return after, after

    zero = broadcast_to(np.zeros((), dtype)[()], typeof(rows).shape[1:])
    _, running = scan(body, zero, (rows, is_first))
    ends = np.asarray([*begins[1:], n]) - 1
    return move_axis(take(running, ends, 0), 0, axis)


def _reduceat_traced(
    reduced: Callable[..., Any], ufunc: np.ufunc, x: Value, indices: Any, axis: int, dtype: DType
) -> Value:
    """Reductions of pieces that begin where traced indices say, each over a mask of the axis."""
    call = f"np.{ufunc.__name__}.reduceat"
    begins = as_value(indices, call)
    (k,), n = typeof(begins).shape, typeof(x).shape[axis]
    index = dispatched[np.arange](n)
    begin = reshape(begins, (k, 1))
    less = dispatched[np.less]
    stop = concatenate([slice_in_dim(begins, 1, k), np.full(1, n, typeof(begins).dtype)], 0)
    stop = dispatched[np.maximum](reshape(stop, (k, 1)), dispatched[np.add](begin, 1))
    inside = dispatched[np.logical_and](dispatched[np.less_equal](begin, index), less(index, stop))
    rows = move_axis(convert(x, dtype), axis, 0)
    rest = typeof(rows).shape[1:]
    many = broadcast_to(expand_dims(rows, (0,)), (k, n, *rest))
    mask = broadcast_to(reshape(inside, (k, n, *[1] * len(rest))), (k, n, *rest))
    options: dict[str, Any] = {}
    if ufunc.identity is None:
        first = dispatched[np.take](rows, begins, 0)
        after = dispatched[np.greater](index, begin)
        mask = dispatched[np.logical_and](mask, reshape(after, (k, n, *[1] * len(rest))))
        made = fold(_step(ufunc, call), many, 1, dtype, first, mask)
    else:
        made = reduced(many, axis=1, where=mask, **options)
    return move_axis(convert(made, dtype), 0, axis)


def _outer(
    functions: Mapping[str, Callable[..., Any]], ufunc: np.ufunc, A: Any, B: Any, /, **kwargs: Any
) -> Any:
    call = f"np.{ufunc.__name__}.outer"
    if ufunc.nin != 2 or ufunc.signature is not None:
        raise ValueError(f"{call}: outer product only supported for binary functions{where_am_i()}")
    ours = dispatched.get(ufunc)
    if ours is None:
        raise TypeError(f"{call} is not supported for traced arrays{where_am_i()}")
    x, y = as_value(A, call), as_value(B, call)
    # A Python number gives no dtype here: NumPy makes an array of it first.
    x, y = [
        np.asarray(v) if typeof(v).weak_type and not isinstance(v, Tracer) else v for v in (x, y)
    ]
    column = reshape(x, (*typeof(x).shape, *[1] * typeof(y).ndim))
    return ours(column, y, **kwargs)


_TRACED: dict[str, Callable[..., Any]] = {
    "reduce": _reduce,
    "accumulate": _accumulate,
    "reduceat": _reduceat,
    "outer": _outer,
}


def method_of_traced(
    functions: Mapping[str, Callable[..., Any]], ufunc: np.ufunc, method: str
) -> Callable[..., Any] | None:
    """The traced form of a ufunc's method, None if there is none.

    Args:
        functions: the public functions, by name.
        ufunc: NumPy's.
        method: its name.
    """
    known = _TRACED.get(method)
    return None if known is None else functools.partial(known, functions, ufunc)


def attach_methods(functions: Mapping[str, Callable[..., Any]]) -> None:
    """Give the public form of every ufunc the methods and attributes that NumPy's has.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.add.reduce([1, 2, 3]), fnp.multiply.outer([1, 2], [3, 4]).tolist(), fnp.exp.nin
        (Array(6), [[3, 4], [6, 8]], 1)
    """
    for name, function in functions.items():
        ufunc = getattr(np, name, None)
        if not isinstance(ufunc, np.ufunc) or hasattr(function, "nin"):
            continue
        for attribute in ("nin", "nout", "nargs", "ntypes", "types", "identity", "signature"):
            setattr(function, attribute, getattr(ufunc, attribute))
        for method in METHODS:
            setattr(function, method, _public_method(functions, ufunc, method))
        function.at = _at(ufunc)  # type: ignore[attr-defined]


def _public_method(
    functions: Mapping[str, Callable[..., Any]], ufunc: np.ufunc, method: str
) -> Callable[..., Any]:
    numpys = getattr(ufunc, method)
    traced = functools.partial(_TRACED[method], functions, ufunc)

    def call(*args: Any, **kwargs: Any) -> Any:
        if is_eager():
            return result(numpys(*args, **kwargs))
        return traced(*args, **kwargs)

    call.__name__ = method
    call.__qualname__ = f"{ufunc.__name__}.{method}"
    call.__doc__ = f"See `numpy.ufunc.{method}`."
    return call


def _at(ufunc: np.ufunc) -> Callable[..., None]:
    def at(a: Any, indices: Any, b: Any = NoValue, /) -> None:
        ufunc.at(a, indices, *(() if b is NoValue else (b,)))

    at.__qualname__ = f"{ufunc.__name__}.at"
    at.__doc__ = "Apply the function in place where indices say. See `numpy.ufunc.at`."
    return at
