"""The linear maps that every derivative rule needs: broadcast, sum, permute, reshape.

They are closed under transposition (the transpose of a broadcast is a sum and the other way round),
so they stand together, below the elementwise family.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.array import as_array
from fxla.core.aval import Aval, Shape
from fxla.core.dtypes import is_bool
from fxla.core.primitive import Primitive, is_zero
from fxla.core.trace import AxisFrame, Value, eval_trace, state, typeof
from fxla.errors import ShapeError
from fxla.loops.ir import Op
from fxla.loops.view import IndexTuple, Reduce, View, binary, extent, int_const, unravel

__all__ = [
    "LinearPrimitive",
    "batch_in_front",
    "batch_move",
    "broadcast_in_dim",
    "broadcast_in_dim_p",
    "broadcast_to",
    "expand_dims",
    "full",
    "instantiate",
    "move_axis",
    "reduce_sum",
    "reduce_sum_p",
    "reshape",
    "reshape_p",
    "squeeze",
    "transpose",
    "transpose_p",
    "zeros_of",
]


class LinearPrimitive(Primitive):
    """Base of primitives with one result that are linear in their single operand."""

    def jvp(
        self, primals: Any, tangents: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        return self.bind(*primals, **params), self.bind(*tangents, **params)


def drop(shape: Sequence[int], axes: Sequence[int]) -> Shape:
    """`shape` without `axes`."""
    return tuple(n for i, n in enumerate(shape) if i not in axes)


class BroadcastInDim(LinearPrimitive):
    """``out[i] = x[i[dims]]``: axis k of x becomes axis ``dims[k]`` of the result.

    An axis of size 1 is repeated. x: T[...] -> T[shape]. Linear; its transpose is a sum.
    """

    name = "broadcast_in_dim"

    def abstract_eval(self, x: Aval, *, shape: Shape, dims: Shape) -> tuple[Aval, ...]:
        fits = len(dims) == x.ndim and all(
            n in (1, shape[d]) for n, d in zip(x.shape, dims, strict=True)
        )
        if not fits:
            raise ShapeError(f"broadcast_in_dim: {x} does not fit {shape} along axes {dims}")
        return (Aval(shape, x.dtype, x.weak_type),)

    def impl(self, x: Any, *, shape: Shape, dims: Shape) -> tuple[Any, ...]:
        x = np.asarray(x)
        if x.ndim == 0:
            return (np.full(shape, x),)
        order = np.argsort(dims)
        placed = [1] * len(shape)
        for k, d in enumerate(dims):
            placed[d] = x.shape[k]
        return (np.array(np.broadcast_to(np.transpose(x, order).reshape(placed), shape)),)

    def on_numpy(
        self, avals: tuple[Aval, ...], params: dict[str, Any]
    ) -> Callable[..., Any] | None:
        shape, dims, dtype = params["shape"], params["dims"], avals[0].dtype
        if list(dims) != sorted(dims):
            return None
        placed = [1] * len(shape)
        for k, d in enumerate(dims):
            placed[d] = avals[0].shape[k]

        def broadcast(x: Any) -> Any:
            out = np.empty(shape, dtype)
            out[...] = x.reshape(placed)
            return out

        return broadcast

    def transpose(self, cts: Any, *operands: Any, shape: Shape, dims: Shape) -> tuple[Any, ...]:
        (x,), (ct,) = operands, cts
        repeated = tuple(
            d for d in range(len(shape)) if d not in dims or x.shape[dims.index(d)] != shape[d]
        )
        out = reduce_sum(ct, repeated)
        kept = [d for d in dims if d not in repeated]
        out = transpose(out, tuple(int(i) for i in np.argsort(np.argsort(kept))))
        return (reshape(out, x.shape),)

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, shape: Shape, dims: Shape
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        (x,) = batch_move(axis, operands, axes)
        up = (0, *(d + 1 for d in dims))
        return self.bind(x, shape=(axis.size, *shape), dims=up), (0,)

    def lower(self, *views: View, shape: Shape, dims: Shape) -> tuple[View, ...]:
        (x,) = views

        def at(i: IndexTuple) -> Any:
            return x[
                tuple(
                    int_const(0) if n == 1 and shape[d] != 1 else i[d]
                    for n, d in zip(x.shape, dims, strict=True)
                )
            ]

        return (View(shape, x.dtype, at),)


class ReduceSum(LinearPrimitive):
    """Sum over `axes`, in x's own dtype.  x: T[s] -> T[s without axes].  Linear."""

    name = "reduce_sum"

    def abstract_eval(self, x: Aval, *, axes: Shape) -> tuple[Aval, ...]:
        return (Aval(drop(x.shape, axes), x.dtype),)

    def impl(self, x: Any, *, axes: Shape) -> tuple[Any, ...]:
        return (np.sum(x, axis=axes, dtype=np.asarray(x).dtype),)

    def on_numpy(self, avals: tuple[Aval, ...], params: dict[str, Any]) -> Callable[..., Any]:
        axes, dtype, total = params["axes"], avals[0].dtype, np.add.reduce
        if len(axes) == avals[0].ndim:
            axes = None
        elif len(axes) == 1:
            (axes,) = axes
        return lambda x: total(x, axes, dtype)

    def transpose(self, cts: Any, *operands: Any, axes: Shape) -> tuple[Any, ...]:
        (x,), (ct,) = operands, cts
        kept = tuple(i for i in range(x.ndim) if i not in axes)
        return (broadcast_in_dim(ct, x.shape, kept),)

    def batch(
        self, axis: AxisFrame, operands: Any, axes_in: Any, *, axes: Shape
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        (x,), (at,) = operands, axes_in
        up = tuple(a + (a >= at) for a in axes)
        return self.bind(x, axes=up), (at - sum(a < at for a in up),)

    def lower(self, *views: View, axes: Shape) -> tuple[Reduce, ...]:
        (x,) = views
        op, init = ("or", False) if is_bool(x.dtype) else ("add", 0)
        return (reduce_over(x, axes, op, init),)


def reduce_over(x: View, axes: Shape, op: str, init: Any) -> Reduce:
    """The reduction of a view over some of its axes."""

    def element(out: IndexTuple, red: IndexTuple) -> Any:
        o, r = iter(out), iter(red)
        return x[tuple(next(r) if i in axes else next(o) for i in range(x.ndim))]

    extents = tuple(x.shape[a] for a in sorted(axes))
    return Reduce(drop(x.shape, axes), x.dtype, extents, op, init, element)


class Transpose(LinearPrimitive):
    """``out.shape[k] = x.shape[perm[k]]``.  Linear; its transpose is the inverse permutation."""

    name = "transpose"

    def abstract_eval(self, x: Aval, *, perm: Shape) -> tuple[Aval, ...]:
        if sorted(perm) != list(range(x.ndim)):
            raise ShapeError(f"transpose: axes {perm} are not a permutation of the axes of {x}")
        return (Aval(tuple(x.shape[p] for p in perm), x.dtype, x.weak_type),)

    def impl(self, x: Any, *, perm: Shape) -> tuple[Any, ...]:
        return (np.transpose(x, perm),)

    def on_numpy(self, avals: tuple[Aval, ...], params: dict[str, Any]) -> Callable[..., Any]:
        perm = params["perm"]
        if perm == (1, 0):
            return lambda x: x.T
        return lambda x: x.transpose(perm)

    def transpose(self, cts: Any, *operands: Any, perm: Shape) -> tuple[Any, ...]:
        return (transpose(cts[0], inverse_permutation(perm)),)

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, perm: Shape
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        (x,), (at,) = operands, axes
        up = (at, *(p + (p >= at) for p in perm))
        return (transpose(x, up),), (0,)

    def lower(self, *views: View, perm: Shape) -> tuple[View, ...]:
        (x,) = views
        inverse = inverse_permutation(perm)
        shape = tuple(x.shape[p] for p in perm)
        return (View(shape, x.dtype, lambda i: x[tuple(i[j] for j in inverse)]),)


class Reshape(LinearPrimitive):
    """The same elements in C order, in another shape.  Linear."""

    name = "reshape"

    def abstract_eval(self, x: Aval, *, shape: Shape) -> tuple[Aval, ...]:
        if math.prod(shape) != x.size:
            raise ShapeError(f"reshape: cannot reshape {x} of size {x.size} into {shape}")
        return (Aval(shape, x.dtype, x.weak_type),)

    def impl(self, x: Any, *, shape: Shape) -> tuple[Any, ...]:
        return (np.reshape(x, shape),)

    def on_numpy(self, avals: tuple[Aval, ...], params: dict[str, Any]) -> Callable[..., Any]:
        shape = params["shape"]
        return lambda x: x.reshape(shape)

    def transpose(self, cts: Any, *operands: Any, shape: Shape) -> tuple[Any, ...]:
        return (reshape(cts[0], operands[0].shape),)

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, shape: Shape
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        (x,) = batch_move(axis, operands, axes)
        return self.bind(x, shape=(axis.size, *shape)), (0,)

    def lower(self, *views: View, shape: Shape) -> tuple[View, ...]:
        (x,) = views
        return (View(shape, x.dtype, reshaped_index(x, shape)),)


def reshaped_index(x: View, shape: Shape) -> Any:
    """Element function of `x` seen in another shape; runs of equal axes need no arithmetic."""
    groups = matching_groups(x.shape, shape)

    def at(i: IndexTuple) -> Any:
        index: list[Any] = []
        for (a, b), (c, d) in groups:
            old = x.shape[a:b]
            real = [(n, k) for n, k in zip(shape[c:d], i[c:d], strict=True) if n != 1]
            if [n for n in old if n != 1] == [n for n, _ in real]:
                given = iter(real)
                index.extend([int_const(0) if n == 1 else next(given)[1] for n in old])
            else:
                flat: Any = int_const(0)
                for n, k in real:
                    flat = joined(flat, n, k)
                index.extend(unravel(flat, old))
        return x[tuple(index)]

    return at


def joined(i: Any, n: int, j: Any) -> Any:
    """``i * n + j``, or what these are the quotient and the remainder of.

    Example:
        >>> from fxla.loops.view import fresh_index
        >>> q = fresh_index("q")
        >>> joined(binary("floordiv", q, extent(5)), 5, binary("mod", q, extent(5))) is q
        True
    """
    match i, j:
        case Op(name="floordiv", args=(p, a)), Op(name="mod", args=(q, b)) if p is q:
            if a == b == extent(n):
                return p
    return binary("add", binary("mul", i, extent(n)), j)


def matching_groups(old: Shape, new: Shape) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Split two shapes of equal size into shortest runs of axes with equal products."""
    if 0 in old or 0 in new:
        return [((0, len(old)), (0, len(new)))]
    groups = []
    i = j = 0
    while i < len(old) or j < len(new):
        a, c = i, j
        p = q = 1
        while True:
            if p <= q and i < len(old) and (p != q or i == a):
                p *= old[i]
                i += 1
            elif j < len(new) and (p != q or j == c):
                q *= new[j]
                j += 1
            elif i < len(old) and p != q:
                p *= old[i]
                i += 1
            else:
                break
        groups.append(((a, i), (c, j)))
    return groups


broadcast_in_dim_p = BroadcastInDim()
reduce_sum_p = ReduceSum()
transpose_p = Transpose()
reshape_p = Reshape()


def inverse_permutation(perm: Sequence[int]) -> Shape:
    """The permutation that undoes `perm`."""
    inverse = [0] * len(perm)
    for k, p in enumerate(perm):
        inverse[p] = k
    return tuple(inverse)


def broadcast_in_dim(x: Value, shape: Sequence[int], dims: Sequence[int]) -> Value:
    """Place axis k of `x` at ``dims[k]`` of `shape`, repeating along the other axes."""
    shape, dims = tuple(shape), tuple(dims)
    if typeof(x).shape == shape and dims == tuple(range(len(shape))):
        return x
    return broadcast_in_dim_p.bind1(x, shape=shape, dims=dims)


def broadcast_to(x: Value, shape: Sequence[int]) -> Value:
    """Broadcast by NumPy's rule: trailing axes are matched."""
    missing = len(shape) - typeof(x).ndim
    return broadcast_in_dim(x, shape, range(missing, len(shape)))


def full(shape: Sequence[int], value: Any, dtype: np.dtype[Any]) -> Value:
    """An array with every element equal to a Python number."""
    scalar = np.asarray(value).astype(dtype)[()]
    if not shape:
        return scalar
    if state.trace is eval_trace:
        return as_array(np.full(shape, scalar))
    return broadcast_in_dim(scalar, shape, ())


def zeros_of(aval: Aval) -> Value:
    """Zeros of an aval's shape and dtype."""
    return full(aval.shape, 0, aval.dtype)


def instantiate(x: Any) -> Value:
    """Turn a structural `Zero` into an array of zeros."""
    return zeros_of(x.aval) if is_zero(x) else x


def reduce_sum(x: Value, axes: Sequence[int]) -> Value:
    """Sum over `axes`."""
    return reduce_sum_p.bind1(x, axes=tuple(sorted(axes))) if axes else x


def transpose(x: Value, perm: Sequence[int]) -> Value:
    """Permute axes; axis k of the result is axis ``perm[k]`` of `x`."""
    perm = tuple(perm)
    return x if perm == tuple(range(len(perm))) else transpose_p.bind1(x, perm=perm)


def reshape(x: Value, shape: Sequence[int]) -> Value:
    """The elements of `x` in C order, in another shape."""
    shape = tuple(shape)
    return x if typeof(x).shape == shape else reshape_p.bind1(x, shape=shape)


def squeeze(x: Value, axes: Sequence[int]) -> Value:
    """Drop axes of size 1."""
    return reshape(x, drop(typeof(x).shape, axes))


def expand_dims(x: Value, axes: Sequence[int]) -> Value:
    """Insert axes of size 1 at the positions `axes` of the result."""
    shape = list(typeof(x).shape)
    for a in sorted(axes):
        shape.insert(a, 1)
    return reshape(x, shape)


def move_axis(x: Value, source: int, destination: int) -> Value:
    """Move one axis."""
    perm = [i for i in range(typeof(x).ndim) if i != source]
    perm.insert(destination, source)
    return transpose(x, perm)


def batch_in_front(operands: Sequence[Value], axes: Sequence[int | None]) -> list[Any]:
    """Operands with their batch axis in front; one without stays as it is."""
    return [x if a is None else move_axis(x, a, 0) for x, a in zip(operands, axes, strict=True)]


def batch_move(axis: AxisFrame, operands: Sequence[Value], axes: Sequence[int | None]) -> list[Any]:
    """Operands with their batch axis in front; one without is broadcast along it."""
    moved = []
    for x, at in zip(operands, axes, strict=True):
        if at is None:
            shape = typeof(x).shape
            moved.append(broadcast_in_dim(x, (axis.size, *shape), range(1, len(shape) + 1)))
        else:
            moved.append(move_axis(x, at, 0))
    return moved
