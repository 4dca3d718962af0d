"""Functions along an axis: softmax and its relatives, standardisation."""

from __future__ import annotations

from typing import Any

import fxla.numpy as fnp
from fxla.core.dtypes import is_complex
from fxla.core.trace import Value, typeof
from fxla.nn.precision import floating
from fxla.numpy.operands import as_value
from fxla.ops.transcendental import rsqrt
from fxla.scipy import exponential_sums
from fxla.scipy.exponential_sums import Axis, logsumexp, operand_and_axes

__all__ = ["log_softmax", "logmeanexp", "logsumexp", "softmax", "standardize"]


def softmax(x: Any, axis: Axis = -1, where: Any = None) -> Any:
    """``exp(x) / sum(exp(x))`` along axes.

    Args:
        x: an array.
        axis: an axis, a tuple of them, or None for all.
        where: which elements count, a boolean array that broadcasts with `x`; the others are 0, as
            are all if none counts.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import nn
        >>> nn.softmax(fnp.log(fnp.array([1.0, 2.0, 5.0])))
        Array([0.125, 0.25 , 0.625])
    """
    return exponential_sums.softmax(x, axis, where)


def log_softmax(x: Any, axis: Axis = -1, where: Any = None) -> Any:
    """``x - log(sum(exp(x)))`` along axes: the logarithm of `softmax`, accurate for small values.

    Args:
        x: an array.
        axis: an axis, a tuple of them, or None for all.
        where: which elements count; the others are -inf.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import nn
        >>> nn.log_softmax(fnp.array([0.0, 1000.0]))
        Array([-1000.,     0.])
    """
    return exponential_sums.log_softmax(x, axis, where)


def logmeanexp(x: Any, axis: Axis = None, where: Any = None, keepdims: bool = False) -> Any:
    """``log(mean(exp(x)))`` along axes, without overflow.

    Args:
        x: an array.
        axis: an axis, a tuple of them, or None for all.
        where: which elements count.
        keepdims: keep reduced axes with size 1.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import nn
        >>> nn.logmeanexp(fnp.array([1000.0, 1000.0]))
        Array(1000.)
    """
    x, axes = operand_and_axes(x, axis, "nn.logmeanexp")
    total = logsumexp(x, axes, where=where, keepdims=keepdims)
    return total - fnp.log(_count(x, axes, where, keepdims))


def _count(x: Value, axes: tuple[int, ...], where: Any, keepdims: bool) -> Value:
    """How many elements count, in the dtype of `x`."""
    aval = typeof(x)
    counted = fnp.broadcast_to(True if where is None else where, aval.shape)
    return fnp.sum(fnp.asarray(counted, dtype=aval.dtype), axis=axes, keepdims=keepdims)


@floating
def standardize(
    x: Any,
    axis: Axis = -1,
    mean: Any = None,
    variance: Any = None,
    epsilon: Any = 1e-5,
    where: Any = None,
) -> Any:
    """``(x - mean) / sqrt(variance + epsilon)``, by default to mean 0 and variance 1 along axes.

    Args:
        x: an array.
        axis: an axis, a tuple of them, or None for all.
        mean: to subtract; default: that of the elements.
        variance: to divide by the root of; default: that of the elements.
        epsilon: added to the variance.
        where: which elements count for mean and variance.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import nn
        >>> nn.standardize(fnp.array([1.0, 3.0]), epsilon=0.0)
        Array([-1.,  1.])
    """
    x, axes = operand_and_axes(x, axis, "nn.standardize")
    count = _count(x, axes, where, True) if mean is None or variance is None else None

    def average(values: Any) -> Any:
        kept = values if where is None else fnp.where(where, values, 0)
        return fnp.sum(kept, axis=axes, keepdims=True) / count

    mean = average(x) if mean is None else mean
    apart = x - mean
    if variance is None:
        variance = average(fnp.square(fnp.abs(apart) if is_complex(typeof(x).dtype) else apart))
    return apart * rsqrt(as_value(variance + epsilon, "nn.standardize"))
