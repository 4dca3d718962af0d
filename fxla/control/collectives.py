"""Communication between the examples of a mapped axis: sums, means, indices, gathers.

Inside ``vmap(f, axis_name="batch")`` the name stands for the axis; ``psum(x, "batch")`` is the sum
of x over all examples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import int32, is_inexact
from fxla.core.primitive import Primitive, Zero, is_zero
from fxla.core.pytree import tree_map
from fxla.core.trace import AxisFrame, Value, axis_frame, typeof
from fxla.errors import InternalError
from fxla.ops.arithmetic import div, mul
from fxla.ops.casts import convert
from fxla.ops.dynamic import dynamic_slice
from fxla.ops.logic import eq
from fxla.ops.reduce import reduce_max, reduce_min
from fxla.ops.shape import iota
from fxla.ops.structure import broadcast_in_dim, move_axis, reduce_sum, reshape

__all__ = ["all_gather", "axis_index", "axis_size", "pmax", "pmean", "pmin", "psum"]


class Collective(Primitive):
    """Base: one operand, and a tuple of axis names that disappears one axis at a time."""

    collective = True

    def abstract_eval(self, x: Aval, *, axis_name: tuple[Any, ...]) -> tuple[Aval, ...]:
        for name in axis_name:
            axis_frame(name)
        return (Aval(x.shape, x.dtype),)

    def impl(self, x: Any, *, axis_name: tuple[Any, ...]) -> tuple[Any, ...]:
        if axis_name:
            axis_frame(axis_name[0])
            raise InternalError(f"{self.name}: axis {axis_name[0]!r} was not mapped")
        return (x,)

    def over(self, x: Value, axis: int) -> Value:
        """The operation along an array axis."""
        raise NotImplementedError

    def unbatched(self, x: Value, size: int) -> Value:
        """The operation on `size` equal examples."""
        raise NotImplementedError

    def transpose(self, cts: Any, *operands: Any, axis_name: tuple[Any, ...]) -> tuple[Any, ...]:
        raise InternalError(f"{self.name} is not linear, so it has no transpose")

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, axis_name: tuple[Any, ...]
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        (x,), (at,) = operands, axes
        if axis.name not in axis_name or axis.name is None:
            return self.bind(x, axis_name=axis_name), (at,)
        rest = tuple(n for n in axis_name if n != axis.name)
        out = self.unbatched(x, axis.size) if at is None else self.over(x, at)
        return (self.bind(out, axis_name=rest) if rest else (out,)), (None,)

    def lower(self, *views: Any, axis_name: tuple[Any, ...]) -> Any:
        raise InternalError(f"{self.name} over {axis_name} outside of the vmap that names it")


class Psum(Collective):
    """The sum over all examples.  Linear; its own transpose."""

    name = "psum"

    def over(self, x: Value, axis: int) -> Value:
        return reduce_sum(x, (axis,))

    def unbatched(self, x: Value, size: int) -> Value:
        return mul(x, size)

    def jvp(
        self, primals: Any, tangents: Any, *, axis_name: tuple[Any, ...]
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        return self.bind(*primals, axis_name=axis_name), self.bind(*tangents, axis_name=axis_name)

    def transpose(self, cts: Any, *operands: Any, axis_name: tuple[Any, ...]) -> tuple[Any, ...]:
        return self.bind(*cts, axis_name=axis_name)


class Pextreme(Collective):
    """The largest or smallest over all examples; the derivative is shared among ties."""

    def __init__(self, name: str, reduce: Callable[..., Value]) -> None:
        self.name = name
        self.reduce = reduce
        super().__init__()

    def over(self, x: Value, axis: int) -> Value:
        return self.reduce(x, (axis,))

    def unbatched(self, x: Value, size: int) -> Value:
        return x

    def jvp(
        self, primals: Any, tangents: Any, *, axis_name: tuple[Any, ...]
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        (x,), (t,) = primals, tangents
        (out,) = self.bind(x, axis_name=axis_name)
        dtype = typeof(out).dtype
        if is_zero(t) or not is_inexact(dtype):
            return (out,), (Zero(typeof(out).tangent()),)
        winner = convert(eq(x, out), dtype)
        count = psum_p.bind1(winner, axis_name=axis_name)
        return (out,), psum_p.bind(div(mul(t, winner), count), axis_name=axis_name)


class AxisIndex(Primitive):
    """The position of the example along a named axis, int32."""

    name = "axis_index"
    collective = True

    def abstract_eval(self, *, axis_name: tuple[Any, ...]) -> tuple[Aval, ...]:
        axis_frame(axis_name[0])
        return (Aval((), int32),)

    def impl(self, *, axis_name: tuple[Any, ...]) -> tuple[Any, ...]:
        axis_frame(axis_name[0])
        raise InternalError(f"axis_index: axis {axis_name[0]!r} was not mapped")

    def jvp(
        self, primals: Any, tangents: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        raise InternalError("axis_index has no operands")

    def transpose(self, cts: Any, *operands: Any, **params: Any) -> tuple[Any, ...]:
        raise InternalError("axis_index has no operands")

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, axis_name: tuple[Any, ...]
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        return (iota(int32, (axis.size,), 0),), (0,)

    def lower(self, *views: Any, axis_name: tuple[Any, ...]) -> Any:
        raise InternalError(f"axis_index of {axis_name} outside of the vmap that names it")


class AllGather(Collective):
    """The values of all examples, stacked along a new leading axis.  Linear."""

    name = "all_gather"

    def abstract_eval(self, x: Aval, *, axis_name: tuple[Any, ...]) -> tuple[Aval, ...]:
        return (Aval((axis_frame(axis_name[0]).size, *x.shape), x.dtype),)

    def over(self, x: Value, axis: int) -> Value:
        return move_axis(x, axis, 0)

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, axis_name: tuple[Any, ...]
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        outs, out_axes = super().batch(axis, operands, axes, axis_name=axis_name)
        if axis.name is None or axis.name not in axis_name:  # the new axis is in front of it
            out_axes = tuple(None if a is None else a + 1 for a in out_axes)
        return outs, out_axes

    def unbatched(self, x: Value, size: int) -> Value:
        shape = typeof(x).shape
        return broadcast_in_dim(x, (size, *shape), range(1, len(shape) + 1))

    def jvp(
        self, primals: Any, tangents: Any, *, axis_name: tuple[Any, ...]
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        return self.bind(*primals, axis_name=axis_name), self.bind(*tangents, axis_name=axis_name)

    def transpose(self, cts: Any, *operands: Any, axis_name: tuple[Any, ...]) -> tuple[Any, ...]:
        """The sum over examples of the cotangents, of which each example takes its own row."""
        (ct,) = cts
        (total,) = psum_p.bind(ct, axis_name=axis_name)
        shape = typeof(total).shape
        start = [axis_index(axis_name[0]), *[np.int32(0)] * (len(shape) - 1)]
        row = dynamic_slice(total, start, (1, *shape[1:]))
        return (reshape(row, shape[1:]),)


psum_p = Psum()
pmax_p = Pextreme("pmax", reduce_max)
pmin_p = Pextreme("pmin", reduce_min)
axis_index_p = AxisIndex()
all_gather_p = AllGather()


def _names(axis_name: Any) -> tuple[Any, ...]:
    names = tuple(axis_name) if isinstance(axis_name, (tuple, list)) else (axis_name,)
    for name in names:
        axis_frame(name)
    return names


def psum(x: Any, axis_name: Any) -> Any:
    """The sum over a mapped axis.

    Args:
        x: a pytree of arrays.
        axis_name: the name given to ``vmap``, or a tuple of names.

    Raises:
        NameError: if no enclosing ``vmap`` has that name.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> from fxla import lax
        >>> fxla.vmap(lambda x: x / lax.psum(x, "i"), axis_name="i")(fnp.array([1.0, 3.0]))
        Array([0.25, 0.75])
    """
    names = _names(axis_name)
    if isinstance(x, (bool, int, float, complex)):  # as in JAX: psum(1, name) is the axis' size
        for name in names:
            x = x * axis_frame(name).size
        return x
    return tree_map(lambda leaf: psum_p.bind1(leaf, axis_name=names), x)


def pmean(x: Any, axis_name: Any) -> Any:
    """The mean over a mapped axis; see `psum`.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> from fxla import lax
        >>> fxla.vmap(lambda x: x - lax.pmean(x, "i"), axis_name="i")(fnp.array([1.0, 3.0]))
        Array([-1.,  1.])
    """
    size = axis_size(axis_name)
    return tree_map(lambda leaf: div(psum_p.bind1(leaf, axis_name=_names(axis_name)), size), x)


def pmax(x: Any, axis_name: Any) -> Any:
    """The largest over a mapped axis; see `psum`.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> from fxla import lax
        >>> fxla.vmap(lambda x: x / lax.pmax(x, "i"), axis_name="i")(fnp.array([1.0, 4.0]))
        Array([0.25, 1.  ])
    """
    return tree_map(lambda leaf: pmax_p.bind1(leaf, axis_name=_names(axis_name)), x)


def pmin(x: Any, axis_name: Any) -> Any:
    """The smallest over a mapped axis; see `psum`.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> from fxla import lax
        >>> fxla.vmap(lambda x: x / lax.pmin(x, "i"), axis_name="i")(fnp.array([1.0, 4.0]))
        Array([1., 4.])
    """
    return tree_map(lambda leaf: pmin_p.bind1(leaf, axis_name=_names(axis_name)), x)


def axis_index(axis_name: Any) -> Any:
    """The position of this example along a mapped axis, int32.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> from fxla import lax
        >>> fxla.vmap(lambda x: x + lax.axis_index("i"), axis_name="i")(fnp.zeros(3))
        Array([0., 1., 2.])
    """
    (name,) = _names(axis_name)
    return axis_index_p.bind1(axis_name=(name,))


def axis_size(axis_name: Any) -> int:
    """The size of a mapped axis, as a Python integer.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> from fxla import lax
        >>> fxla.vmap(lambda x: x / lax.axis_size("i"), axis_name="i")(fnp.ones(4))
        Array([0.25, 0.25, 0.25, 0.25])
    """
    size = 1
    for name in _names(axis_name):
        size *= axis_frame(name).size
    return size


def all_gather(x: Any, axis_name: Any, *, axis: int = 0, tiled: bool = False) -> Any:
    """The values of all examples along a new axis (or, if tiled, along an existing one).

    Args:
        x: a pytree of arrays.
        axis_name: the name given to ``vmap``.
        axis: position of the axis.
        tiled: concatenate along `axis` instead of stacking.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> from fxla import lax
        >>> fxla.vmap(lambda x: lax.all_gather(x, "i")[::-1], axis_name="i")(fnp.arange(2.0))
        Array([[1., 0.],
               [1., 0.]])
    """
    names = _names(axis_name)

    def gather(leaf: Any) -> Any:
        out = leaf
        for name in reversed(names):
            out = all_gather_p.bind1(out, axis_name=(name,))
        if len(names) != 1:
            out = reshape(out, (axis_size(names), *typeof(leaf).shape))
        out = move_axis(out, 0, axis)
        if not tiled:
            return out
        shape = typeof(out).shape
        merged = (*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :])
        return reshape(out, merged)

    return tree_map(gather, x)
