"""Functions that make positions: of triangles and diagonals, open grids, and flat positions."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.array import as_array
from fxla.core.dtypes import int64, is_bool
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.dispatch import public, result
from fxla.numpy.operands import as_value, as_values, broadcast_all, concrete_only
from fxla.numpy.taking import index_array
from fxla.ops import arithmetic, elementwise
from fxla.ops.casts import convert
from fxla.ops.structure import reshape

__all__ = [
    "diag_indices",
    "diag_indices_from",
    "ix_",
    "mask_indices",
    "ravel_multi_index",
    "tril_indices",
    "tril_indices_from",
    "triu_indices",
    "triu_indices_from",
    "unravel_index",
]


def _static(numpy_function: Any, example: str, summary: str) -> Callable[..., Any]:
    """A function of sizes alone: its result is always concrete."""
    name = numpy_function.__name__

    def call(*args: Any, **kwargs: Any) -> Any:
        return result(numpy_function(*args, **kwargs))

    call.__name__ = call.__qualname__ = name
    call.__wrapped__ = numpy_function  # type: ignore[attr-defined]
    expression, _, printed = example.partition(" -> ")
    call.__doc__ = (
        f"{summary}. See `numpy.{name}`.\n\nThe result is concrete: it depends on sizes only.\n\n"
        f"Example:\n    >>> import fxla.numpy as np\n    >>> np.{name}({expression})\n"
        f"    {printed}\n"
    )
    return call


tril_indices = _static(
    np.tril_indices,
    "2 -> (Array([0, 1, 1]), Array([0, 0, 1]))",
    "Positions of the lower triangle of a square matrix",
)
triu_indices = _static(
    np.triu_indices,
    "2 -> (Array([0, 0, 1]), Array([0, 1, 1]))",
    "Positions of the upper triangle of a square matrix",
)
diag_indices = _static(
    np.diag_indices, "2 -> (Array([0, 1]), Array([0, 1]))", "Positions of the main diagonal"
)
mask_indices = _static(
    np.mask_indices,
    "2, np.triu -> (Array([0, 0, 1]), Array([0, 1, 1]))",
    "Positions that a masking function such as `triu` leaves",
)


def _square(arr: Any, call: str) -> tuple[int, int]:
    aval = typeof(as_value(arr, call))
    if aval.ndim != 2:
        raise ShapeError(f"{call}: input array must be 2-d, got {aval}{where_am_i()}")
    return aval.shape[0], aval.shape[1]


@public(np.tril_indices_from)
def tril_indices_from(arr: Any, k: int = 0) -> Any:
    """Positions of the lower triangle of a matrix. See `numpy.tril_indices_from`.

    Example:
        >>> import fxla.numpy as np
        >>> np.tril_indices_from(np.zeros((2, 2)))
        (Array([0, 1, 1]), Array([0, 0, 1]))
    """
    n, m = _square(arr, "np.tril_indices_from")
    return tril_indices(n, k=k, m=m)


@public(np.triu_indices_from)
def triu_indices_from(arr: Any, k: int = 0) -> Any:
    """Positions of the upper triangle of a matrix. See `numpy.triu_indices_from`.

    Example:
        >>> import fxla.numpy as np
        >>> np.triu_indices_from(np.zeros((2, 2)))
        (Array([0, 0, 1]), Array([0, 1, 1]))
    """
    n, m = _square(arr, "np.triu_indices_from")
    return triu_indices(n, k=k, m=m)


@public(np.diag_indices_from)
def diag_indices_from(arr: Any) -> Any:
    """Positions of the main diagonal of an array. See `numpy.diag_indices_from`.

    Example:
        >>> import fxla.numpy as np
        >>> np.diag_indices_from(np.zeros((2, 2)))
        (Array([0, 1]), Array([0, 1]))
    """
    aval = typeof(as_value(arr, "np.diag_indices_from"))
    return result(np.diag_indices_from(np.broadcast_to(False, aval.shape)))


@public(np.ix_)
def ix_(*args: Any) -> Any:
    """Vectors shaped to index a rectangle: ``x[np.ix_(rows, columns)]``. See `numpy.ix_`.

    Example:
        >>> import fxla.numpy as np
        >>> np.arange(6).reshape(2, 3)[np.ix_([0, 1], [2, 0])]
        Array([[2, 0],
               [5, 3]])
    """
    call = "np.ix_"
    out = []
    for k, given in enumerate(as_values(call, *args)):
        aval = typeof(given)
        if aval.ndim != 1:
            raise ValueError(f"{call}: Cross index must be 1 dimensional, got {aval}{where_am_i()}")
        x: Any = given
        if is_bool(aval.dtype):
            (x,) = np.nonzero(concrete_only(x, call, "a mask"))
        elif not aval.size:
            x = np.zeros(0, np.int64)
        out.append(reshape(x, [typeof(x).size if i == k else 1 for i in range(len(args))]))
    return tuple([as_array(x) for x in out])


def _check_order(order: str, call: str) -> None:
    if order not in ("C", "F"):
        raise ValueError(f"{call}: order must be 'C' or 'F', got {order!r}{where_am_i()}")


@public(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: str = "C") -> Any:
    """Positions in an array read flat as a position along each axis. See `numpy.unravel_index`.

    Args:
        indices: positions; traced ones out of bounds give a position in the last row.
        shape: of the array.
        order: ``"C"``: the last axis varies fastest; ``"F"``: the first.

    Example:
        >>> import fxla.numpy as np
        >>> np.unravel_index(5, (2, 3))
        (Array(1), Array(2))
    """
    call = "np.unravel_index"
    at = index_array(indices, call)
    sizes = (shape,) if isinstance(shape, int) else tuple([operator.index(n) for n in shape])
    _check_order(order, call)
    if order == "F":
        sizes = sizes[::-1]
    out: list[Value] = []
    for n in reversed(sizes[1:]):
        at, rest = arithmetic.floordiv(at, n), arithmetic.mod(at, n)
        out.append(rest)
    out.append(at)
    return tuple(out if order == "F" else reversed(out)) if sizes else ()


@public(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Any:
    """A position along each axis as positions in the flat array. See `numpy.ravel_multi_index`.

    Args:
        multi_index: a tuple of positions, one for each axis.
        dims: sizes of the axes.
        mode: for positions out of bounds: ``"wrap"``, ``"clip"``, or ``"raise"``, which traced
            code does not check.
        order: ``"C"``: the last axis varies fastest; ``"F"``: the first.

    Example:
        >>> import fxla.numpy as np
        >>> np.ravel_multi_index(([0, 1], [2, 1]), (2, 3))
        Array([2, 4])
    """
    call = "np.ravel_multi_index"
    parts = [convert(index_array(p, call), int64) for p in multi_index]
    modes = (mode,) * len(parts) if isinstance(mode, str) else tuple(mode)
    sizes = [operator.index(n) for n in dims]
    if len(parts) != len(sizes):
        raise ValueError(
            f"{call}: parameter multi_index must be a sequence of length {len(sizes)}{where_am_i()}"
        )
    _check_order(order, call)
    step = -1 if order == "F" else 1
    parts = broadcast_all(call, *parts)[::step]
    sizes, modes = sizes[::step], modes[::step]
    total: Value = np.int64(0)
    for part, n, kind in zip(parts, sizes, modes, strict=True):
        if kind == "wrap":
            part = arithmetic.mod(part, n)
        elif kind == "clip":
            part = arithmetic.minimum(arithmetic.maximum(part, 0), n - 1)
        total = elementwise.add(arithmetic.mul(total, n), part)
    return total
