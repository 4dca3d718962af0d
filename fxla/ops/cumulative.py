"""Running sums, products, extremes, and the first-order recurrence behind their derivatives.

``y[i] = a[i] * y[i-1] + b[i]`` is linear in b, and its transpose and its derivative with respect to
a are recurrences of the same form. The tangents of a running product, maximum and log-sum-exp are
such recurrences as well: O(n), and exact at zeros, where dividing the product by an element is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import DType, is_bool, is_inexact, short_name
from fxla.core.primitive import Primitive, is_linear, is_zero, not_linear
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import DtypeError, ShapeError
from fxla.loops import view as scalar
from fxla.loops.ir import Assign, AxisKind, Buffer, Expr, For, Let, Load, Local, Op, Stmt, Store
from fxla.loops.view import (
    IndexTuple,
    Nest,
    Phase,
    View,
    binary,
    extent,
    fresh_index,
    fresh_local,
    int_const,
)
from fxla.ops.arithmetic import div, mul, sub
from fxla.ops.casts import convert
from fxla.ops.elementwise import add
from fxla.ops.logic import eq, isinf_p, select
from fxla.ops.shape import pad
from fxla.ops.structure import batch_move, instantiate
from fxla.ops.transcendental import exp, logaddexp_scalar

__all__ = [
    "Advance",
    "Cumulative",
    "LinearRecurrence",
    "cumlogsumexp",
    "cumlogsumexp_p",
    "cummax",
    "cummax_p",
    "cummin",
    "cummin_p",
    "cumprod",
    "cumprod_p",
    "cumsum",
    "cumsum_p",
    "linear_recurrence",
    "linear_recurrence_p",
]

BLOCK = 8192
"""Elements of a row that are one task where there are few rows."""
LONG = 16 * BLOCK
"""Rows from which on they are cut into blocks."""
FEW = 4
"""Rows that leave processors idle."""

Out = tuple[tuple[Value, ...], tuple[int | None, ...]]
Advance = Callable[[Expr, IndexTuple], Expr]
"""What is carried on, and stored at an index, from what was carried."""


class Cumulative(Primitive):
    """``out[i] = x[0] op x[1] op ... op x[i]`` along `axis`; from the end if `reverse`.

    Attributes:
        kinds: dtype kinds it takes.
        ufunc: the operation, as a NumPy ufunc.
        step: the operation as a scalar expression.
        identity: its identity for a dtype.
        tangent: ``(t, out, x, axis, reverse) -> tangent``.
    """

    def __init__(
        self,
        name: str,
        kinds: str,
        ufunc: Any,
        step: Callable[[Expr, Expr], Expr],
        identity: Callable[[DType], Any],
        tangent: Callable[..., Value],
    ) -> None:
        self.name = name
        self.kinds = kinds
        self.ufunc = ufunc
        self.step = step
        self.identity = identity
        self.tangent = tangent
        super().__init__()

    def abstract_eval(self, x: Aval, *, axis: int, reverse: bool) -> tuple[Aval, ...]:
        kind = "f" if is_inexact(x.dtype) and x.dtype.kind != "c" else x.dtype.kind
        if kind not in self.kinds:
            raise DtypeError(f"{self.name}: not defined for {short_name(x.dtype)}: {x}")
        if not 0 <= axis < x.ndim:
            raise ShapeError(f"{self.name}: axis {axis} is out of bounds for {x}")
        return (x.strong(),)

    def impl(self, x: Any, *, axis: int, reverse: bool) -> tuple[Any, ...]:
        x = np.asarray(x)
        forward = np.flip(x, axis) if reverse else x
        with np.errstate(all="ignore"):
            out = self.ufunc.accumulate(forward, axis=axis, dtype=x.dtype)
        return (np.flip(out, axis) if reverse else out,)

    def jvp(
        self, primals: Any, tangents: Any, *, axis: int, reverse: bool
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        (x,), (t,) = primals, tangents
        (out,) = self.bind(x, axis=axis, reverse=reverse)
        return (out,), (self.tangent(t, out, x, axis, reverse),)

    def transpose(self, cts: Any, *operands: Any, axis: int, reverse: bool) -> tuple[Any, ...]:
        if self.name != "cumsum":
            not_linear(self, cts, *operands)
        return (cumsum(cts[0], axis, not reverse),)

    def batch(self, frame: AxisFrame, operands: Any, axes: Any, *, axis: int, reverse: bool) -> Out:
        (x,), (at,) = operands, axes
        return self.bind(x, axis=axis + (axis >= at), reverse=reverse), (at,)

    def carried(self, *views: View) -> tuple[Expr, Advance]:
        """What is carried first, and what is made of it at each index."""
        (x,) = views
        return scalar.const(self.identity(x.dtype), x.dtype), lambda before, i: self.step(
            before, x[i]
        )

    def lower(self, *views: View, axis: int, reverse: bool) -> Nest:
        (x,) = views
        start, advance = self.carried(*views)
        nest = running(x.shape, x.dtype, axis, reverse, start, advance)
        rows = math.prod(nest.parallel)
        # a part of a product may overflow where the product does not
        apart = self.ufunc is not np.multiply or x.dtype.kind not in "fcV"
        if x.shape[axis] < LONG or rows > FEW or not rows or not apart:
            return nest
        return in_blocks(x, axis, reverse, start, self.step)


def running(
    shape: tuple[int, ...],
    dtype: DType,
    axis: int,
    reverse: bool,
    start: Expr,
    advance: Advance,
) -> Nest:
    """A value carried along `axis` and stored at every step; other axes are independent."""

    def body(outer: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
        k = fresh_index("k")
        n = shape[axis]
        at = binary("sub", extent(n - 1), k) if reverse else k
        i = (*outer[:axis], at, *outer[axis:])
        total = fresh_local(dtype, "total")
        value = advance(total, i)
        step = (Assign(total, value), Store(outs[0], i, total))
        kind = _kind(value, total, axis == len(shape) - 1)
        return [Let(total, start, mutable=True), For(k, extent(n), step, kind)]

    return Nest(((shape, dtype),), (*shape[:axis], *shape[axis + 1 :]), body)


def in_blocks(
    x: View, axis: int, reverse: bool, start: Expr, step: Callable[[Expr, Expr], Expr]
) -> Nest:
    """The running result of a few long rows, by blocks that run in parallel.

    First each block by itself, of which the last result is kept; then again, from the result of
    all blocks before it. Blocks depend on the size alone, so the result does not depend on the
    number of threads. Blelloch, "Prefix sums and their applications" (1990).
    """
    n, dtype = x.shape[axis], x.dtype
    blocks = -(-n // BLOCK)
    rows = (*x.shape[:axis], *x.shape[axis + 1 :])

    def run(outer: IndexTuple, total: Local, out: Buffer | None) -> For:
        """Go on with `total` through a block."""
        block, row, k = outer[0], outer[1:], fresh_index("k")
        begin = binary("mul", block, int_const(BLOCK))
        at = binary("add", begin, k)
        if reverse:
            at = binary("sub", extent(n - 1), at)
        i = (*row[:axis], at, *row[axis:])
        value = step(total, x[i])
        one: tuple[Stmt, ...] = (Assign(total, value),)
        if out is not None:
            one = (*one, Store(out, i, total))
        size = binary("minimum", int_const(BLOCK), binary("sub", extent(n), begin))
        return For(k, size, one, _kind(value, total, axis == x.ndim - 1))

    def first(outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        total = fresh_local(dtype, "total")
        last = Store(buffers[1], outer, total)
        return [Let(total, start, mutable=True), run(outer, total, None), last]

    def then(outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        out, results = buffers
        before, total, j = fresh_local(dtype, "before"), fresh_local(dtype, "total"), fresh_index()
        value = step(before, Load(dtype, results, (j, *outer[1:])))
        return [
            Let(before, start, mutable=True),
            For(j, outer[0], (Assign(before, value),)),
            Let(total, before, mutable=True),
            run(outer, total, out),
        ]

    parallel = (blocks, *rows)
    outputs = ((x.shape, dtype),)
    return Nest(
        outputs, parallel, then, scratch=((parallel, dtype),), before=(Phase(parallel, first),)
    )


def _kind(value: Expr, total: Local, neighbours: bool) -> AxisKind:
    """How steps run that rebind `total`: in vectors where they may be taken in another order."""
    return "vector" if neighbours and isinstance(value, Op) and total in value.args else "serial"


class LinearRecurrence(Primitive):
    """``y[i] = a[i] * y[i-1] + b[i]`` along `axis`, with ``y[-1] = 0``; from the end if `reverse`.

    a, b: T[s] -> T[s].  Linear in b. ``a[0]`` is not used.
    """

    name = "linear_recurrence"

    def abstract_eval(self, a: Aval, b: Aval, *, axis: int, reverse: bool) -> tuple[Aval, ...]:
        if not a.matches(b) or not 0 <= axis < a.ndim:
            raise ShapeError(f"linear_recurrence along axis {axis}: operands do not fit: {a}, {b}")
        if not is_inexact(a.dtype):
            raise DtypeError(f"linear_recurrence: not defined for {short_name(a.dtype)}: {a}")
        return (a.strong(),)

    def impl(self, a: Any, b: Any, *, axis: int, reverse: bool) -> tuple[Any, ...]:
        a, b = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0)
        out = np.empty(b.shape, b.dtype)
        n = len(out)
        order = range(n - 1, -1, -1) if reverse else range(n)
        y: Any = np.zeros(b.shape[1:], b.dtype)
        with np.errstate(all="ignore"):
            for count, i in enumerate(order):
                y = a[i] * y + b[i] if count else b[i]
                out[i] = y
        return (np.moveaxis(out, 0, axis),)

    def jvp(
        self, primals: Any, tangents: Any, *, axis: int, reverse: bool
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        """``dy[i] = a[i] * dy[i-1] + (da[i] * y[i-1] + db[i])``."""
        (a, b), (t_a, t_b) = primals, tangents
        y = linear_recurrence(a, b, axis, reverse)
        source = instantiate(t_b)
        if not is_zero(t_a):
            source = mul(t_a, shifted(y, 0, axis, reverse))
            source = source if is_zero(t_b) else add(source, t_b)
        return (y,), (linear_recurrence(a, source, axis, reverse),)

    def transpose(self, cts: Any, *operands: Any, axis: int, reverse: bool) -> tuple[Any, ...]:
        """``ct_b[i] = a[i+1] * ct_b[i+1] + ct[i]``."""
        a, _ = operands
        assert not is_linear(a)
        return (
            None,
            linear_recurrence(shifted(a, 0, axis, not reverse), cts[0], axis, not reverse),
        )

    def batch(self, frame: AxisFrame, operands: Any, axes: Any, *, axis: int, reverse: bool) -> Out:
        return self.bind(*batch_move(frame, operands, axes), axis=axis + 1, reverse=reverse), (0,)

    def carried(self, *views: View) -> tuple[Expr, Advance]:
        """What is carried first, and what is made of it at each index."""
        a, b = views

        def advance(before: Expr, i: IndexTuple) -> Expr:
            return scalar.op("add", a.dtype, scalar.op("mul", a.dtype, a[i], before), b[i])

        return scalar.const(0, a.dtype), advance

    def lower(self, *views: View, axis: int, reverse: bool) -> Nest:
        return running(views[0].shape, views[0].dtype, axis, reverse, *self.carried(*views))


linear_recurrence_p = LinearRecurrence()


def linear_recurrence(a: Value, b: Value, axis: int, reverse: bool = False) -> Value:
    """``y[i] = a[i] * y[i-1] + b[i]`` along `axis`, starting from 0; from the end if `reverse`."""
    return linear_recurrence_p.bind1(a, b, axis=axis, reverse=reverse)


def shifted(x: Value, first: float, axis: int, reverse: bool = False) -> Value:
    """The element before each one along `axis` (after, if `reverse`), and `first` at the start."""
    steps = [0] * typeof(x).ndim
    if typeof(x).shape[axis] == 0:
        return x
    steps[axis] = -1 if reverse else 1
    return pad(x, first, steps, [-s for s in steps])


def _sum_tangent(t: Value, out: Value, x: Value, axis: int, reverse: bool) -> Value:
    return cumsum(t, axis, reverse)


def _prod_tangent(t: Value, out: Value, x: Value, axis: int, reverse: bool) -> Value:
    """``dp[i] = x[i] * dp[i-1] + dx[i] * p[i-1]``."""
    return linear_recurrence(x, mul(t, shifted(out, 1, axis, reverse)), axis, reverse)


def _extreme_tangent(t: Value, out: Value, x: Value, axis: int, reverse: bool) -> Value:
    """The mean of the tangents of those elements so far that attain the extreme."""
    dtype = typeof(t).dtype
    same = convert(eq(out, shifted(out, 0, axis, reverse)), dtype)
    wins = eq(x, out)
    total = linear_recurrence(same, select(wins, t, 0), axis, reverse)
    return div(total, linear_recurrence(same, convert(wins, dtype), axis, reverse))


def _logsumexp_tangent(t: Value, out: Value, x: Value, axis: int, reverse: bool) -> Value:
    """The mean of the tangents so far with weights exp(x), kept at a scale of 1."""
    scale = select(isinf_p.bind1(out), 0, out)
    keep = exp(sub(shifted(out, -np.inf, axis, reverse), scale))
    return linear_recurrence(keep, mul(t, exp(sub(x, scale))), axis, reverse)


def _binary(name: str) -> Callable[[Expr, Expr], Expr]:
    return lambda a, b: scalar.op(name, a.dtype, a, b)


def least(dtype: DType) -> Any:
    """The identity of maximum."""
    if is_bool(dtype):
        return False
    return -np.inf if is_inexact(dtype) else np.iinfo(dtype).min


def greatest(dtype: DType) -> Any:
    """The identity of minimum."""
    if is_bool(dtype):
        return True
    return np.inf if is_inexact(dtype) else np.iinfo(dtype).max


def _zero(dtype: DType) -> Any:
    """The identity of a sum: -0.0 for floats, so that a sum of negative zeros keeps its sign."""
    return -0.0 if is_inexact(dtype) and dtype.kind != "c" else 0


cumsum_p = Cumulative("cumsum", "biufc", np.add, _binary("add"), _zero, _sum_tangent)
cumprod_p = Cumulative(
    "cumprod", "biufc", np.multiply, _binary("mul"), lambda dtype: 1, _prod_tangent
)
cummax_p = Cumulative("cummax", "biuf", np.maximum, _binary("maximum"), least, _extreme_tangent)
cummin_p = Cumulative("cummin", "biuf", np.minimum, _binary("minimum"), greatest, _extreme_tangent)
cumlogsumexp_p = Cumulative(
    "cumlogsumexp", "f", np.logaddexp, logaddexp_scalar, least, _logsumexp_tangent
)


def _function(primitive: Cumulative, what: str) -> Callable[..., Value]:
    def apply(x: Value, axis: int, reverse: bool = False) -> Value:
        return primitive.bind1(x, axis=axis, reverse=reverse)

    apply.__name__ = apply.__qualname__ = primitive.name
    apply.__doc__ = f"Running {what} of `x` along `axis`, from the end if `reverse`."
    return apply


cumsum = _function(cumsum_p, "sum")
cumprod = _function(cumprod_p, "product")
cummax = _function(cummax_p, "maximum")
cummin = _function(cummin_p, "minimum")
cumlogsumexp = _function(cumlogsumexp_p, "log of the sum of exponentials")
