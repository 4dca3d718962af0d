"""A pytree of arrays as one vector, and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.pytree import tree_flatten, tree_unflatten
from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy import creation, filled, joining
from fxla.numpy.operands import as_value, promote
from fxla.ops.casts import convert
from fxla.ops.shape import slice_in_dim
from fxla.ops.structure import reshape

__all__ = ["ravel_pytree"]


def ravel_pytree(pytree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """The leaves of a tree in one vector, in the dtype they are promoted to.

    Args:
        pytree: a tree of arrays and numbers.

    Returns:
        The vector, and the function from such a vector back to a tree with the leaves' dtypes.

    Example:
        >>> import fxla
        >>> vector, unravel = fxla.flatten_util.ravel_pytree({"a": 1.0, "b": [2.0, 3.0]})
        >>> vector
        Array([1., 2., 3.])
        >>> float(unravel(vector * 10)["b"][1])
        30.0
    """
    call = "ravel_pytree"
    leaves, treedef = tree_flatten(pytree)
    values = [as_value(x, call) for x in leaves]
    avals = [typeof(v) for v in values]
    if not leaves:
        return filled.zeros(0), lambda vector: tree_unflatten(treedef, [])
    flat = [reshape(v, (a.size,)) for v, a in zip(promote(call, *values), avals, strict=True)]
    ends = np.cumsum([a.size for a in avals])
    vector = joining.concatenate(flat)

    def unravel(vector: Any) -> Any:
        x = as_value(vector, "unravel")
        if typeof(x).shape != (int(ends[-1]),):
            raise ShapeError(
                f"unravel: expected a vector of {ends[-1]} elements, got {typeof(x)}{where_am_i()}"
            )
        parts = []
        for aval, end in zip(avals, ends, strict=True):
            piece = slice_in_dim(x, int(end) - math.prod(aval.shape), int(end))
            parts.append(convert(reshape(piece, aval.shape), aval.dtype))
        return tree_unflatten(treedef, [creation.asarray(p) for p in parts])

    return vector, unravel
