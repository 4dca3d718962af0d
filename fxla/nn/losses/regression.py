"""How far predicted numbers and directions are from wanted ones."""

from __future__ import annotations

import math
from typing import Any

import fxla.numpy as fnp
from fxla.core.trace import Value
from fxla.nn.losses.operands import alike, floating_operand, loss

__all__ = [
    "cosine_distance",
    "cosine_similarity",
    "huber_loss",
    "l2_loss",
    "log_cosh",
    "squared_error",
]


def _errors(predictions: Any, targets: Any, call: str) -> Value:
    x = floating_operand(predictions, "predictions", call)
    return x if targets is None else fnp.subtract(x, alike(x, targets, call))


@loss
def squared_error(predictions: Any, targets: Any = None) -> Any:
    """``(predictions - targets)^2``, for each element.

    Args:
        predictions: floating, of any shape.
        targets: of the same shape, or one number; 0 if None.

    Raises:
        ValueError: if the shapes differ.
        TypeError: if predictions are not floating.

    Example:
        >>> squared_error([1.0, 3.0], [1.0, 1.0])
        Array([0., 4.])
    """
    return fnp.square(_errors(predictions, targets, "nn.losses.squared_error"))


@loss
def l2_loss(predictions: Any, targets: Any = None) -> Any:
    """``(predictions - targets)^2 / 2``, for each element.

    Example:
        >>> l2_loss([1.0, 3.0], [1.0, 1.0])
        Array([0., 2.])
    """
    return 0.5 * fnp.square(_errors(predictions, targets, "nn.losses.l2_loss"))


@loss
def huber_loss(predictions: Any, targets: Any = None, *, delta: Any = 1.0) -> Any:
    """``e^2 / 2`` up to an error of `delta`, then a straight line, for each element.

    Huber: "Robust estimation of a location parameter" (1964).

    Args:
        predictions: floating, of any shape.
        targets: of the same shape, or one number; 0 if None.
        delta: where the line begins.

    Raises:
        ValueError: if the shapes differ.

    Example:
        >>> huber_loss([1.0, 4.0], [0.5, 0.0])
        Array([0.125, 3.5  ])
    """
    size = fnp.abs(_errors(predictions, targets, "nn.losses.huber_loss"))
    near = fnp.minimum(size, delta)
    return 0.5 * near**2 + delta * (size - near)


@loss
def log_cosh(predictions: Any, targets: Any = None) -> Any:
    """``log(cosh(predictions - targets))``, for each element, without overflow.

    Example:
        >>> import fxla.numpy as np
        >>> np.round(log_cosh([0.0, 1000.0]), 4)
        Array([  0.    , 999.3069])
    """
    errors = _errors(predictions, targets, "nn.losses.log_cosh")
    return fnp.logaddexp(errors, -errors) - math.log(2.0)


@loss
def cosine_similarity(
    predictions: Any, targets: Any, *, epsilon: float = 0.0, axis: Any = -1, where: Any = None
) -> Any:
    """The cosine of the angle between two vectors.

    Args:
        predictions: floating, ``[..., n]``.
        targets: floating, of a shape that broadcasts with it.
        epsilon: the smallest squared length that counts.
        axis: the axis or axes of the vectors.
        where: which elements count.

    Example:
        >>> import fxla.numpy as np
        >>> np.round(cosine_similarity([3.0, 4.0], [4.0, 3.0]), 6)
        Array(0.96)
    """
    call = "nn.losses.cosine_similarity"
    a = floating_operand(predictions, "predictions", call)
    b = floating_operand(targets, "targets", call)
    mask = True if where is None else where

    def unit(x: Value) -> Value:
        squared = fnp.sum(fnp.square(x), axis=axis, where=mask, keepdims=True)
        return x / fnp.sqrt(fnp.maximum(squared, epsilon))

    return fnp.sum(unit(a) * unit(b), axis=axis, where=mask)


@loss
def cosine_distance(
    predictions: Any, targets: Any, *, epsilon: float = 0.0, axis: Any = -1, where: Any = None
) -> Any:
    """1 less the `cosine_similarity`.

    Example:
        >>> import fxla.numpy as np
        >>> np.round(cosine_distance([3.0, 4.0], [4.0, 3.0]), 6)
        Array(0.04)
    """
    return 1.0 - cosine_similarity(predictions, targets, epsilon=epsilon, axis=axis, where=where)
