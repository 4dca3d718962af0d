"""Functions that take arrays apart."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np

from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.dispatch import public
from fxla.numpy.operands import as_value, normalise_axis
from fxla.ops import structure
from fxla.ops.shape import slice_in_dim

__all__ = [
    "array_split",
    "dsplit",
    "hsplit",
    "split",
    "unstack",
    "vsplit",
]


@public(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Value, ...]:
    """The slices of an array along an axis, as a tuple; the inverse of `stack`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.unstack(fnp.array([[1.0, 2.0], [3.0, 4.0]]))
        (Array([1., 2.]), Array([3., 4.]))
    """
    x = as_value(x, "np.unstack")
    if typeof(x).ndim == 0:
        raise ShapeError("np.unstack: input array must be at least 1-d")
    at = normalise_axis(axis, typeof(x).ndim, "np.unstack")
    return tuple(
        structure.squeeze(slice_in_dim(x, k, k + 1, axis=at), (at,))
        for k in range(typeof(x).shape[at])
    )


@public(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Value]:
    """Parts of an array along an axis; sizes may differ by one.

    Args:
        ary: an array.
        indices_or_sections: the number of parts, or the positions where to cut.
        axis: the axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.array_split(fnp.arange(3.0), 2)
        [Array([0., 1.]), Array([2.])]
    """
    x = as_value(ary, "np.array_split")
    at = normalise_axis(axis, typeof(x).ndim, "np.array_split")
    n = typeof(x).shape[at]
    if np.ndim(indices_or_sections):
        cuts = [0, *(operator.index(k) for k in indices_or_sections), n]
    else:
        sections = operator.index(indices_or_sections)
        if sections <= 0:
            raise ValueError("np.array_split: number sections must be larger than 0.")
        each, extra = divmod(n, sections)
        cuts = [k * each + min(k, extra) for k in range(sections + 1)]
    parts = []
    for first, last in itertools.pairwise(cuts):
        start, stop, _ = slice(first, last).indices(n)
        parts.append(slice_in_dim(x, start, max(start, stop), axis=at))
    return parts


@public(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Value]:
    """Parts of an array along an axis.

    Args:
        ary: an array.
        indices_or_sections: the number of equal parts, or the positions where to cut.
        axis: the axis.

    Raises:
        ValueError: if the number of parts does not divide the size.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.split(fnp.arange(4.0), [1])
        [Array([0.]), Array([1., 2., 3.])]
    """
    return _split("np.split", as_value(ary, "np.split"), indices_or_sections, axis)


def _split(call: str, x: Value, indices_or_sections: Any, axis: int) -> list[Value]:
    at = normalise_axis(axis, typeof(x).ndim, call)
    if not np.ndim(indices_or_sections):
        sections = operator.index(indices_or_sections)
        if sections == 0 or typeof(x).shape[at] % sections:
            raise ShapeError(
                f"{call}: array split does not result in an equal division: {typeof(x)} along "
                f"axis {at} in {sections} parts{where_am_i()}. `np.array_split` allows it."
            )
    return array_split(x, indices_or_sections, at)


@public(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Value]:
    """`split` along the first axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> [x.shape for x in fnp.vsplit(fnp.ones((4, 2)), 2)]
        [(2, 2), (2, 2)]
    """
    x = as_value(ary, "np.vsplit")
    if typeof(x).ndim < 2:
        raise ShapeError("np.vsplit: vsplit only works on arrays of 2 or more dimensions")
    return _split("np.vsplit", x, indices_or_sections, 0)


@public(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Value]:
    """`split` along the second axis, or the only one.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.hsplit(fnp.arange(4.0), 2)
        [Array([0., 1.]), Array([2., 3.])]
    """
    x = as_value(ary, "np.hsplit")
    if typeof(x).ndim == 0:
        raise ShapeError("np.hsplit: hsplit only works on arrays of 1 or more dimensions")
    return _split("np.hsplit", x, indices_or_sections, min(1, typeof(x).ndim - 1))


@public(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Value]:
    """`split` along the third axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> [x.shape for x in fnp.dsplit(fnp.ones((1, 2, 4)), 2)]
        [(1, 2, 2), (1, 2, 2)]
    """
    x = as_value(ary, "np.dsplit")
    if typeof(x).ndim < 3:
        raise ShapeError("np.dsplit: dsplit only works on arrays of 3 or more dimensions")
    return _split("np.dsplit", x, indices_or_sections, 2)
