"""Functions that give an array another shape or put its axes and elements in another order."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import int64
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import AxisError, ShapeError
from fxla.numpy.arguments import public_with
from fxla.numpy.dispatch import public
from fxla.numpy.operands import (
    as_value,
    as_values,
    broadcast_all,
    canonical_axes,
    concrete_only,
    normalise_axis,
    shape_of,
)
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.ops import structure
from fxla.ops.arithmetic import mod, sub
from fxla.ops.casts import convert
from fxla.ops.index import take as take_along
from fxla.ops.shape import concatenate, iota, rev, slice_in_dim

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "broadcast_to",
    "expand_dims",
    "flip",
    "fliplr",
    "flipud",
    "matrix_transpose",
    "moveaxis",
    "permute_dims",
    "ravel",
    "reshape",
    "resize",
    "roll",
    "rollaxis",
    "rot90",
    "squeeze",
    "swapaxes",
    "transpose",
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


@public(np.transpose, by_type=REAL_AND_COMPLEX)
def transpose(a: Any, axes: Any = None) -> Value:
    """An array with its axes permuted.

    Args:
        a: an array.
        axes: axis k of the result is axis ``axes[k]`` of `a`; default: reversed.

    Raises:
        ValueError: if `axes` is not a permutation.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.transpose(fnp.ones((2, 3))).shape
        (3, 2)
    """
    x = as_value(a, "np.transpose")
    n = typeof(x).ndim
    if axes is None:
        return structure.transpose(x, tuple(range(n))[::-1])
    perm = canonical_axes(tuple(axes), n, "np.transpose")
    if len(perm) != n:
        raise ValueError(f"np.transpose: axes {tuple(axes)} don't match array {typeof(x)}")
    return structure.transpose(x, perm)


@public(np.permute_dims, by_type=REAL_AND_COMPLEX)
def permute_dims(a: Any, axes: Any = None) -> Value:
    """The array-API name of `transpose`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.permute_dims(fnp.ones((2, 3, 4)), (1, 0, 2)).shape
        (3, 2, 4)
    """
    return transpose(a, axes)


@public(np.matrix_transpose, by_type=REAL_AND_COMPLEX)
def matrix_transpose(x: Any, /) -> Value:
    """Matrices, or stacks of them, transposed: the last two axes swapped.

    Raises:
        ValueError: if there are fewer than two axes.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.matrix_transpose(fnp.ones((5, 2, 3))).shape
        (5, 3, 2)
    """
    x = as_value(x, "np.matrix_transpose")
    if typeof(x).ndim < 2:
        raise ShapeError(
            f"np.matrix_transpose: input array must be at least 2-dimensional, got {typeof(x)}"
        )
    return swapaxes(x, -1, -2)


@public(np.swapaxes, by_type=REAL_AND_COMPLEX)
def swapaxes(a: Any, axis1: int, axis2: int) -> Value:
    """An array with two axes exchanged.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.swapaxes(fnp.ones((2, 3, 4)), 0, 2).shape
        (4, 3, 2)
    """
    x = as_value(a, "np.swapaxes")
    n = typeof(x).ndim
    i, j = normalise_axis(axis1, n, "np.swapaxes"), normalise_axis(axis2, n, "np.swapaxes")
    perm = list(range(n))
    perm[i], perm[j] = j, i
    return structure.transpose(x, perm)


@public(np.moveaxis, by_type=REAL_AND_COMPLEX)
def moveaxis(a: Any, source: Any, destination: Any) -> Value:
    """An array with axes moved to new positions; the others keep their order.

    Args:
        a: an array.
        source: the axis or axes to move.
        destination: where each of them goes.

    Raises:
        ValueError: if there are not as many destinations as sources.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.moveaxis(fnp.ones((2, 3, 4)), 0, -1).shape
        (3, 4, 2)
    """
    x = as_value(a, "np.moveaxis")
    n = typeof(x).ndim
    come_from = canonical_axes(_listed(source), n, "np.moveaxis")
    go_to = canonical_axes(_listed(destination), n, "np.moveaxis")
    if len(come_from) != len(go_to):
        raise ValueError(
            "np.moveaxis: `source` and `destination` arguments must have the same number of "
            f"elements, got {source} and {destination}"
        )
    order = [k for k in range(n) if k not in come_from]
    for to, axis in sorted(zip(go_to, come_from, strict=True)):
        order.insert(to, axis)
    return structure.transpose(x, order)


def _listed(axis: Any) -> tuple[int, ...]:
    return tuple(axis) if isinstance(axis, (list, tuple)) else (operator.index(axis),)


@public(np.rollaxis, by_type=REAL_AND_COMPLEX)
def rollaxis(a: Any, axis: int, start: int = 0) -> Value:
    """An array with one axis moved before the axis `start`; `moveaxis` is easier to read.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.rollaxis(fnp.ones((2, 3, 4)), 2).shape
        (4, 2, 3)
    """
    x = as_value(a, "np.rollaxis")
    n = typeof(x).ndim
    at = normalise_axis(axis, n, "np.rollaxis")
    if not -n <= start <= n:
        raise AxisError(f"np.rollaxis: start {start} is out of bounds: {-n} <= start <= {n}")
    to = start + n if start < 0 else start
    return structure.move_axis(x, at, to - 1 if at < to else to)


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
    new = _listed(axis)
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


# --- order of elements ----------------------------------------------------------------------


@public(np.flip, by_type=REAL_AND_COMPLEX)
def flip(m: Any, axis: Any = None) -> Value:
    """An array with the order of its elements reversed.

    Args:
        m: an array.
        axis: axis or axes to reverse; default: all.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.flip([1.0, 2.0, 3.0])
        Array([3., 2., 1.])
    """
    x = as_value(m, "np.flip")
    return rev(x, canonical_axes(axis, typeof(x).ndim, "np.flip"))


def _at_least(x: Value, rank: int, call: str) -> Value:
    if typeof(x).ndim < rank:
        raise ShapeError(f"{call}: input must be >= {rank}-d, got {typeof(x)}{where_am_i()}")
    return x


@public(np.fliplr, by_type=REAL_AND_COMPLEX)
def fliplr(m: Any) -> Value:
    """Axis 1 reversed.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fliplr([[1.0, 2.0]])
        Array([[2., 1.]])
    """
    return rev(_at_least(as_value(m, "np.fliplr"), 2, "np.fliplr"), (1,))


@public(np.flipud, by_type=REAL_AND_COMPLEX)
def flipud(m: Any) -> Value:
    """Axis 0 reversed.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.flipud([1.0, 2.0])
        Array([2., 1.])
    """
    return rev(_at_least(as_value(m, "np.flipud"), 1, "np.flipud"), (0,))


@public(np.rot90, by_type=REAL_AND_COMPLEX)
def rot90(m: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Value:
    """An array turned by k quarter turns in the plane of two axes, from the first to the second.

    Raises:
        ValueError: if `axes` are not two different axes.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.rot90([[1.0, 2.0], [3.0, 4.0]])
        Array([[2., 4.],
               [1., 3.]])
    """
    x = as_value(m, "np.rot90")
    if len(axes) != 2:
        raise ValueError("np.rot90: len(axes) must be 2.")
    try:
        i, j = canonical_axes(tuple(axes), typeof(x).ndim, "np.rot90")
    except AxisError:
        raise ShapeError(
            f"np.rot90: Axes={tuple(axes)} out of range for array of ndim={typeof(x).ndim}."
        ) from None
    turns = operator.index(k) % 4
    if turns == 0:
        return x
    if turns == 2:
        return rev(x, (i, j))
    if turns == 1:
        return swapaxes(rev(x, (j,)), i, j)
    return rev(swapaxes(x, i, j), (j,))


@public(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Value:
    """An array with its elements moved along axes; what leaves at one end enters at the other.

    Args:
        a: an array.
        shift: by how many places, for each axis; may be traced.
        axis: axis or axes; default: the flattened array, which then has its shape again.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.roll([1.0, 2.0, 3.0], 1)
        Array([3., 1., 2.])
    """
    x = as_value(a, "np.roll")
    if axis is None:
        flat = structure.reshape(x, (typeof(x).size,))
        return structure.reshape(roll(flat, shift, 0), typeof(x).shape)
    axes = tuple(
        normalise_axis(k, typeof(x).ndim, "np.roll")
        for k in (axis if isinstance(axis, (list, tuple)) else (axis,))
    )
    shifts = _split_shift(shift)
    if len(shifts) != len(axes) and 1 not in (len(shifts), len(axes)):
        raise ValueError(
            f"np.roll: {len(shifts)} shifts and {len(axes)} axes do not broadcast together"
        )
    count = max(len(shifts), len(axes))
    shifts, axes = shifts * (count // len(shifts)), axes * (count // len(axes))
    for by, k in zip(shifts, axes, strict=True):
        x = _roll_one(x, by, k)
    return x


def _split_shift(shift: Any) -> tuple[Any, ...]:
    if isinstance(shift, (list, tuple)):
        return tuple(shift)
    if isinstance(shift, (Tracer, np.ndarray)) and typeof(shift).ndim:
        return tuple(shift[k] for k in range(typeof(shift).size))
    return (shift,)


def _roll_one(x: Value, by: Any, axis: int) -> Value:
    n = typeof(x).shape[axis]
    if n == 0:
        return x
    if isinstance(by, Tracer):
        source = mod(sub(iota(int64, (n,)), convert(by, int64)), n)
        return take_along(x, source, axis)
    k = operator.index(by) % n
    if k == 0:
        return x
    parts = [slice_in_dim(x, n - k, n, axis=axis), slice_in_dim(x, 0, n - k, axis=axis)]
    return concatenate(parts, axis)


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
