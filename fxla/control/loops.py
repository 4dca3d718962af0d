"""Counted loops by a number, and over the elements of arrays: scans of other forms."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from fxla.control.scan import scan
from fxla.control.while_loop import while_loop
from fxla.core.dtypes import is_integer
from fxla.core.trace import typeof, where_am_i
from fxla.ops.casts import convert
from fxla.transforms.api import aval_of, function_name, kind_of, traced_call

__all__ = [
    "fori_loop",
    "map_",
]


def fori_loop(
    lower: Any,
    upper: Any,
    body_fun: Callable[[Any, Any], Any],
    init_val: Any,
    *,
    unroll: Any = None,
) -> Any:
    """``for i in range(lower, upper): val = body_fun(i, val)`` as a native loop.

    With concrete bounds it is a `scan` and has a reverse-mode derivative; with traced bounds it is
    a `while_loop`, which has forward mode only.

    Args:
        lower: the first integer.
        upper: the last one, exclusive.
        body_fun: ``(i, val) -> val``; the value keeps its structure and types.
        init_val: the first value, a pytree.
        unroll: accepted for compatibility with JAX.

    Raises:
        TypeError: if a bound is not an integer scalar, or the value changes its type.

    Example:
        >>> from fxla import lax
        >>> lax.fori_loop(0, 5, lambda i, total: total + i, 0)
        Array(10)
    """
    del unroll
    name = function_name(body_fun)
    for bound in (lower, upper):
        aval = aval_of(bound)
        if aval is None or aval.shape or not is_integer(aval.dtype):
            raise TypeError(
                f"lax.fori_loop of {name}: the bounds must be integer scalars, got "
                f"{aval or kind_of(bound)}{where_am_i()}. Convert it with `int` or `.astype(int)`."
            )
    bounds = _concrete_bounds(lower, upper)
    if bounds is not None:
        first, last = bounds

        def step(carry: Any, _: Any) -> Any:
            i, value = carry
            return (i + 1, traced_call(body_fun, i, value)), None

        step.__name__ = name
        (_, result), _ = scan(step, (first, init_val), None, max(0, last - first))
        return result

    def condition(carry: Any) -> Any:
        return carry[0] < carry[1]

    def body(carry: Any) -> Any:
        i, end, value = carry
        return i + 1, end, traced_call(body_fun, i, value)

    body.__name__ = name
    dtype = typeof(upper).dtype if not typeof(upper).weak_type else typeof(lower).dtype
    _, _, result = while_loop(
        condition, body, (convert(lower, dtype), convert(upper, dtype), init_val)
    )
    return result


def _concrete_bounds(lower: Any, upper: Any) -> tuple[int, int] | None:
    """Both bounds as Python integers, if their values are known."""
    try:
        return operator.index(lower), operator.index(upper)
    except TypeError:
        return None


def map_(f: Callable[[Any], Any], xs: Any, *, batch_size: int | None = None) -> Any:
    """Apply `f` to the elements along the leading axes, one after the other.

    Args:
        f: a function of one element.
        xs: a pytree of arrays whose leading axes have one length.
        batch_size: how many elements to vectorise at a time; None for one.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.map(lambda x: x * x, fnp.arange(3.0))
        Array([0., 1., 4.])
    """
    del batch_size
    _, ys = scan(lambda _, x: (None, traced_call(f, x)), None, xs)
    return ys
