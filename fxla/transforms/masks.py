"""Where a cotangent is zero by structure, so that no infinite slope there makes it NaN.

``where(x > 0, log(x), 0)`` has the derivative ``where(x > 0, t / x, 0)``. Its transpose gives the
logarithm a cotangent that is zero where ``x <= 0``, and then divides by ``x``: ``0 / 0``. Backward
therefore remembers, beside a cotangent that comes out of a `select`, the elements that were
selected, and takes 1 for the coefficient of all others: ``0 / 1``. What was selected is computed
bit for bit as before. Users of other systems write this by hand, as a second ``where`` inside.

A mask follows its cotangent through elementwise operations and those that only move elements; a
product of matrices, a sum with a cotangent that has no mask or the end of a program ends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import bool_
from fxla.core.jaxpr import Eqn
from fxla.core.primitive import Linear, is_linear
from fxla.core.trace import Value, typeof
from fxla.ops.arithmetic import div_p, mul_p
from fxla.ops.casts import convert_p
from fxla.ops.elementwise import Elementwise
from fxla.ops.logic import and_, not_, or_, select, select_p
from fxla.ops.shape import rev_p
from fxla.ops.structure import broadcast_in_dim, reduce_sum_p, reshape_p, transpose_p

__all__ = ["either", "guarded", "passed_on"]

_MOVES = (reduce_sum_p, reshape_p, transpose_p, rev_p)
"""Their transposes only move and repeat elements, so they move a mask too."""


def guarded(eqn: Eqn, operands: Sequence[Any], mask: Value) -> list[Any]:
    """The operands of a linear equation, its coefficient 1 where the cotangent is zero."""
    if eqn.primitive not in (mul_p, div_p):
        return list(operands)

    def safe(x: Value) -> Value:
        number = isinstance(x, (bool, int, float)) and not isinstance(x, np.generic)
        return x if is_linear(x) or number else _safe(x, mask)

    return [safe(x) for x in operands]


def _safe(coefficient: Value, mask: Value) -> Value:
    shape = typeof(mask).shape
    if shape and not typeof(coefficient).shape:
        coefficient = broadcast_in_dim(coefficient, shape, ())
    return select(mask, coefficient, 1)


def passed_on(eqn: Eqn, operands: Sequence[Any], mask: Value | None) -> list[Value | None]:
    """The mask of each operand's cotangent, given that of the result's.

    Args:
        eqn: a linear equation with one result.
        operands: its operands, `Linear` where a cotangent is wanted.
        mask: where the result's cotangent may be other than zero; None: anywhere.
    """
    primitive = eqn.primitive
    if primitive is select_p:
        which = operands[0]
        if not is_linear(operands[1]) and not is_linear(operands[2]):
            return [None, None, None]
        return [None, _both(which, mask), _both(not_(which), mask)]
    if mask is None:
        return [None] * len(operands)
    if primitive in _MOVES and typeof(mask).shape == eqn.outputs[0].aval.shape:
        operand = Linear(Aval(operands[0].aval.shape, bool_))
        return list(primitive.transpose((mask,), operand, **eqn.params))
    if isinstance(primitive, Elementwise) or primitive is convert_p:
        return [mask if a.aval.shape == eqn.outputs[0].aval.shape else None for a in eqn.inputs]
    return [None] * len(operands)


def either(a: Value | None, b: Value | None) -> Value | None:
    """The mask of a sum of two cotangents."""
    if a is None or b is None or a is b:
        return None if b is None else a
    return or_(*_of_one_shape(a, b))


def _both(which: Value, mask: Value | None) -> Value:
    if mask is None or mask is which:
        return which
    return and_(*_of_one_shape(which, mask))


def _of_one_shape(a: Value, b: Value) -> list[Value]:
    whole = typeof(a).shape or typeof(b).shape
    return [x if typeof(x).shape == whole else broadcast_in_dim(x, whole, ()) for x in (a, b)]
