"""Reductions other than the sum: extremes, products, logic, and where an extreme is.

The sum is linear and stands with the other linear maps, in `fxla.ops.structure`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval, Shape
from fxla.core.dtypes import DType, bfloat16, float32, int64, is_bool, is_inexact, short_name
from fxla.core.primitive import Primitive, Zero, not_linear
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import DtypeError, ShapeError
from fxla.loops import view as scalar
from fxla.loops.ir import BOOL, INDEX, Assign, Buffer, Expr, For, If, Let, Local, Stmt, Store
from fxla.loops.view import (
    IndexTuple,
    Nest,
    Reduce,
    View,
    binary,
    compare,
    extent,
    fresh_index,
    fresh_local,
    int_const,
)
from fxla.ops.arithmetic import div, mul
from fxla.ops.casts import convert
from fxla.ops.cumulative import cumprod, greatest, least, shifted
from fxla.ops.logic import eq, select
from fxla.ops.structure import (
    broadcast_in_dim,
    drop,
    reduce_over,
    reduce_sum,
    reshape,
    transpose,
)

__all__ = [
    "ArgReduction",
    "Reduction",
    "argmax",
    "argmax_p",
    "argmin",
    "argmin_p",
    "reduce_and",
    "reduce_and_p",
    "reduce_max",
    "reduce_max_p",
    "reduce_min",
    "reduce_min_p",
    "reduce_or",
    "reduce_or_p",
    "reduce_prod",
    "reduce_prod_p",
    "reduce_xor",
    "reduce_xor_p",
]

Out = tuple[tuple[Value, ...], tuple[int | None, ...]]
Tangent = Callable[[Value, Value, Value, Shape], Value]


class Reduction(Primitive):
    """``out[i] = x[i, 0] op x[i, 1] op ...`` over `axes`, in x's own dtype.

    Attributes:
        kinds: dtype kinds it takes.
        ufunc: the operation, as a NumPy ufunc.
        op: its name as a scalar operation.
        identity: its identity for a dtype.
        tangent: ``(t, out, x, axes) -> tangent``; None if it has no derivative.
        empty: whether an empty reduction has a value.
    """

    def __init__(
        self,
        name: str,
        kinds: str,
        ufunc: Any,
        op: str,
        identity: Callable[[DType], Any],
        tangent: Tangent | None = None,
        empty: bool = True,
    ) -> None:
        self.name = name
        self.kinds = kinds
        self.ufunc = ufunc
        self.op = op
        self.identity = identity
        self.tangent = tangent
        self.empty = empty
        super().__init__()

    def abstract_eval(self, x: Aval, *, axes: Shape) -> tuple[Aval, ...]:
        check_kind(self.name, x, self.kinds)
        if len(set(axes)) != len(axes) or not all(0 <= a < x.ndim for a in axes):
            raise ShapeError(f"{self.name}: axes {axes} do not fit {x}")
        shape = drop(x.shape, axes)
        if not self.empty and x.size == 0 and 0 not in shape:
            raise ValueError(
                f"zero-size array to reduction operation {self.ufunc.__name__} "
                f"which has no identity: {x} over axes {axes}"
            )
        return (Aval(shape, x.dtype),)

    def impl(self, x: Any, *, axes: Shape) -> tuple[Any, ...]:
        x = np.asarray(x)
        with np.errstate(all="ignore"):
            # an empty reduction without identity gives NumPy's own error
            return (self.ufunc.reduce(x, axis=axes, dtype=x.dtype),)

    def jvp(
        self, primals: Any, tangents: Any, *, axes: Shape
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        (x,), (t,) = primals, tangents
        (out,) = self.bind(x, axes=axes)
        if self.tangent is None:
            return (out,), (Zero(typeof(out).tangent()),)
        return (out,), (self.tangent(t, out, x, axes),)

    transpose = not_linear

    def batch(self, frame: AxisFrame, operands: Any, batch_axes: Any, *, axes: Shape) -> Out:
        (x,), (at,) = operands, batch_axes
        up = tuple(a + (a >= at) for a in axes)
        return self.bind(x, axes=up), (at - sum(a < at for a in up),)

    def lower(self, *views: View, axes: Shape) -> tuple[Reduce, ...]:
        (x,) = views
        op = {"add": "or", "mul": "and"}.get(self.op, self.op) if is_bool(x.dtype) else self.op
        return (reduce_over(x, axes, op, self.identity(x.dtype)),)


def check_kind(name: str, x: Aval, kinds: str) -> None:
    """Check that the dtype of `x` is of one of the kinds."""
    kind = "f" if is_inexact(x.dtype) and x.dtype.kind != "c" else x.dtype.kind
    if kind not in kinds:
        raise DtypeError(f"{name}: not defined for {short_name(x.dtype)}: {x}")


def _extreme_tangent(t: Value, out: Value, x: Value, axes: Shape) -> Value:
    """The mean of the tangents of the elements that attain the extreme."""
    aval = typeof(x)
    kept = [a for a in range(aval.ndim) if a not in axes]
    wins = eq(x, broadcast_in_dim(out, aval.shape, kept))
    count = reduce_sum(convert(wins, typeof(t).dtype), axes)
    return div(reduce_sum(select(wins, t, 0), axes), count)


def _prod_tangent(t: Value, out: Value, x: Value, axes: Shape) -> Value:
    """Sum of t times the product of all other elements, which is right where elements are zero.

    The others are those before and those after: two running products.
    """
    shape = typeof(x).shape
    kept = [a for a in range(len(shape)) if a not in axes]
    outer = [shape[a] for a in kept]
    flat = (*outer, math.prod(shape[a] for a in axes))
    last = len(kept)
    x, t = (reshape(transpose(v, (*kept, *axes)), flat) for v in (x, t))
    before = shifted(cumprod(x, last), 1, last)
    after = shifted(cumprod(x, last, reverse=True), 1, last, reverse=True)
    return reduce_sum(mul(t, mul(before, after)), (last,))


def _all_bits(dtype: DType) -> Any:
    if is_bool(dtype):
        return True
    return -1 if dtype.kind == "i" else np.iinfo(dtype).max


def _zero(dtype: DType) -> Any:
    return False if is_bool(dtype) else 0


def _one(dtype: DType) -> Any:
    return True if is_bool(dtype) else 1


reduce_max_p = Reduction(
    "reduce_max", "biuf", np.maximum, "maximum", least, _extreme_tangent, empty=False
)
reduce_min_p = Reduction(
    "reduce_min", "biuf", np.minimum, "minimum", greatest, _extreme_tangent, empty=False
)
reduce_prod_p = Reduction("reduce_prod", "biufc", np.multiply, "mul", _one, _prod_tangent)
reduce_and_p = Reduction("reduce_and", "biu", np.bitwise_and, "and", _all_bits)
reduce_or_p = Reduction("reduce_or", "biu", np.bitwise_or, "or", _zero)
reduce_xor_p = Reduction("reduce_xor", "biu", np.bitwise_xor, "xor", _zero)


_BLOCK = 4096
"""Elements of which the extreme is found before the next ones are looked at."""


class ArgReduction(Primitive):
    """Where along `dimension` the extreme is: its first occurrence; the first NaN if there is one.

    x: T[s] -> index_dtype[s without dimension].  No derivative.
    """

    def __init__(self, name: str, numpy: Callable[..., Any], op: str) -> None:
        self.name = name
        self.numpy = numpy
        self.op = op
        super().__init__()

    def abstract_eval(self, x: Aval, *, dimension: int, index_dtype: DType) -> tuple[Aval, ...]:
        check_kind(self.name, x, "biuf")
        if not 0 <= dimension < x.ndim:
            raise ShapeError(f"{self.name}: axis {dimension} is out of bounds for {x}")
        if x.shape[dimension] == 0:
            raise ValueError(f"attempt to get {self.name} of an empty sequence: {x}")
        return (Aval(drop(x.shape, (dimension,)), index_dtype),)

    def impl(self, x: Any, *, dimension: int, index_dtype: DType) -> tuple[Any, ...]:
        x = np.asarray(x)
        if x.dtype == bfloat16:
            x = x.astype(float32)
        return (self.numpy(x, axis=dimension).astype(index_dtype),)

    def jvp(
        self, primals: Any, tangents: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        out = self.bind(*primals, **params)
        return out, (Zero(typeof(out[0]).tangent()),)

    transpose = not_linear

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, dimension: int, index_dtype: DType
    ) -> Out:
        (x,), (at,) = operands, axes
        up = dimension + (dimension >= at)
        return self.bind(x, dimension=up, index_dtype=index_dtype), (at - (up < at),)

    def lower(self, *views: View, dimension: int, index_dtype: DType) -> Nest:
        """Along the last axis first what the extreme is, then where, each with vectors."""
        (x,) = views
        n = x.shape[dimension]

        def body(outer: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
            def element(k: Expr) -> Expr:
                return x[(*outer[:dimension], k, *outer[dimension:])]

            where = fresh_local(INDEX, "where")
            scan = self.scan(element, n, x.dtype, where)
            if dimension == x.ndim - 1:
                search = self.search(element, n, x.dtype, where)
                # a recomputed element may differ in the last bit, then nothing is found
                lost = compare("ge", where, extent(n))
                found = [*search, If(lost, (Assign(where, int_const(0)), *scan))]
            else:
                found = [Let(where, int_const(0), mutable=True), *scan]
            return [*found, Store(outs[0], outer, scalar.cast(where, index_dtype))]

        shape = drop(x.shape, (dimension,))
        return Nest(((shape, index_dtype),), shape, body)

    def scan(
        self, element: Callable[[Expr], Expr], n: int, dtype: DType, where: Local
    ) -> list[Stmt]:
        """Rebind `where` to the place of the extreme, element by element."""
        k, v, best = fresh_index("k"), fresh_local(dtype, "v"), fresh_local(dtype, "best")
        better = compare("gt" if self.op == "maximum" else "lt", v, best)
        if is_inexact(dtype):
            first_nan = scalar.op("and", BOOL, compare("ne", v, v), compare("eq", best, best))
            better = scalar.op("or", BOOL, better, first_nan)
        step = (Let(v, element(k)), If(better, (Assign(best, v), Assign(where, k))))
        return [Let(best, element(int_const(0)), mutable=True), For(k, extent(n), step)]

    def search(
        self, element: Callable[[Expr], Expr], n: int, dtype: DType, where: Local
    ) -> list[Stmt]:
        """Declare `where`: the first place of the extreme, or n if it is found nowhere."""
        k, place = fresh_index("k"), fresh_index("place")
        best, v = fresh_local(dtype, "best"), fresh_local(dtype, "v")
        identity = (least if self.op == "maximum" else greatest)(dtype)
        match = compare("eq", v, best)
        if is_inexact(dtype):
            # if there is a NaN then it is the extreme, and equals nothing
            match = scalar.op("or", BOOL, match, compare("ne", v, v))
        if n >= 2 * _BLOCK:
            return self.search_blocks(element, n, dtype, where)
        first = scalar.op("minimum", INDEX, where, scalar.select(match, place, extent(n)))
        raised = Assign(best, scalar.op(self.op, dtype, best, element(k)))
        return [
            Let(best, scalar.const(identity, dtype), mutable=True),
            For(k, extent(n), (raised,), "vector"),
            Let(where, extent(n), mutable=True),
            For(place, extent(n), (Let(v, element(place)), Assign(where, first)), "vector"),
        ]

    def search_blocks(
        self, element: Callable[[Expr], Expr], n: int, dtype: DType, where: Local
    ) -> list[Stmt]:
        """As `search`, for many elements: which block has the extreme, then where it is there."""
        block, k, place = fresh_index("block"), fresh_index("k"), fresh_index("place")
        best, part, v = (fresh_local(dtype, stem) for stem in ("best", "part", "v"))
        chosen = fresh_local(INDEX, "chosen")
        size = int_const(_BLOCK)

        def within(first: Expr) -> Expr:
            return binary("minimum", size, binary("sub", extent(n), first))

        def match(x: Expr, extreme: Expr) -> Expr:
            same = compare("eq", x, extreme)
            if not is_inexact(dtype):
                return same
            return scalar.op("or", BOOL, same, compare("ne", x, x))

        better = compare("gt" if self.op == "maximum" else "lt", part, best)
        if is_inexact(dtype):
            first_nan = scalar.op("and", BOOL, compare("ne", part, part), compare("eq", best, best))
            better = scalar.op("or", BOOL, better, first_nan)
        identity = (least if self.op == "maximum" else greatest)(dtype)
        start, begin = binary("mul", block, size), binary("mul", chosen, size)
        raised = Assign(part, scalar.op(self.op, dtype, part, element(binary("add", start, k))))
        note = If(better, (Assign(best, part), Assign(chosen, block)))
        at = binary("add", begin, place)
        found = scalar.select(match(v, best), at, extent(n))
        blocks = binary(
            "floordiv", binary("add", extent(n), int_const(_BLOCK - 1)), int_const(_BLOCK)
        )
        return [
            Let(best, element(int_const(0)), mutable=True),
            Let(chosen, int_const(0), mutable=True),
            For(
                block,
                blocks,
                (
                    Let(part, scalar.const(identity, dtype), mutable=True),
                    For(k, within(start), (raised,), "vector"),
                    note,
                ),
            ),
            Let(where, extent(n), mutable=True),
            For(
                place,
                within(begin),
                (
                    Let(v, element(at)),
                    Assign(where, scalar.op("minimum", INDEX, where, found)),
                ),
                "vector",
            ),
        ]


argmax_p = ArgReduction("argmax", np.argmax, "maximum")
argmin_p = ArgReduction("argmin", np.argmin, "minimum")


def _reduction(primitive: Reduction) -> Callable[..., Value]:
    def apply(x: Value, axes: Sequence[int]) -> Value:
        return primitive.bind1(x, axes=tuple(sorted(axes))) if len(axes) else x

    apply.__name__ = apply.__qualname__ = primitive.name
    apply.__doc__ = f"`{primitive.name}` of `x` over `axes`."
    return apply


def _arg_reduction(primitive: ArgReduction) -> Callable[..., Value]:
    def apply(x: Value, axis: int, index_dtype: DType = int64) -> Value:
        return primitive.bind1(x, dimension=axis, index_dtype=index_dtype)

    apply.__name__ = apply.__qualname__ = primitive.name
    apply.__doc__ = f"`{primitive.name}` of `x` along one axis; NaN counts as the extreme."
    return apply


reduce_max = _reduction(reduce_max_p)
reduce_min = _reduction(reduce_min_p)
reduce_prod = _reduction(reduce_prod_p)
reduce_and = _reduction(reduce_and_p)
reduce_or = _reduction(reduce_or_p)
reduce_xor = _reduction(reduce_xor_p)
argmax = _arg_reduction(argmax_p)
argmin = _arg_reduction(argmin_p)
