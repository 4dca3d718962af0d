"""Softmax, its logarithm, and logarithms of sums of exponentials.

The maximum is taken out first, as a constant to derivatives, so nothing overflows.
"""

from __future__ import annotations

from typing import Any

import fxla.numpy as fnp
from fxla.control.api import stop_gradient
from fxla.control.custom_jvp import custom_jvp
from fxla.core.dtypes import is_complex
from fxla.core.trace import Value, typeof
from fxla.numpy.operands import as_value, canonical_axes, promote_inexact
from fxla.ops.casts import convert

__all__ = ["Axis", "log_softmax", "logsumexp", "operand_and_axes", "softmax"]

Axis = int | tuple[int, ...] | None


def operand_and_axes(x: Any, axis: Any, call: str) -> tuple[Value, tuple[int, ...]]:
    """`x` as a floating array, and the axes that are meant."""
    (x,) = promote_inexact(call, as_value(x, call))
    return x, canonical_axes(axis, typeof(x).ndim, call)


def _masked(x: Value, where: Any) -> Value:
    return x if where is None else fnp.where(where, x, -fnp.inf)


def _shift(x: Value, axes: tuple[int, ...]) -> Value:
    """The maximum along axes, a constant to derivatives; 0 where it is infinite or NaN."""
    if any(typeof(x).shape[a] == 0 for a in axes):
        return fnp.zeros((), typeof(x).dtype)
    top = stop_gradient(fnp.max(x, axis=axes, keepdims=True))
    return fnp.where(fnp.isfinite(top), top, 0)


def softmax(x: Any, axis: Axis = None, where: Any = None) -> Any:
    """``exp(x) / sum(exp(x))`` along axes.

    Args:
        x: an array.
        axis: an axis, a tuple of them, or None for all.
        where: which elements count, a boolean array that broadcasts with `x`; the others are 0, as
            are all if none counts.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import special
        >>> special.softmax(fnp.log(fnp.array([1.0, 2.0, 5.0])))
        Array([0.125, 0.25 , 0.625])
    """
    x, axes = operand_and_axes(x, axis, "softmax")
    return _softmax(axes, x, where)


def _softmax_value(axes: tuple[int, ...], x: Any, where: Any) -> Any:
    x = _masked(x, where)
    powers = fnp.exp(x - _shift(x, axes))
    total = fnp.sum(powers, axis=axes, keepdims=True)
    if where is None:
        return powers / total
    return powers / fnp.where(total == 0, 1, total)


_softmax = custom_jvp(_softmax_value, nondiff_argnums=(0,))


@_softmax.defjvp
def _softmax_jvp(axes: tuple[int, ...], primals: Any, tangents: Any) -> Any:
    """dy = y (dx - sum(y dx)): of all intermediate values only y is kept."""
    out = _softmax(axes, *primals)
    t = out * tangents[0]
    return out, t - out * fnp.sum(t, axis=axes, keepdims=True)


def log_softmax(x: Any, axis: Axis = None, where: Any = None) -> Any:
    """``x - log(sum(exp(x)))`` along axes: the logarithm of `softmax`, accurate for small values.

    Args:
        x: an array.
        axis: an axis, a tuple of them, or None for all.
        where: which elements count; the others are -inf.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import special
        >>> special.log_softmax(fnp.array([0.0, 1000.0]))
        Array([-1000.,     0.])
    """
    x, axes = operand_and_axes(x, axis, "log_softmax")
    x = _masked(x, where)
    shifted = x - _shift(x, axes)
    total = fnp.sum(fnp.exp(shifted), axis=axes, keepdims=True)
    if where is None:
        return shifted - fnp.log(total)
    return fnp.where(where, shifted - fnp.log(fnp.where(total == 0, 1, total)), -fnp.inf)


def logsumexp(
    a: Any,
    axis: Axis = None,
    b: Any = None,
    keepdims: bool = False,
    return_sign: bool = False,
    where: Any = None,
) -> Any:
    """``log(sum(b exp(a)))`` along axes, without overflow.

    Where the sum is 0, as when all elements are -inf, the result is -inf and its derivative 0.

    Args:
        a: an array.
        axis: an axis, a tuple of them, or None for all.
        b: factors, which broadcast with `a`.
        keepdims: keep reduced axes with size 1.
        return_sign: also return the sign of the sum, and the logarithm of its absolute value;
            else the logarithm of a negative sum is NaN.
        where: which elements count.

    Returns:
        The logarithm, or a pair of it and the sign.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import special
        >>> special.logsumexp(fnp.array([1000.0, 1000.0]))
        Array(1000.69314718)
    """
    if b is not None:
        a, b = promote_inexact("logsumexp", as_value(a, "logsumexp"), as_value(b, "logsumexp"))
        shape = fnp.broadcast_shapes(typeof(a).shape, typeof(b).shape)
        a, b = fnp.broadcast_to(a, shape), fnp.broadcast_to(b, shape)
        a = fnp.where(b == 0, -fnp.inf, a)  # a factor 0 hides an infinite power
    a, axes = operand_and_axes(a, axis, "logsumexp")
    a = _masked(a, where)
    real = fnp.real(a) if is_complex(typeof(a).dtype) else a
    shift = _shift(real, axes)
    powers = fnp.exp(a - shift)
    total = fnp.sum(powers if b is None else b * powers, axis=axes, keepdims=True)
    sign = None
    if return_sign:
        sign = stop_gradient(fnp.sign(total))
        total = total * fnp.conj(sign) if is_complex(typeof(total).dtype) else fnp.abs(total)
    empty = total == 0
    out = fnp.where(empty, -fnp.inf, fnp.log(fnp.where(empty, 1, total)) + shift)
    # NumPy promotes a bfloat16 array that meets a Python number; the result keeps the dtype
    out = convert(out, typeof(powers).dtype)
    if not keepdims:
        out = fnp.squeeze(out, axis=axes)
        sign = None if sign is None else fnp.squeeze(sign, axis=axes)
    return (out, sign) if return_sign else out
