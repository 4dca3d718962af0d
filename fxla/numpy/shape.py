"""Functions that give an array another shape, with its elements in the same order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.arguments import public_with
from fxla.numpy.dispatch import public
from fxla.numpy.operands import (
    as_value,
    as_values,
    broadcast_all,
    canonical_axes,
    concrete_only,
    shape_of,
)
from fxla.numpy.rearranging import listed
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.ops import structure
from fxla.ops.shape import concatenate, slice_in_dim

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "broadcast_to",
    "expand_dims",
    "ravel",
    "reshape",
    "resize",
    "squeeze",
    "trim_zeros",
]


def inferred_shape(size: int, shape: Any, call: str) -> tuple[int, ...]:
    """A shape argument with its -1 replaced by what is left of `size`."""
    given = shape_of(shape, call)
    unknown = [k for k, n in enumerate(given) if n < 0]
    if len(unknown) > 1:
        raise ShapeError(f"{call}: can only specify one unknown dimension, got {given}")
    if unknown:
        rest = math.prod(n for n in given if n >= 0)
        # without a size to divide by nothing can be inferred: the -1 stays and does not fit
        found = size // rest if rest else -1
        given = tuple(found if n < 0 else n for n in given)
    if math.prod(given) != size or -1 in given:
        asked = shape_of(shape, call)
        raise ShapeError(
            f"{call}: cannot reshape array of size {size} into shape {asked}{where_am_i()}. "
            "The sizes must have the same product; one of them may be -1."
        )
    return given


@public(np.reshape, by_type=REAL_AND_COMPLEX)
def reshape(a: Any, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Value:
    """The elements of an array in another shape.

    Args:
        a: an array.
        shape: the new shape; one size may be -1, which stands for what is left.
        order: ``"C"`` reads and writes the last axis fastest, ``"F"`` the first; ``"A"`` is ``"C"``
            for a traced array.
        copy: accepted; a traced array has no memory to share.

    Raises:
        ValueError: if the sizes differ.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.reshape(fnp.arange(4.0), (2, -1))
        Array([[0., 1.],
               [2., 3.]])
    """
    x = as_value(a, "np.reshape")
    new = inferred_shape(typeof(x).size, shape, "np.reshape")
    if order not in ("C", "F", "A"):
        raise ValueError(f"np.reshape: order must be 'C', 'F' or 'A', got {order!r}")
    if order == "F":
        reversed_axes = structure.transpose(x, tuple(range(typeof(x).ndim))[::-1])
        return structure.transpose(
            structure.reshape(reversed_axes, new[::-1]), tuple(range(len(new)))[::-1]
        )
    return structure.reshape(x, new)


@public(np.ravel, by_type=REAL_AND_COMPLEX)
def ravel(a: Any, order: str = "C") -> Value:
    """The elements of an array as a vector.

    Args:
        a: an array.
        order: ``"C"`` or ``"F"``; ``"A"`` and ``"K"`` are ``"C"`` for a traced array.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.ravel([[1.0, 2.0], [3.0, 4.0]])
        Array([1., 2., 3., 4.])
    """
    return reshape(as_value(a, "np.ravel"), -1, order="F" if order == "F" else "C")


@public(np.expand_dims, by_type=REAL_AND_COMPLEX)
def expand_dims(a: Any, axis: Any) -> Value:
    """An array with axes of size 1 inserted.

    Args:
        a: an array.
        axis: position or positions of the new axes in the result.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.expand_dims(fnp.ones((2, 3)), (0, -1)).shape
        (1, 2, 3, 1)
    """
    x = as_value(a, "np.expand_dims")
    new = listed(axis)
    return structure.expand_dims(
        x, canonical_axes(new, typeof(x).ndim + len(new), "np.expand_dims")
    )


@public(np.squeeze, by_type=REAL_AND_COMPLEX)
def squeeze(a: Any, axis: Any = None) -> Value:
    """An array without axes of size 1.

    Args:
        a: an array.
        axis: the axis or axes to drop; default: all of size 1.

    Raises:
        ValueError: if a chosen axis is longer.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.squeeze(fnp.ones((1, 3, 1))).shape
        (3,)
    """
    x = as_value(a, "np.squeeze")
    shape = typeof(x).shape
    if axis is None:
        return structure.squeeze(x, tuple(k for k, n in enumerate(shape) if n == 1))
    axes = () if not shape and axis in (0, -1) else canonical_axes(axis, len(shape), "np.squeeze")
    if any(shape[k] != 1 for k in axes):
        raise ShapeError(
            "np.squeeze: cannot select an axis to squeeze out which has size not equal to one: "
            f"axis {axis} of {typeof(x)}{where_am_i()}"
        )
    return structure.squeeze(x, axes)


@public(np.broadcast_to, by_type=REAL_AND_COMPLEX)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Value:
    """An array repeated along new axes and along axes of size 1.

    Args:
        array: an array.
        shape: the new shape; `array`'s axes are matched with its last ones.
        subok: accepted; there are no subclasses of traced arrays.

    Raises:
        ValueError: if the shapes do not fit.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.broadcast_to([1.0, 2.0], (2, 2))
        Array([[1., 2.],
               [1., 2.]])
    """
    x = as_value(array, "np.broadcast_to")
    old, new = typeof(x).shape, shape_of(shape, "np.broadcast_to")
    missing = len(new) - len(old)
    if missing < 0 or any(n not in (1, m) for n, m in zip(old, new[missing:], strict=True)):
        raise ShapeError(
            f"np.broadcast_to: {typeof(x)} cannot be broadcast to shape {new}{where_am_i()}"
        )
    return structure.broadcast_to(x, new)


@public(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Value, ...]:
    """Arrays broadcast against each other.

    Raises:
        ValueError: if the shapes do not fit.

    Example:
        >>> import fxla.numpy as fnp
        >>> [x.shape for x in fnp.broadcast_arrays(fnp.ones((2, 1)), fnp.ones(3))]
        [(2, 3), (2, 3)]
    """
    call = "np.broadcast_arrays"
    return tuple(broadcast_all(call, *as_values(call, *args))) if args else ()


def _each(call: str, arys: tuple[Any, ...], raised: Any) -> Any:
    made = tuple([raised(x) for x in as_values(call, *arys)])
    return made[0] if len(made) == 1 else made


@public(np.atleast_1d, by_type=REAL_AND_COMPLEX)
def atleast_1d(*arys: Any) -> Any:
    """Arrays with at least one axis; one array for one argument, else a tuple.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.atleast_1d(3.0)
        Array([3.])
    """
    return _each(
        "np.atleast_1d", arys, lambda x: x if typeof(x).ndim else structure.reshape(x, (1,))
    )


@public(np.atleast_2d, by_type=REAL_AND_COMPLEX)
def atleast_2d(*arys: Any) -> Any:
    """Arrays with at least two axes; new axes come first.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.atleast_2d([1.0, 2.0])
        Array([[1., 2.]])
    """

    def raised(x: Value) -> Value:
        shape = typeof(x).shape
        return structure.reshape(x, (1,) * (2 - len(shape)) + shape)

    return _each("np.atleast_2d", arys, raised)


@public(np.atleast_3d, by_type=REAL_AND_COMPLEX)
def atleast_3d(*arys: Any) -> Any:
    """Arrays with at least three axes: a vector of n becomes (1, n, 1), a matrix (n, m, 1).

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.atleast_3d(fnp.ones(4)).shape
        (1, 4, 1)
    """

    def raised(x: Value) -> Value:
        shape = typeof(x).shape
        if len(shape) >= 3:
            return x
        new = (*shape, 1) if len(shape) == 2 else (1, *shape, 1) if shape else (1, 1, 1)
        return structure.reshape(x, new)

    return _each("np.atleast_3d", arys, raised)


@public(np.resize)
def resize(a: Any, new_shape: Any) -> Value:
    """An array of another size, filled with repeated copies of the elements in C order.

    Raises:
        ValueError: if a size is negative.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.resize([1.0, 2.0, 3.0], (2, 2))
        Array([[1., 2.],
               [3., 1.]])
    """
    x = as_value(a, "np.resize")
    shape = shape_of(new_shape, "np.resize")
    if any(n < 0 for n in shape):
        raise ShapeError("np.resize: all elements of `new_shape` must be non-negative")
    size, wanted = typeof(x).size, math.prod(shape)
    if size == 0 or wanted == 0:
        return structure.full(shape, 0, typeof(x).dtype)
    flat = structure.reshape(x, (size,))
    copies = concatenate([flat] * -(-wanted // size), 0)
    return structure.reshape(slice_in_dim(copies, 0, wanted), shape)


@public_with(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Value:
    """An array without the zeros at its ends.

    How much is cut depends on the values, so they must be known: this works eagerly and under
    ``grad``, and not under ``jit`` or ``vmap``.

    Args:
        filt: an array.
        trim: ``"f"`` trims the front, ``"b"`` the back.
        axis: axis or axes to trim; default: all.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.trim_zeros(fnp.array([0.0, 1.0, 0.0, 2.0, 0.0]))
        Array([1., 0., 2.])
    """
    x = as_value(filt, "np.trim_zeros")
    known = concrete_only(x, "np.trim_zeros", "the array")
    for k in canonical_axes(axis, typeof(x).ndim, "np.trim_zeros"):
        others = tuple(i for i in range(known.ndim) if i != k)
        (found,) = np.nonzero(np.any(known != 0, axis=others))
        n = known.shape[k]
        first = int(found[0]) if len(found) else n
        last = int(found[-1]) + 1 if len(found) else n
        start = first if "f" in trim.lower() else 0
        stop = last if "b" in trim.lower() else n
        x = slice_in_dim(x, min(start, stop), stop, axis=k)
    return x
