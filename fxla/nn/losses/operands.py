"""Operands of losses: floating where they must be, of shapes that fit."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

import numpy as np

from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import DtypeError, ShapeError
from fxla.numpy.dispatch import result
from fxla.numpy.operands import as_value

__all__ = ["alike", "floating_operand", "integer_operand", "labels_like", "loss", "spread"]

P = ParamSpec("P")


def loss(f: Callable[P, Any]) -> Callable[P, Any]:
    """Decorator: NumPy's results of eager arithmetic are returned as `fxla.Array`."""

    @functools.wraps(f)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
        return result(f(*args, **kwargs))

    return wrapped


def floating_operand(x: Any, what: str, call: str) -> Value:
    """An array that must be floating.

    Raises:
        DtypeError: if it is not.
    """
    x = as_value(x, call)
    if not np.issubdtype(typeof(x).dtype, np.floating) and typeof(x).dtype.kind != "V":
        raise DtypeError(f"{call}: {what} must be floating, got {typeof(x)}{where_am_i()}")
    return x


def integer_operand(x: Any, what: str, call: str) -> Value:
    """An array that must be of integers.

    Raises:
        DtypeError: if it is not.
    """
    x = as_value(x, call)
    if not np.issubdtype(typeof(x).dtype, np.integer):
        raise DtypeError(
            f"{call}: {what} must be integers, got {typeof(x)}; probabilities or one-hot rows go "
            f"to softmax_cross_entropy{where_am_i()}"
        )
    return x


def alike(x: Value, y: Any, call: str) -> Value:
    """The second operand, which must be a number or have the first one's shape.

    Raises:
        ShapeError: if not: to broadcast would give a loss of each pair, which nobody wants.
    """
    y = as_value(y, call)
    a, b = typeof(x), typeof(y)
    if b.ndim and a.shape != b.shape:
        raise ShapeError(f"{call}: shapes differ: {a} and {b}; reshape one of them{where_am_i()}")
    return y


def labels_like(logits: Value, labels: Any, call: str) -> Any:
    """Labels of any dtype in that of the logits."""
    return as_value(labels, call).astype(typeof(logits).dtype)


def spread(where: Any, logits: Value, axis: Any) -> Any:
    """A mask of examples as one of all their classes."""
    if where is None:
        return None
    where = as_value(where, "where")
    if typeof(where).ndim == typeof(logits).ndim:
        return where
    axes = sorted(a % typeof(logits).ndim for a in (axis if isinstance(axis, tuple) else (axis,)))
    for a in axes:
        where = where.reshape((*where.shape[:a], 1, *where.shape[a:]))
    return where
