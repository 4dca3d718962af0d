"""Categories as vectors."""

from __future__ import annotations

from typing import Any

import fxla.numpy as fnp
from fxla.core.dtypes import canonical_dtype, default_float
from fxla.core.trace import typeof
from fxla.numpy.operands import as_value, normalise_axis
from fxla.ops.casts import convert
from fxla.ops.logic import eq
from fxla.ops.shape import iota
from fxla.ops.structure import broadcast_in_dim

__all__ = ["one_hot"]


def one_hot(x: Any, num_classes: int, *, dtype: Any = None, axis: int = -1) -> Any:
    """1 in the place that each integer names, 0 elsewhere; all 0 for integers out of range.

    Args:
        x: integers.
        num_classes: size of the new axis.
        dtype: of the result; default: the default floating dtype.
        axis: position of the new axis in the result.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import nn
        >>> nn.one_hot(fnp.array([0, 2, 5]), 3)
        Array([[1., 0., 0.],
               [0., 0., 1.],
               [0., 0., 0.]])
    """
    x = as_value(x, "nn.one_hot")
    aval = typeof(x)
    axis = normalise_axis(axis, aval.ndim + 1, "nn.one_hot")
    shape = (*aval.shape[:axis], num_classes, *aval.shape[axis:])
    others = [k for k in range(len(shape)) if k != axis]
    same = eq(broadcast_in_dim(fnp.asarray(x), shape, others), iota(aval.dtype, shape, axis))
    return convert(same, default_float() if dtype is None else canonical_dtype(dtype))
