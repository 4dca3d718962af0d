"""Numbers between two ends: by a step, by their count, and on a logarithmic scale."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.dtypes import (
    DType,
    canonical_dtype,
    default_float,
    float64,
    inexact_dtype,
    int64,
    is_complex,
    is_inexact,
    is_integer,
    real_dtype,
)
from fxla.core.trace import Value, typeof, where_am_i
from fxla.numpy.dispatch import only_plain, public
from fxla.numpy.operands import (
    as_value,
    as_values,
    broadcast_all,
    concrete_only,
    convert_all,
    normalise_axis,
    promote,
    promoted_dtype,
)
from fxla.ops import arithmetic, elementwise, logic, transcendental
from fxla.ops.casts import convert
from fxla.ops.shape import iota
from fxla.ops.structure import (
    broadcast_to,
    move_axis,
)

__all__ = [
    "arange",
    "geomspace",
    "linspace",
    "logspace",
]


@public(np.arange)
def arange(
    start: Any,
    stop: Any = None,
    step: Any = None,
    dtype: Any = None,
    *,
    device: Any = None,
    like: Any = None,
) -> Any:
    """Numbers from `start` up to but not including `stop`, `step` apart. See `numpy.arange`.

    Args:
        start: the first number; with one argument it is `stop`, and the first is 0.
        stop: the end, not included.
        step: the distance between two numbers, 1 by default.
        dtype: of the result.
        device: None or ``"cpu"``.
        like: only None.

    Example:
        >>> import fxla.numpy as np
        >>> np.arange(3), np.arange(1.0, 2.0, 0.25)
        (Array([0, 1, 2]), Array([1.  , 1.25, 1.5 , 1.75]))
    """
    only_plain("np.arange", device=device, like=like)
    if stop is None:
        start, stop = 0, start
    step = 1 if step is None else step
    ends = [concrete_only(v, "np.arange", "start, stop and step") for v in (start, stop, step)]
    first, last, by = [v.item() for v in ends]
    if by == 0:
        raise ZeroDivisionError(f"np.arange: step is 0{where_am_i()}")
    if dtype is None:
        weak = all(not hasattr(v, "dtype") for v in (start, stop, step))
        found = np.dtype(np.result_type(*ends))
        wanted = default_float() if weak and found == float64 else found
    else:
        wanted = canonical_dtype(dtype)
    count = max(0, math.ceil((last - first) / by))
    work = wanted if wanted.kind in "iufc" and wanted.itemsize > 2 else float64
    x = convert(iota(int64, (count,)), work)
    # NumPy's step is the difference of the first two elements as the dtype holds them.
    begin = np.asarray(first).astype(work)
    delta = np.asarray(first + by).astype(work) - begin
    if delta != 1:
        x = arithmetic.mul(x, delta[()])
    if begin != 0:
        x = elementwise.add(x, begin[()])
    return convert(x, wanted)


def _fractions(num: int, endpoint: bool, dtype: DType, rank: int) -> tuple[Value, int]:
    """0, 1, ..., num - 1 along a new first axis, and how many steps there are."""
    steps = num - 1 if endpoint else num
    shape = (num, *[1] * rank)
    return convert(iota(int64, shape, 0), real_dtype(dtype)), steps


def _sequence(
    call: str,
    ends: tuple[Any, Any],
    num: Any,
    endpoint: bool,
    between: Callable[[Value, Value, Value], Value],
) -> tuple[Value, Value, Value, int]:
    """The points ``between(start, stop, fraction)``, with exact ends, and start, stop, steps."""
    n = operator.index(num)
    if n < 0:
        raise ValueError(f"{call}: Number of samples, {n}, must be non-negative.{where_am_i()}")
    start, stop = as_values(call, *ends)
    dtype = inexact_dtype(promoted_dtype(call, start, stop))
    if not any(is_inexact(typeof(v).dtype) and not typeof(v).weak_type for v in (start, stop)):
        dtype = dtype if is_complex(dtype) else default_float()
    start, stop = broadcast_all(call, *convert_all([start, stop], dtype))
    index, steps = _fractions(n, endpoint, dtype, typeof(start).ndim)
    shape = (n, *typeof(start).shape)
    index = broadcast_to(index, shape)
    first, last = broadcast_to(start, shape), broadcast_to(stop, shape)
    fraction = convert(arithmetic.div(index, float(max(steps, 1))), dtype)
    out = between(first, last, fraction)
    if endpoint and n > 1:
        out = logic.select_like(logic.eq(index, float(steps)), last, out)
    return logic.select_like(logic.eq(index, 0.0), first, out), start, stop, steps


def _in_dtype(out: Value, dtype: Any, axis: Any, call: str) -> Value:
    """The points in the dtype and along the axis that were asked for."""
    out = move_axis(out, 0, normalise_axis(axis, typeof(out).ndim, call))
    if dtype is None:
        return out
    wanted = canonical_dtype(dtype)
    return convert(arithmetic.floor(out) if is_integer(wanted) else out, wanted)


def _line(start: Value, stop: Value, fraction: Value) -> Value:
    return elementwise.add(start, arithmetic.mul(arithmetic.sub(stop, start), fraction))


@public(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: Any = 0,
    *,
    device: Any = None,
) -> Any:
    """Evenly spaced numbers. See `numpy.linspace`.

    Args:
        start: the first number, or an array of them.
        stop: the last number, or an array of them; broadcasts against `start`.
        num: how many.
        endpoint: whether `stop` is the last of them.
        retstep: also return the distance between two numbers.
        dtype: of the result; a float by default.
        axis: where the new axis is.
        device: None or ``"cpu"``.

    Example:
        >>> import fxla.numpy as np
        >>> np.linspace(0.0, 1.0, 5)
        Array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    only_plain("np.linspace", device=device)
    call = "np.linspace"
    out, first, last, steps = _sequence(call, (start, stop), num, endpoint, _line)
    out = _in_dtype(out, dtype, axis, call)
    if not retstep:
        return out
    return out, arithmetic.div(arithmetic.sub(last, first), float(steps) if steps else math.nan)


@public(np.logspace)
def logspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: Any = 0,
) -> Any:
    """``base ** linspace(start, stop)``. See `numpy.logspace`.

    Example:
        >>> import fxla.numpy as np
        >>> np.logspace(0, 3, 4)
        Array([   1.,   10.,  100., 1000.])
    """
    call = "np.logspace"
    exponents, *_ = _sequence(call, (start, stop), num, endpoint, _line)
    bases, powers = broadcast_all(call, *promote(call, as_value(base, call), exponents))
    return _in_dtype(transcendental.pow_(bases, powers), dtype, axis, call)


def _spiral(start: Value, stop: Value, fraction: Value) -> Value:
    return arithmetic.mul(
        start,
        transcendental.exp(
            arithmetic.mul(transcendental.log(arithmetic.div(stop, start)), fraction)
        ),
    )


@public(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = None, axis: Any = 0
) -> Any:
    """Numbers with a constant quotient: ``start * (stop / start) ** fraction``.

    See `numpy.geomspace`.

    Example:
        >>> import fxla.numpy as np
        >>> np.geomspace(1.0, 1000.0, 4)
        Array([   1.,   10.,  100., 1000.])
    """
    call = "np.geomspace"
    wanted = default_float() if dtype is None else canonical_dtype(dtype)  # no less than which
    first, last, _ = promote(call, *as_values(call, start, stop), np.zeros((), wanted))
    out, *_ = _sequence(call, (first, last), num, endpoint, _spiral)
    return _in_dtype(out, dtype, axis, call)
