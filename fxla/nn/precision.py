"""Low-precision operands: computed with in float32, and rounded once, at the end."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from fxla.core.dtypes import float32
from fxla.core.trace import typeof
from fxla.numpy.operands import as_value, promote_inexact
from fxla.ops.casts import convert

__all__ = ["floating", "product"]

F = TypeVar("F", bound=Callable[..., Any])


def floating(f: F) -> F:
    """Decorator of ``f(x, ...)``: x is floating in the body, and the result has its dtype.

    Integers are promoted as NumPy's functions do. float16 and bfloat16 become float32 in the body:
    a product of a bfloat16 and a Python number is float32 anyway, and a compiled kernel computes
    with float32 in any case.
    """
    call = f"nn.{f.__name__}"

    @functools.wraps(f)
    def wrapped(x: Any, *args: Any, **kwargs: Any) -> Any:
        (x,) = promote_inexact(call, as_value(x, call))
        dtype = typeof(x).dtype
        if dtype.itemsize >= 4:
            return f(x, *args, **kwargs)
        return convert(f(convert(x, float32), *args, **kwargs), dtype)

    return wrapped  # type: ignore[return-value]


def product(x: Any, weight: Any) -> Any:
    """``x @ weight`` in the dtype of both if they have one: NumPy gives float32 of bfloat16."""
    y = x @ weight
    dtype = weight.dtype
    return y.astype(dtype) if y.dtype is not dtype and typeof(x).dtype == dtype != y.dtype else y
